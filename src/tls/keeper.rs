//! Fills the store from the database. Never told what changed: it reads everything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::chain::Chain;
use super::store::{Certificates, Served, Table};
use super::trust::Trust;
use crate::clock::Clock;
use crate::crypto::secret_box::SecretBox;
use crate::db::{self, Db, DbError};
use crate::model::certificate::Certificate;
use crate::model::ids::CertificateId;
use crate::model::timestamp::Timestamp;

/// A chain that was opened.
struct Opened {
    chain: Chain,
    public: bool,
}

/// Publishes certificates. Clones share what they opened.
#[derive(Clone)]
pub struct Keeper {
    db: Db,
    clock: Clock,
    secrets: Arc<SecretBox>,
    certificates: Certificates,
    /// Opened chains, so that a round opens only what is new.
    opened: Arc<Mutex<HashMap<CertificateId, Opened>>>,
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
        for (certificate, sealed) in rows {
            let host = &certificate.hostname;
            let one = match before.remove(&certificate.id) {
                Some(known) => known,
                None => {
                    let Some(chain) = self.open(&certificate, &sealed) else { continue };
                    let trust = trust.get_or_insert_with(Trust::of_this_machine);
                    let public = trust.trusts(&chain, host, now);
                    Opened { chain, public }
                }
            };
            table.insert(served(host, &one, now));
            opened.insert(certificate.id, one);
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

fn served(name: &str, opened: &Opened, now: Timestamp) -> Served {
    let chain = &opened.chain;
    let valid = chain.not_before <= now && now < chain.not_after;
    let key = Arc::clone(&chain.key);
    Served { name: name.into(), key, valid, public: valid && opened.public }
}
