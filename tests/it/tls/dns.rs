//! Certificates that the DNS stands for: wildcards, with a real name server and a real authority.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use x509_parser::extensions::GeneralName;

use super::issuance::ends_in;
use super::listener::trusting_anybody;
use crate::support::api_client::{host_of, text};
use crate::support::bind::{Bind, KEY, SECRET, ZONE};
use crate::support::orbitra::free_port;
use crate::support::pebble::{Pebble, Place};
use crate::support::tls::connect;
use crate::support::until::{until, within};
use crate::whole::Whole;

const BASE: &str = "apps.example.org";
const PATIENCE: Duration = Duration::from_secs(180);

/// An Orbitra below a name of the name server's zone, and an authority that asks that name server.
struct Scene {
    whole: Whole,
    pebble: Pebble,
    bind: Bind,
    tls: SocketAddr,
}

impl Scene {
    /// `number` keeps the ports of tests that run at the same time apart.
    async fn start(
        number: u32,
        over_http: bool,
        zone: &str,
        more: &[(&'static str, &str)],
    ) -> Self {
        let port = |offset: u32| free_port(std::process::id() * 5 + number * 300 + offset);
        let bind = Bind::start(port(0), zone).await;
        let place = Place::new(port(100));
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        let mut settings = vec![
            ("ORBITRA_LISTEN_TLS", "127.0.0.1:0"),
            ("ORBITRA_BASE_DOMAIN", BASE),
            ("ORBITRA_DASHBOARD_HOST", "127.0.0.1"),
            ("ORBITRA_PUBLIC_ADDRESSES", "127.0.0.1"),
            ("ORBITRA_DNS_SERVERS", leak(&bind.address.to_string())),
            ("ORBITRA_ACME_EMAIL", "admin@example.org"),
            ("ORBITRA_ACME_DIRECTORY", leak(&place.url())),
            ("ORBITRA_ACME_CA", leak(place.root().to_str().unwrap())),
            ("ORBITRA_ACME_CHALLENGE", "http"),
        ];
        settings.extend(more.iter().map(|(name, value)| (*name, leak(value))));
        // The wildcard is ordered at once; whoever looks over HTTP has to know the port first.
        let (whole, pebble) = if over_http {
            let whole = Whole::start_with(&settings).await;
            let http = whole.api.port;
            (whole, place.start(http, port(250), bind.address, 0).await)
        } else {
            let pebble = place.start(port(200), port(250), bind.address, 0).await;
            (Whole::start_with(&settings).await, pebble)
        };
        let tls = whole.program.as_ref().unwrap().1.tls_addr().unwrap();
        Self { whole, pebble, bind, tls }
    }

    /// With a key for the name server.
    async fn with_key(number: u32, secret: &str) -> Self {
        let server = free_port(std::process::id() * 5 + number * 300);
        let server = format!("127.0.0.1:{server}");
        let more = [
            ("ORBITRA_ACME_DNS", "rfc2136"),
            ("ORBITRA_ACME_DNS_SERVER", server.as_str()),
            ("ORBITRA_ACME_DNS_USER", KEY),
            ("ORBITRA_ACME_DNS_SECRET", secret),
        ];
        Self::start(number, false, "", &more).await
    }

    /// The number of the certificate that is served for a host.
    async fn number(&self, host: &str) -> String {
        let stream = connect(self.tls, host, trusting_anybody()).await.unwrap();
        let chain = stream.get_ref().1.peer_certificates().unwrap().to_vec();
        let (_, own) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
        own.raw_serial_as_string()
    }

    /// The names that the authority has signed for a host; none when it is not the authority's certificate.
    async fn names(&self, host: &str) -> Option<Vec<String>> {
        let stream = connect(self.tls, host, trusting_anybody()).await.ok()?;
        let chain = stream.get_ref().1.peer_certificates()?.to_vec();
        let (_, own) = x509_parser::parse_x509_certificate(&chain[0]).ok()?;
        own.issuer().to_string().contains("Pebble").then_some(())?;
        let names = own.subject_alternative_name().ok()??.value.general_names.iter();
        Some(
            names
                .filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some((*name).to_owned()),
                    _ => None,
                })
                .collect(),
        )
    }

    async fn signed(&self, host: &str) -> Vec<String> {
        within(PATIENCE, host, async || self.names(host).await).await
    }

    /// A project that is live, and its deployment as it is shown.
    async fn shop(&self) -> (String, Value) {
        let repository = self.whole.repository(&json!({"body": "one"}));
        let project = self.whole.project("shop").await;
        let deployment = self.whole.api.deploy_live(&project, &repository).await;
        (project, deployment)
    }
}

#[tokio::test]
async fn one_certificate_is_for_every_name_below_the_base_domain() {
    let scene = Scene::with_key(1, SECRET).await;
    let (_, deployment) = scene.shop().await;
    let own = host_of(&text(&deployment, "url"));
    let wildcard = [format!("*.{BASE}")];
    assert_eq!(scene.signed("shop.apps.example.org").await, wildcard);
    assert_eq!(scene.names(&own).await.unwrap(), wildcard);
    assert_eq!(scene.names("not-there-yet.apps.example.org").await.unwrap(), wildcard);
    // Nothing is left in the zone, and no name was ordered alone.
    let left = scene.bind.lookup().texts(&format!("_acme-challenge.{BASE}")).await.unwrap();
    assert_eq!(left, Vec::<String>::new());
    let orders = scene.pebble.log().matches("/order-plz").count();
    assert_eq!(orders, 1, "{}", scene.pebble.log());
}

#[tokio::test]
async fn a_wildcard_of_a_project_gets_one_too() {
    let scene = Scene::with_key(2, SECRET).await;
    let (project, _) = scene.shop().await;
    let path = format!("/projects/{project}/domains");
    let body = json!({"hostname": format!("*.shop.{ZONE}")});
    let made = scene.whole.api.done("POST", &path, Some(body)).await;
    assert_eq!(scene.signed("anything.shop.example.org").await, [format!("*.shop.{ZONE}")]);
    let id = text(&made, "id");
    until("it is told", async || {
        let shown = scene.whole.api.get(&format!("/domains/{id}")).await;
        (shown["certificate"]["status"] == "issued").then_some(())
    })
    .await;
    // It is renewed, and one that is revoked is replaced: with a new proof each time, of which nothing stays.
    let (host, name) = ("anything.shop.example.org", format!("*.shop.{ZONE}"));
    let app = scene.whole.program.as_ref().unwrap().1.app.clone();
    for revoked in [false, true] {
        let before = scene.number(host).await;
        if revoked {
            orbitra::boot::revoke_certificate(&app, &name).await.unwrap();
            assert!(scene.pebble.log().contains("/revoke-cert"), "{}", scene.pebble.log());
        } else {
            ends_in(&scene.whole, &name, 30);
        }
        within(PATIENCE, "another one", async || {
            scene.whole.api.call("POST", &format!("/domains/{id}/verify"), Some(json!({}))).await;
            let signed = scene.names(host).await?;
            (scene.number(host).await != before && signed == [name.clone()]).then_some(())
        })
        .await;
    }
    let left = scene.bind.lookup().texts("_acme-challenge.shop.example.org").await.unwrap();
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn a_key_that_may_not_change_the_zone_is_told() {
    let scene = Scene::with_key(3, "bm90LXRoZS1zZWNyZXQtdGhhdC1pcy1leHBlY3RlZC4=").await;
    let (project, _) = scene.shop().await;
    let path = format!("/projects/{project}/domains");
    let body = json!({"hostname": format!("*.shop.{ZONE}")});
    let id = text(&scene.whole.api.done("POST", &path, Some(body)).await, "id");
    let error = within(PATIENCE, "it is refused", async || {
        let shown = scene.whole.api.get(&format!("/domains/{id}")).await;
        shown["certificate"]["last_error"].as_str().map(str::to_owned)
    })
    .await;
    assert!(error.contains("the DNS could not be changed"), "{error}");
    assert!(error.contains(&scene.bind.address.to_string()), "{error}");
}

#[tokio::test]
async fn without_the_dns_a_deployment_gets_one_when_somebody_asks_for_it() {
    let scene = Scene::start(4, true, "", &[]).await;
    let (_, deployment) = scene.shop().await;
    let own = host_of(&text(&deployment, "url"));
    assert_eq!(scene.signed("shop.apps.example.org").await, ["shop.apps.example.org"]);
    let before = scene.pebble.log().matches("/order-plz").count();
    // Nobody gets one for what does not exist.
    for made_up in ["nothing.apps.example.org", "www.example.org", "apps.example.net"] {
        assert_eq!(scene.names(made_up).await, None);
    }
    assert_eq!(scene.names(&own).await, None, "not before it is asked for");
    assert_eq!(scene.signed(&own).await, std::slice::from_ref(&own));
    let after = scene.pebble.log().matches("/order-plz").count();
    assert_eq!(after - before, 1, "{}", scene.pebble.log());
}

#[tokio::test]
async fn where_wildcards_are_forbidden_each_name_gets_its_own() {
    let server = free_port(std::process::id() * 5 + 5 * 300);
    let server = format!("127.0.0.1:{server}");
    let more = [
        ("ORBITRA_ACME_CAA", "ca.example.net"),
        ("ORBITRA_ACME_DNS", "rfc2136"),
        ("ORBITRA_ACME_DNS_SERVER", server.as_str()),
        ("ORBITRA_ACME_DNS_USER", KEY),
        ("ORBITRA_ACME_DNS_SECRET", SECRET),
    ];
    let scene = Scene::start(5, true, "apps CAA 0 issuewild \";\"\n", &more).await;
    scene.shop().await;
    assert_eq!(scene.signed("shop.apps.example.org").await, ["shop.apps.example.org"]);
    let left = scene.bind.lookup().texts(&format!("_acme-challenge.{BASE}")).await.unwrap();
    assert_eq!(left, Vec::<String>::new(), "no wildcard was ordered");
}

#[tokio::test]
async fn what_the_zone_says_is_read() {
    let lines =
        "caa CAA 0 issue \"letsencrypt.org\"\nhost.caa A 127.0.0.1\nstrict CAA 128 later \"x\"\n";
    let bind = Bind::start(free_port(std::process::id() * 5 + 1_900), lines).await;
    let lookup = bind.lookup();
    let said = async |name: &str| {
        let found = lookup.permissions(name).await;
        found.map(|all| all.into_iter().map(|one| (one.tag, one.value)).collect::<Vec<_>>())
    };
    let ours = vec![("issue".to_owned(), "letsencrypt.org".to_owned())];
    assert_eq!(said("caa.example.org").await.unwrap(), ours);
    assert_eq!(said("host.caa.example.org").await.unwrap(), ours);
    assert!(lookup.permissions("strict.example.org").await.unwrap()[0].critical);
    assert_eq!(lookup.zone("a.b.example.org").await.unwrap(), ZONE);
    assert_eq!(lookup.name_servers(ZONE).await.unwrap(), ["ns.example.org"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (updates, name) = (bind.updates(), "_acme-challenge.example.org");
    updates.add(ZONE, name, "one", now).await.unwrap();
    updates.add(ZONE, name, "two", now).await.unwrap();
    updates.remove(ZONE, name, "one", now).await.unwrap();
    assert_eq!(lookup.texts(name).await.unwrap(), ["two"]);
    // A clock that is far off, a name elsewhere, a server that is not there.
    assert!(updates.add(ZONE, name, "late", now - 4000).await.is_err());
    assert!(updates.add(ZONE, "_acme-challenge.example.net", "x", now).await.is_err());
    assert!(updates.add("net", "_acme-challenge.example.net", "x", now).await.is_err());
    assert_eq!(lookup.texts(name).await.unwrap(), ["two"]);
}
