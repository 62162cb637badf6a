//! A certificate chain and its private key as somebody sends them: read, compared, dated.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use crate::model::certificate::covers;
use crate::model::timestamp::Timestamp;

/// Most certificates of a chain; public ones have two to four.
const LONGEST_CHAIN: usize = 10;
/// Most bytes of a chain, as PEM.
pub const MOST_BYTES: usize = 64 * 1024;

/// What a client has to be sent with a certificate (id-pe-tlsfeature), and the extension of TLS that asks for answers.
const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";
const STATUS_REQUEST: u16 = 5;

/// What is wrong with a chain or a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainProblem {
    #[error("not one to ten certificates in PEM, the host's own first")]
    Chain,
    #[error(
        "not one unencrypted private key in PEM (RSA of 2048 to 4096 bits, ECDSA P-256 or P-384, Ed25519)"
    )]
    Key,
    #[error("the private key is not the one that the certificate was made for")]
    Mismatch,
    #[error("the certificate names no host")]
    NoNames,
}

impl ChainProblem {
    /// Whether it is the key and not the chain that is to be changed.
    pub fn is_of_the_key(self) -> bool {
        matches!(self, Self::Key | Self::Mismatch)
    }
}

/// A chain and its key, ready to be served.
#[derive(Clone, Debug)]
pub struct Chain {
    pub key: Arc<CertifiedKey>,
    /// Host names in lower case; some may start with `*.`.
    pub names: Vec<String>,
    /// Who signed it, for people.
    pub issuer: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// Clients are to refuse it without an answer of its responder beside it (RFC 7633).
    pub must_staple: bool,
}

impl Chain {
    /// Reads PEM.
    ///
    /// # Errors
    /// See [`ChainProblem`].
    pub fn read(chain: &str, key: &str) -> Result<Self, ChainProblem> {
        if chain.len() > MOST_BYTES {
            return Err(ChainProblem::Chain);
        }
        let certificates = certificates(chain)?;
        if !(1..=LONGEST_CHAIN).contains(&certificates.len()) || chain.contains("PRIVATE KEY") {
            return Err(ChainProblem::Chain);
        }
        let mut keys = PrivateKeyDer::pem_slice_iter(key.as_bytes());
        let (Some(Ok(key)), None) = (keys.next(), keys.next()) else {
            return Err(ChainProblem::Key);
        };
        let facts = Facts::of(&certificates)?;
        let provider = rustls::crypto::ring::default_provider();
        let signing = provider.key_provider.load_private_key(key).map_err(|_| ChainProblem::Key)?;
        let certified = CertifiedKey::new(certificates, signing);
        certified.keys_match().map_err(|_| ChainProblem::Mismatch)?;
        let Facts { names, issuer, not_before, not_after, must_staple } = facts;
        let key = Arc::new(certified);
        Ok(Self { key, names, issuer, not_before, not_after, must_staple })
    }

    /// Whether one of its names covers a host name, or is that very wildcard.
    pub fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| covers(name, host))
    }
}

/// The certificates of a chain in PEM.
///
/// # Errors
/// It is no PEM.
pub fn certificates(chain: &str) -> Result<Vec<CertificateDer<'static>>, ChainProblem> {
    let all = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>();
    all.map_err(|_| ChainProblem::Chain)
}

/// The host's own certificate of a chain in PEM, as DER.
///
/// # Errors
/// There is none.
pub fn first(chain: &str) -> Result<Vec<u8>, ChainProblem> {
    let first = CertificateDer::pem_slice_iter(chain.as_bytes()).next();
    first.and_then(Result::ok).map(|der| der.to_vec()).ok_or(ChainProblem::Chain)
}

/// What a certificate says.
struct Facts {
    names: Vec<String>,
    issuer: String,
    not_before: Timestamp,
    not_after: Timestamp,
    must_staple: bool,
}

impl Facts {
    /// Every certificate of a chain must be one; the first one is read.
    fn of(chain: &[CertificateDer<'_>]) -> Result<Self, ChainProblem> {
        let mut parsed = Vec::with_capacity(chain.len());
        for certificate in chain {
            match X509Certificate::from_der(certificate) {
                Ok(([], certificate)) => parsed.push(certificate),
                _ => return Err(ChainProblem::Chain),
            }
        }
        let own = parsed.first().ok_or(ChainProblem::Chain)?;
        let alternative = own.subject_alternative_name().map_err(|_| ChainProblem::Chain)?;
        let names: Vec<String> = alternative
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            return Err(ChainProblem::NoNames);
        }
        let issuer = own.issuer();
        let named = issuer.iter_organization().chain(issuer.iter_common_name());
        let parts: Vec<_> = named.filter_map(|part| part.as_str().ok()).collect();
        // For people, so without anything that could disturb a page or a log.
        let issuer = parts.join(" ").chars().filter(|c| !c.is_control()).take(200).collect();
        let at = |time: ASN1Time| Timestamp(time.timestamp().saturating_mul(1000));
        Ok(Self {
            names,
            issuer,
            not_before: at(own.validity().not_before),
            not_after: at(own.validity().not_after),
            must_staple: must_staple(own),
        })
    }
}

/// Whether the extension of RFC 7633 is there and names what answers are sent with.
fn must_staple(certificate: &X509Certificate<'_>) -> bool {
    let mut found = certificate.extensions().iter();
    let found = found.find(|one| one.oid.to_id_string() == TLS_FEATURE);
    found.is_some_and(|one| {
        <Vec<u16> as der::Decode>::from_der(one.value)
            .is_ok_and(|all| all.contains(&STATUS_REQUEST))
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn made(names: &[&str]) -> (String, String) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        (pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", key.serialized_der()))
    }

    fn pem(label: &str, der: &[u8]) -> String {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    #[test]
    fn a_chain_goes_with_its_key_alone() {
        let (chain, key) = made(&["WWW.example.org", "*.example.org"]);
        let read = Chain::read(&chain, &key).unwrap();
        assert_eq!(read.names, ["www.example.org", "*.example.org"]);
        assert!(read.covers("a.example.org") && read.covers("*.example.org"));
        assert!(!read.covers("example.org") && read.not_before < read.not_after);
        let (_, other) = made(&["www.example.org"]);
        let problem = |chain: &str, key: &str| Chain::read(chain, key).unwrap_err();
        assert_eq!(problem(&chain, &other), ChainProblem::Mismatch);
        assert_eq!(problem(&chain, &chain), ChainProblem::Key);
        assert_eq!(problem(&chain, &format!("{key}{key}")), ChainProblem::Key);
        assert_eq!(problem(&key, &key), ChainProblem::Chain);
        assert_eq!(problem(&format!("{chain}{key}"), &key), ChainProblem::Chain);
        assert_eq!(problem(&chain.repeat(11), &key), ChainProblem::Chain);
        assert_eq!(problem("", &key), ChainProblem::Chain);
        let (nameless, key) = made(&[]);
        assert_eq!(problem(&nameless, &key), ChainProblem::NoNames);
    }
}
