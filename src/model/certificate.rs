//! Certificates for TLS.

use super::ids::CertificateId;
use super::issuance::Renewal;
use super::ocsp::OcspStanding;
use super::timestamp::Timestamp;

/// Where a certificate came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The operator gave it, for names under the base domain.
    Operator,
    /// Somebody brought it along for a domain.
    Uploaded,
    /// An authority signed it by itself.
    Acme,
}

impl Origin {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Uploaded => "uploaded",
            Self::Acme => "acme",
        }
    }

    /// Reads a stored word.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "operator" => Some(Self::Operator),
            "uploaded" => Some(Self::Uploaded),
            "acme" => Some(Self::Acme),
            _ => None,
        }
    }
}

/// A certificate, without its private key, which is kept sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub id: CertificateId,
    /// The one name it is served for, such as `www.example.org` or `*.example.org`.
    pub hostname: String,
    pub origin: Origin,
    /// PEM, the host's own certificate first.
    pub chain: String,
    /// Who signed it, for people.
    pub issuer: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub created_at: Timestamp,
}

/// A host name in the ledger of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub hostname: String,
    /// The certificate that it has.
    pub held: Option<Held>,
    /// What came of asking for one; `None` when nothing failed since the last one.
    pub tried: Option<Tried>,
    /// What the authority has signed in a week for all names of its domain.
    pub counted: u32,
}

/// A certificate in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub origin: Origin,
    pub issuer: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// When its authority wants it to be renewed, as far as it says so.
    pub renew_at: Option<Timestamp>,
    /// What its authority's responder says of it.
    pub ocsp: OcspStanding,
}

/// Tries that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// In a row.
    pub failures: u32,
    /// The next one is not before.
    pub next_at: Timestamp,
    /// The last reason, for people.
    pub error: String,
}

/// What decides whether a certificate is to be renewed.
#[derive(Clone, Debug)]
pub struct CertificateFacts {
    pub id: CertificateId,
    pub hostname: String,
    pub origin: Origin,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// Days before its end at which people were last told.
    pub warned: Option<u32>,
    /// When its authority wants it to be renewed, as far as it says so.
    pub renewal: Option<Renewal>,
    /// When the authority is asked about that again; `None` is now.
    pub ask_at: Option<Timestamp>,
    /// Its authority has revoked it.
    pub revoked: bool,
}

/// Whether a name of a certificate, which may start with `*.`, is one that `host` goes by. A wildcard stands for
/// exactly one label (RFC 9525 section 6.3).
pub fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => name == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_one_label() {
        assert!(covers("a.test", "a.test") && covers("*.a.test", "b.a.test"));
        assert!(covers("*.a.test", "*.a.test"));
        for host in ["a.test", "c.b.a.test", "b.test", "ba.test", ""] {
            assert!(!covers("*.a.test", host), "{host}");
        }
    }
}
