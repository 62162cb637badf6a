//! What is served: certificates by host name, replaced as a whole, read without a lock.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::challenges::{ALPN, Challenges};
use crate::task::Signal;

/// Names without a certificate that are remembered until somebody looks.
const MISSING: usize = 64;

/// A certificate as it is served.
#[derive(Debug)]
pub struct Served {
    /// The name it is for, which may start with `*.`.
    pub name: Box<str>,
    pub key: Arc<CertifiedKey>,
    /// It has not expired, so that visitors may be sent to it.
    pub valid: bool,
    /// Everybody trusts it, as far as this machine can tell.
    pub public: bool,
}

/// Every certificate by the name it is for.
#[derive(Debug, Default)]
pub struct Table {
    exact: HashMap<Box<str>, Arc<Served>>,
    /// By what follows `*.`.
    wildcard: HashMap<Box<str>, Arc<Served>>,
}

impl Table {
    /// Serves a certificate for its name.
    pub fn insert(&mut self, served: Served) {
        let served = Arc::new(served);
        match served.name.strip_prefix("*.") {
            Some(parent) => self.wildcard.insert(parent.into(), served),
            None => self.exact.insert(served.name.clone(), served),
        };
    }

    /// What a lower-case host name has: its own certificate, or else its parent's wildcard.
    pub fn get(&self, host: &str) -> Option<&Arc<Served>> {
        self.exact.get(host).or_else(|| self.wildcard.get(host.split_once('.')?.1))
    }
}

/// A handle to the newest table. Cloning is cheap; all clones see every publication.
#[derive(Clone, Debug)]
pub struct Certificates {
    newest: Arc<ArcSwap<Table>>,
    /// For who asks for a name that has none: whoever insists can see that it is nobody's.
    fallback: Arc<CertifiedKey>,
    challenges: Challenges,
    missing: Arc<Missing>,
}

/// Names that were asked for and have no certificate.
#[derive(Debug, Default)]
struct Missing {
    names: Mutex<HashSet<String>>,
    /// Woken by the first of them.
    heard: OnceLock<Signal>,
}

/// The certificate for those that have none could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a certificate could not be made: {0}")]
pub struct NoFallback(String);

impl Certificates {
    /// Without any certificate but one that nobody trusts, made for this process.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn new() -> Result<Self, NoFallback> {
        let made = self_signed("orbitra.invalid");
        let fallback = made.map_err(|error| NoFallback(error.to_string()))?;
        let (challenges, missing) = (Challenges::default(), Arc::default());
        Ok(Self { newest: Arc::default(), fallback: Arc::new(fallback), challenges, missing })
    }

    /// Wakes somebody when a name is asked for that has no certificate.
    pub fn tell_of_missing(&self, heard: Signal) {
        let _ = self.missing.heard.set(heard);
    }

    /// The names that were asked for in vain since the last look: at most 64, and whatever clients made up.
    pub fn missing(&self) -> HashSet<String> {
        std::mem::take(&mut *self.missing.names.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_missing(&self, name: &str) {
        let Some(heard) = self.missing.heard.get() else { return };
        let mut names = self.missing.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() < MISSING && names.insert(name.to_owned()) && names.len() == 1 {
            heard.wake();
        }
    }

    /// What authorities are shown.
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Replaces the table. Handshakes that begin from now on see the new one.
    pub fn publish(&self, table: Table) {
        self.newest.store(Arc::new(table));
    }

    /// What a lower-case host name has.
    pub fn of(&self, host: &str) -> Option<Arc<Served>> {
        self.newest.load().get(host).cloned()
    }

    /// Whether visitors of a host can be sent to https.
    pub fn serves(&self, host: &str) -> bool {
        self.newest.load().get(host).is_some_and(|served| served.valid)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Who offers this and nothing else wants a certificate with its own answer in it, or none.
        let mut offered = hello.alpn().into_iter().flatten();
        if offered.next() == Some(ALPN) && offered.next().is_none() {
            return hello.server_name().and_then(|name| self.challenges.certificate(name));
        }
        // Lower case already, and without a dot at its end.
        let found = hello.server_name().and_then(|name| {
            let found = self.of(name);
            if found.is_none() {
                self.is_missing(name);
            }
            found
        });
        Some(found.map_or_else(|| Arc::clone(&self.fallback), |served| Arc::clone(&served.key)))
    }
}

/// A certificate that nobody trusts.
fn self_signed(name: &str) -> Result<CertifiedKey, Box<dyn std::error::Error>> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([name.to_owned()])?.self_signed(&key)?;
    let private = PrivateKeyDer::try_from(key.serialize_der())?;
    let signing =
        rustls::crypto::ring::default_provider().key_provider.load_private_key(private)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], signing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_own_or_the_wildcard_above_it() {
        let certificates = Certificates::new().unwrap();
        let mut table = Table::default();
        for name in ["a.test", "*.a.test"] {
            let key = Arc::new(self_signed("a.test").unwrap());
            table.insert(Served { name: name.into(), key, valid: true, public: false });
        }
        certificates.publish(table);
        let name = |host: &str| certificates.of(host).map(|served| served.name.to_string());
        assert_eq!(name("a.test").as_deref(), Some("a.test"));
        assert_eq!(name("b.a.test").as_deref(), Some("*.a.test"));
        for host in ["test", "c.b.a.test", "xa.test", "", "."] {
            assert!(certificates.of(host).is_none(), "{host}");
        }
    }
}
