//! Where certificates come from.

use std::fmt;
use std::path::PathBuf;

use super::{ConfigError, Setting};

/// The authority, and how it looks whether a name leads here.
#[derive(Clone, Debug)]
pub struct Acme {
    /// The URL of the authority's directory.
    pub directory: String,
    /// Whom it writes to; without it nothing is ordered.
    pub email: Option<String>,
    /// A file with the root of its server's certificate.
    pub ca: Option<PathBuf>,
    /// As whom it stands in CAA records; `None` is what is known of the usual ones.
    pub caa: Option<String>,
    /// Over which of the two ways it looks; `None` is one after the other.
    pub challenge: Option<AcmeChallenge>,
    /// Who changes the DNS, so that wildcards can be had; `None` is nobody.
    pub dns: Option<AcmeDns>,
}

/// How an authority looks whether a name leads here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcmeChallenge {
    Http,
    Tls,
}

/// Who changes the DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsProvider {
    /// The zone's own name server, by dynamic updates.
    Rfc2136,
    Cloudflare,
    DigitalOcean,
    Hetzner,
    Route53,
    /// A program of the operator's own, over HTTP.
    Webhook,
}

impl DnsProvider {
    const ALL: [(&'static str, Self); 6] = [
        ("rfc2136", Self::Rfc2136),
        ("cloudflare", Self::Cloudflare),
        ("digitalocean", Self::DigitalOcean),
        ("hetzner", Self::Hetzner),
        ("route53", Self::Route53),
        ("webhook", Self::Webhook),
    ];
}

/// Who changes the DNS, and as whom.
#[derive(Clone)]
pub struct AcmeDns {
    pub provider: DnsProvider,
    /// The name server, or the URL that is asked; `None` is the provider's own.
    pub server: Option<String>,
    /// Name of the key, or of who asks.
    pub user: Option<String>,
    /// Token, or secret of the key.
    pub secret: Option<String>,
}

impl fmt::Debug for AcmeDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcmeDns").field("provider", &self.provider).finish_non_exhaustive()
    }
}

pub(super) fn read(get: &impl Fn(&str) -> Setting) -> Result<Acme, ConfigError> {
    Ok(Acme {
        directory: get("acme_directory").value.trim().to_owned(),
        email: get("acme_email").non_empty(),
        ca: get("acme_ca").non_empty().map(PathBuf::from),
        caa: get("acme_caa").non_empty(),
        challenge: parse_challenge(&get("acme_challenge"))?,
        dns: parse_dns(get)?,
    })
}

fn parse_challenge(setting: &Setting) -> Result<Option<AcmeChallenge>, ConfigError> {
    match setting.value.trim() {
        "" => Ok(None),
        "http" => Ok(Some(AcmeChallenge::Http)),
        "tls" => Ok(Some(AcmeChallenge::Tls)),
        _ => Err(setting.error("http, tls or empty")),
    }
}

fn parse_dns(get: &impl Fn(&str) -> Setting) -> Result<Option<AcmeDns>, ConfigError> {
    let named = get("acme_dns");
    let Some(name) = named.non_empty() else { return Ok(None) };
    let found = DnsProvider::ALL.into_iter().find(|(known, _)| *known == name);
    let Some((_, provider)) = found else {
        let known: Vec<_> = DnsProvider::ALL.iter().map(|(name, _)| *name).collect();
        return Err(named.error(&format!("empty or one of {}", known.join(", "))));
    };
    let part = |key: &str| get(key).non_empty();
    let dns = AcmeDns {
        provider,
        server: part("acme_dns_server"),
        user: part("acme_dns_user"),
        secret: part("acme_dns_secret"),
    };
    let (server, user, secret) = match provider {
        DnsProvider::Rfc2136 => (true, dns.secret.is_some(), dns.user.is_some()),
        DnsProvider::Webhook => (true, false, dns.user.is_some()),
        DnsProvider::Route53 => (false, true, true),
        _ => (false, false, true),
    };
    for (key, is_needed, given) in [
        ("acme_dns_server", server, dns.server.is_some()),
        ("acme_dns_user", user, dns.user.is_some()),
        ("acme_dns_secret", secret, dns.secret.is_some()),
    ] {
        if is_needed && !given {
            return Err(ConfigError(format!("{key} must be set too where acme_dns is `{name}`")));
        }
    }
    Ok(Some(dns))
}
