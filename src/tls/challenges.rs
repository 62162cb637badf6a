//! What an authority is shown when it looks whether a name leads here (RFC 8555 section 8.3, RFC 8737).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

/// Where an authority asks for a token over HTTP.
pub const PATH: &str = "/.well-known/acme-challenge/";
/// What it offers in ALPN when it asks over TLS.
pub const ALPN: &[u8] = b"acme-tls/1";

/// Answers for authorities. Cloning is cheap; all clones share them.
#[derive(Clone, Debug, Default)]
pub struct Challenges(Arc<Mutex<Answers>>);

#[derive(Debug, Default)]
struct Answers {
    /// By token.
    http: HashMap<String, String>,
    /// By host name.
    tls: HashMap<String, Arc<CertifiedKey>>,
}

/// An answer that is there as long as this.
#[derive(Debug)]
pub struct Shown {
    challenges: Challenges,
    token: Option<String>,
    host: Option<String>,
}

impl Challenges {
    /// Shows a token over HTTP.
    pub fn show_token(&self, token: &str, answer: &str) -> Shown {
        self.change(|all| all.http.insert(token.to_owned(), answer.to_owned()));
        Shown { challenges: self.clone(), token: Some(token.to_owned()), host: None }
    }

    /// Shows a certificate with this digest over TLS.
    ///
    /// # Errors
    /// It could not be made.
    pub fn show_digest(&self, host: &str, digest: &[u8]) -> Result<Shown, String> {
        let key = certificate(host, digest).map_err(|error| error.to_string())?;
        self.change(|all| all.tls.insert(host.to_owned(), Arc::new(key)));
        Ok(Shown { challenges: self.clone(), token: None, host: Some(host.to_owned()) })
    }

    /// What is to be answered for a path, when an authority may be asking.
    pub fn answer(&self, path: &str) -> Option<String> {
        let token = path.strip_prefix(PATH)?;
        self.change(|all| all.http.get(token).cloned())
    }

    /// The certificate for an authority that asks over TLS.
    pub fn certificate(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        self.change(|all| all.tls.get(host).cloned())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Answers) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.challenges.change(|all| {
            self.token.as_ref().map(|token| all.http.remove(token));
            self.host.as_ref().map(|host| all.tls.remove(host));
        });
    }
}

fn certificate(host: &str, digest: &[u8]) -> Result<CertifiedKey, Box<dyn std::error::Error>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([host.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let private = PrivateKeyDer::try_from(key.serialize_der())?;
    let signing =
        rustls::crypto::ring::default_provider().key_provider.load_private_key(private)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], signing))
}
