//! Fills the store from the database. Never told what changed: it reads everything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::sign::CertifiedKey;

use super::chain::Chain;
use super::store::{Certificates, Served, Table};
use super::trust::Trust;
use crate::clock::Clock;
use crate::crypto::secret_box::SecretBox;
use crate::db::certificates::Stored;
use crate::db::{self, Db, DbError};
use crate::model::certificate::Certificate;
use crate::model::ids::CertificateId;
use crate::model::ocsp::{AWAITED, is_shown};
use crate::model::timestamp::Timestamp;

/// A chain that was opened.
struct Opened {
    id: CertificateId,
    chain: Chain,
    public: bool,
    /// The answer that is shown with it, and until when that holds.
    ocsp: Option<(Vec<u8>, Timestamp)>,
}

impl Opened {
    fn is_valid(&self, now: Timestamp) -> bool {
        self.chain.not_before <= now && now < self.chain.not_after
    }
}

/// Publishes certificates. Clones share what they opened.
#[derive(Clone)]
pub struct Keeper {
    db: Db,
    clock: Clock,
    secrets: Arc<SecretBox>,
    certificates: Certificates,
    /// Opened chains by host name, so that a round opens only what is new.
    opened: Arc<Mutex<HashMap<String, Opened>>>,
}

impl Keeper {
    /// A keeper of this database's certificates.
    pub fn new(db: Db, clock: Clock, secrets: Arc<SecretBox>, certificates: Certificates) -> Self {
        Self { db, clock, secrets, certificates, opened: Arc::default() }
    }

    /// Reads the database and serves what it says.
    ///
    /// # Errors
    /// The database cannot be read; what was served stays.
    pub async fn publish(&self) -> Result<(), DbError> {
        let rows = self.db.read(db::certificates::all).await?;
        let now = self.clock.now();
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *opened);
        let mut table = Table::default();
        let mut trust = None;
        for Stored { certificate, sealed, ocsp } in rows {
            let host = &certificate.hostname;
            let one = match before.remove(host) {
                Some(known) if known.id == certificate.id => Opened { ocsp, ..known },
                known => {
                    let Some(chain) = self.open(&certificate, &sealed) else { continue };
                    match known.filter(|known| known.is_valid(now)) {
                        Some(known) if waits(&certificate, &chain, ocsp.is_some(), now) => known,
                        _ => {
                            let trust = trust.get_or_insert_with(Trust::of_this_machine);
                            let public = trust.trusts(&chain, host, now);
                            Opened { id: certificate.id.clone(), chain, public, ocsp }
                        }
                    }
                }
            };
            table.insert(served(host, &one, now));
            opened.insert(certificate.hostname, one);
        }
        self.certificates.publish(table);
        Ok(())
    }

    /// One that does not open harms nobody but its own host.
    fn open(&self, certificate: &Certificate, sealed: &[u8]) -> Option<Chain> {
        let identity = db::certificates::identity(&certificate.id);
        let key = self.secrets.open(&identity, sealed).ok();
        let key = key.and_then(|key| String::from_utf8(key).ok());
        let chain = key.and_then(|key| Chain::read(&certificate.chain, &key).ok());
        if chain.is_none() {
            tracing::error!(host = certificate.hostname, "a stored certificate cannot be used");
        }
        chain
    }
}

/// Whether the certificate before it serves on for a moment: clients are to refuse this one until there is an answer of
/// its responder, which is being asked for.
fn waits(certificate: &Certificate, chain: &Chain, answered: bool, now: Timestamp) -> bool {
    chain.must_staple && !answered && now < certificate.created_at.plus(AWAITED)
}

fn served(name: &str, opened: &Opened, now: Timestamp) -> Served {
    let valid = opened.is_valid(now);
    let mut key = Arc::clone(&opened.chain.key);
    if let Some((answer, _)) = opened.ocsp.as_ref().filter(|(_, until)| is_shown(*until, now)) {
        key = Arc::new(CertifiedKey { ocsp: Some(answer.clone()), ..(*key).clone() });
    }
    Served { name: name.into(), key, valid, public: valid && opened.public }
}
