use super::*;

fn load(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let flags = Flags { data: Some("/nonexistent".into()), listen: None };
    Config::load(&flags, |name| {
        settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn the_defaults_are_usable() {
    let config = load(&[]).expect("defaults");
    assert_eq!(config.hosts.url_of("my-app.localhost"), "http://my-app.localhost:8080");
    assert!(config.hosts.is_control("localhost") && config.hosts.is_control("203.0.113.7"));
    assert!(!config.hosts.is_control("my-app.localhost"));
    assert!(config.build_concurrency >= 1);
    assert_eq!(config.rates, RateLimits::default());
}

#[test]
fn a_wrong_setting_is_named() {
    for (name, value) in [
        ("ORBITRA_LISTEN", "nonsense"),
        ("ORBITRA_LISTEN_TLS", "443x"),
        ("ORBITRA_BASE_DOMAIN", "-x-"),
        ("ORBITRA_PUBLIC_ADDRESSES", "1.2.3"),
        ("ORBITRA_ACME_CHALLENGE", "dns"),
        ("ORBITRA_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("ORBITRA_METRICS_LISTEN", "9464x"),
        ("ORBITRA_LOG", "info,orbitra=loud"),
        ("ORBITRA_ACME_DNS", "godaddy"),
        ("ORBITRA_DNS_SERVERS", "dns.example.com"),
        ("ORBITRA_PUBLIC_SCHEME", "ftp"),
        ("ORBITRA_NETWORK_POOL", "8.0.0.0/8"),
        ("ORBITRA_EGRESS_ALLOW_HTTP", "maybe"),
        ("ORBITRA_WEBHOOK_SCHEDULE", "5, soon"),
        ("ORBITRA_WEBHOOK_SCHEDULE", "2592001"),
        ("ORBITRA_WEBHOOK_TIMEOUT", "0"),
        ("ORBITRA_WEBHOOK_TIMEOUT", "61"),
        ("ORBITRA_RATE_FREE", "0"),
        ("ORBITRA_RATE_PROFESSIONAL", "2147483647"),
        ("ORBITRA_RATE_WINDOW", "86401"),
        ("ORBITRA_SLEEP_AFTER", "5m"),
        ("ORBITRA_STOP_AFTER", "-1"),
        ("ORBITRA_KEEP_ASSETS", "99999999999999999999"),
    ] {
        let error = load(&[(name, value)]).expect_err(name);
        assert!(error.0.contains(name), "{error}");
    }
}

#[test]
fn a_delivery_is_tried_ten_times_in_three_days() {
    let config = load(&[]).expect("defaults");
    let all: std::time::Duration = config.webhook_schedule.iter().sum();
    assert_eq!((config.webhook_schedule.len(), all.as_secs() / 3600), (9, 75));
    let config = load(&[("ORBITRA_WEBHOOK_SCHEDULE", "0,1")]).expect("usable");
    assert_eq!(config.webhook_schedule.len(), 2);
}

#[test]
fn who_changes_the_dns_needs_what_it_is_asked_with() {
    let with = |settings: &[(&str, &str)]| load(settings).map(|config| config.acme.dns.is_some());
    assert_eq!(with(&[("ORBITRA_ACME_DNS_SECRET", "abc")]), Ok(false));
    let error = with(&[("ORBITRA_ACME_DNS", "cloudflare")]).expect_err("without a token");
    assert!(error.0.contains("acme_dns_secret must be set too"), "{error}");
    let whole = [("ORBITRA_ACME_DNS", "cloudflare"), ("ORBITRA_ACME_DNS_SECRET", "abc-canary")];
    assert_eq!(with(&whole), Ok(true));
    assert!(!format!("{:?}", load(&whole)).contains("canary"));
}

#[test]
fn with_tls_urls_are_https() {
    let with = |address| load(&[("ORBITRA_LISTEN_TLS", address)]).expect("usable").hosts;
    assert_eq!(with(":443").url_of("a.localhost"), "https://a.localhost");
    let hosts = with("127.0.0.1:8443");
    assert_eq!(hosts.url_of("a.localhost"), "https://a.localhost:8443");
    assert_eq!((hosts.https_port(), with(":443").https_port()), (Some(8443), Some(443)));
}

#[test]
fn urls_follow_domain_and_scheme() {
    let config =
        load(&[("ORBITRA_BASE_DOMAIN", "apps.example.com"), ("ORBITRA_PUBLIC_SCHEME", "https")]);
    let hosts = config.expect("usable").hosts;
    assert_eq!(hosts.url_of("a.apps.example.com"), "https://a.apps.example.com");
    assert_eq!(hosts.dashboard_url(), "https://apps.example.com");
    assert!(hosts.is_control("apps.example.com") && hosts.secure());
    let config = load(&[
        ("ORBITRA_DASHBOARD_HOST", "orbitra.example.com"),
        ("ORBITRA_BASE_DOMAIN", "apps.test"),
    ]);
    let hosts = config.expect("usable").hosts;
    assert!(hosts.is_control("orbitra.example.com") && !hosts.is_control("apps.test"));
    assert_eq!(hosts.dashboard_url(), "http://orbitra.example.com:8080");
}
