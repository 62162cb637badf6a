//! Records of the DNS that an authority looks for (RFC 8555 section 8.4), set by the one who may change the zone.

mod api;
mod cloudflare;
mod digitalocean;
mod hetzner;
mod route53;
mod webhook;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use api::Api;

use crate::clock::Clock;
use crate::config::acme::{AcmeDns, DnsProvider};
use crate::db::challenge_records::ChallengeRecord;
use crate::db::{self, Connection, Db, DbError};
use crate::egress::dns_update::DnsUpdates;
use crate::egress::lookup::Lookup;
use crate::egress::{Client, EgressError};
use crate::failpoint;

/// What stands before a name that a certificate is wanted for.
const LABEL: &str = "_acme-challenge";
/// Seconds that a record may be kept by those who asked for it.
const TTL: u32 = 60;
/// How long it may take until every name server of the zone has it.
const SPREAD: Duration = Duration::from_secs(180);
/// Records that were left and are removed in one round.
const LEFT: u32 = 20;
/// How long until the next try to remove one, and how long after it was set there is none any more.
const AGAIN: Duration = Duration::from_secs(600);
const GIVEN_UP: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long until they are asked again.
const LOOK: Duration = Duration::from_secs(2);

/// Sets records. Cloning is cheap.
#[derive(Clone)]
pub struct Records {
    db: Db,
    provider: Provider,
    lookup: Lookup,
    /// The name servers that the operator named are asked, and not those of the zone.
    ask_ours: bool,
    clock: Clock,
}

/// Who changes the zone.
#[derive(Clone)]
enum Provider {
    Rfc2136(DnsUpdates),
    Cloudflare(Api),
    DigitalOcean(Api),
    Hetzner(Api),
    Route53(route53::Route53),
    Webhook(Api),
}

/// A record that was set; to be removed when the authority has looked.
#[derive(Debug)]
pub struct Record {
    /// Its number in the database, where it is written down until it is gone.
    row: i64,
    zone: String,
    name: String,
    text: String,
    /// The provider's own, where it has one.
    id: String,
}

/// A record could not be set or removed.
#[derive(Debug, thiserror::Error)]
#[error("the DNS could not be changed: {0}")]
pub struct DnsError(String);

impl DnsError {
    fn new(reason: impl std::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl From<EgressError> for DnsError {
    fn from(error: EgressError) -> Self {
        Self::new(error)
    }
}

impl Records {
    /// Changes the DNS as the settings say.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn new(
        db: Db,
        settings: &AcmeDns,
        client: Client,
        lookup: Lookup,
        ask_ours: bool,
        clock: Clock,
    ) -> Result<Self, DnsError> {
        let server = settings.server.as_deref();
        let secret = settings.secret.clone().unwrap_or_default();
        let bearer = |own: &str| {
            Api::new(client.clone(), server.unwrap_or(own), Some(format!("Bearer {secret}")))
        };
        let provider = match settings.provider {
            DnsProvider::Rfc2136 => {
                let server = server.unwrap_or_default();
                let address: SocketAddr = server.parse().map_err(|_| {
                    DnsError(format!(
                        "acme_dns_server must be an address with a port, not `{server}`"
                    ))
                })?;
                let key = settings.user.as_deref().map(|name| (name, secret.as_str()));
                Provider::Rfc2136(DnsUpdates::new(address, key).map_err(DnsError::new)?)
            }
            DnsProvider::Cloudflare => Provider::Cloudflare(bearer(cloudflare::BASE)),
            DnsProvider::DigitalOcean => Provider::DigitalOcean(bearer(digitalocean::BASE)),
            DnsProvider::Hetzner => Provider::Hetzner(bearer(hetzner::BASE)),
            DnsProvider::Route53 => {
                let api = Api::new(client, server.unwrap_or(route53::BASE), None);
                let user = settings.user.clone().unwrap_or_default();
                Provider::Route53(route53::Route53::new(api, user, secret, clock.clone()))
            }
            DnsProvider::Webhook => {
                let basic = settings.user.as_ref().map(|user| api::basic(user, &secret));
                Provider::Webhook(Api::new(client, server.unwrap_or_default(), basic))
            }
        };
        Ok(Self { db, provider, lookup, ask_ours, clock })
    }

    /// Sets the record for a host name, which may start with `*.`, and waits until the zone's name servers have it.
    ///
    /// # Errors
    /// The zone is not found, its owner refuses, or it does not get about in time. What was set is removed.
    pub async fn set(&self, host: &str, text: &str) -> Result<Record, DnsError> {
        let host = host.strip_prefix("*.").unwrap_or(host);
        let zone = self.lookup.zone(host).await.map_err(DnsError::new)?;
        let mut record = Record {
            row: 0,
            name: format!("{LABEL}.{host}"),
            text: text.to_owned(),
            id: String::new(),
            zone,
        };
        record.row = self.intend(host, &record).await.map_err(DnsError::new)?;
        failpoint::pass("challenge.intended").await;
        match self.add(&record).await {
            Ok(id) => record.id = id,
            Err(error) => {
                // It may have been set all the same: an answer can be lost.
                self.remove(&record).await;
                return Err(error);
            }
        }
        failpoint::pass("challenge.set").await;
        let (row, id) = (record.row, record.id.clone());
        let noted = self.db.write(move |c| db::challenge_records::set(c, row, &id)).await;
        noted.map_err(DnsError::new)?;
        match self.spread(&record).await {
            Ok(()) => Ok(record),
            Err(error) => {
                self.remove(&record).await;
                Err(error)
            }
        }
    }

    /// Removes what processes before this one, or tries that failed, have left in the DNS. Not while one is being set.
    pub async fn remove_left(&self) {
        let now = self.clock.now();
        let left = match self.db.read(move |c| db::challenge_records::due(c, now, LEFT)).await {
            Ok(left) => left,
            Err(error) => {
                tracing::warn!(%error, "records that were left cannot be read");
                return;
            }
        };
        for one in left {
            let age = Duration::from_millis(now.millis_since(one.created_at));
            let ChallengeRecord { id: row, zone, name, text, provider_id: id, .. } = one;
            let record = Record { row, zone, name, text, id };
            if self.remove(&record).await {
                continue;
            }
            // What was never set cannot be removed, and what nobody gets harms nobody.
            let gone = age > AGAIN && !self.is_seen(&record).await;
            let write = move |c: &Connection| match gone || age > GIVEN_UP {
                true => db::challenge_records::forget(c, row),
                false => db::challenge_records::postpone(c, row, now.plus(AGAIN)),
            };
            if let Err(error) = self.db.write(write).await {
                tracing::warn!(%error, "a record that was left stays written down");
            }
        }
    }

    /// Whether anybody who answers for the zone has the record.
    async fn is_seen(&self, record: &Record) -> bool {
        let Ok(asked) = self.asked(record).await else { return true };
        for server in asked {
            match server.texts(&record.name).await {
                Ok(found) if !found.contains(&record.text) => {}
                _ => return true,
            }
        }
        false
    }

    async fn intend(&self, host: &str, record: &Record) -> Result<i64, DbError> {
        let (host, now) = (host.to_owned(), self.clock.now());
        let (zone, name, text) = (record.zone.clone(), record.name.clone(), record.text.clone());
        let write =
            move |c: &Connection| db::challenge_records::intend(c, &host, &zone, &name, &text, now);
        self.db.write(write).await
    }

    async fn add(&self, record: &Record) -> Result<String, DnsError> {
        match &self.provider {
            Provider::Rfc2136(server) => {
                let added = server.add(&record.zone, &record.name, &record.text, self.now()).await;
                added.map(|()| String::new()).map_err(DnsError::new)
            }
            Provider::Cloudflare(api) => cloudflare::add(api, record).await,
            Provider::DigitalOcean(api) => digitalocean::add(api, record).await,
            Provider::Hetzner(api) => hetzner::add(api, record).await,
            Provider::Route53(api) => api.change("UPSERT", record).await,
            Provider::Webhook(api) => webhook::send(api, "present", record).await,
        }
    }

    /// Removes a record. One that cannot be removed harms nobody; it is told in the log, and tried again.
    /// Answers whether it is gone.
    pub async fn remove(&self, record: &Record) -> bool {
        let removed = match &self.provider {
            Provider::Rfc2136(server) => {
                let gone = server.remove(&record.zone, &record.name, &record.text, self.now());
                gone.await.map_err(DnsError::new)
            }
            Provider::Cloudflare(api) => cloudflare::remove(api, record).await,
            Provider::DigitalOcean(api) => digitalocean::remove(api, record).await,
            Provider::Hetzner(api) => hetzner::remove(api, record).await,
            Provider::Route53(api) => api.change("DELETE", record).await.map(|_| ()),
            Provider::Webhook(api) => webhook::send(api, "cleanup", record).await.map(|_| ()),
        };
        if let Err(error) = removed {
            tracing::warn!(name = record.name, %error, "a record of the DNS stays behind");
            return false;
        }
        let row = record.row;
        if let Err(error) = self.db.write(move |c| db::challenge_records::forget(c, row)).await {
            tracing::warn!(%error, "a record that is gone is still written down");
        }
        true
    }

    /// Waits until all who answer for the zone have the record.
    async fn spread(&self, record: &Record) -> Result<(), DnsError> {
        let begin = Instant::now();
        for server in self.asked(record).await? {
            loop {
                let found = server.texts(&record.name).await.unwrap_or_default();
                if found.contains(&record.text) {
                    break;
                }
                if begin.elapsed() > SPREAD {
                    return Err(DnsError(format!(
                        "{} was not seen within {SPREAD:?}",
                        record.name
                    )));
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Those who are asked about a record.
    async fn asked(&self, record: &Record) -> Result<Vec<Lookup>, DnsError> {
        if self.ask_ours {
            return Ok(vec![self.lookup.clone()]);
        }
        self.servers(&record.zone).await
    }

    /// Those who answer for a zone, each to be asked alone.
    async fn servers(&self, zone: &str) -> Result<Vec<Lookup>, DnsError> {
        let names = self.lookup.name_servers(zone).await.map_err(DnsError::new)?;
        let mut servers = Vec::new();
        for name in names {
            let found = self.lookup.records(&name).await.unwrap_or_default();
            let addresses = found.iter().filter_map(|record| record.value.parse().ok());
            // One address each will do; IPv4 comes first, and is there more often.
            if let Some(address) = addresses.map(|ip| SocketAddr::new(ip, 53)).next() {
                servers.push(Lookup::new(&[address]).map_err(DnsError::new)?);
            }
        }
        if servers.is_empty() {
            return Err(DnsError(format!("no name server of {zone} was found")));
        }
        Ok(servers)
    }

    /// Seconds since 1970.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().0 / 1000).unwrap_or_default()
    }
}

impl Record {
    /// The name within its zone.
    fn relative(&self) -> &str {
        let below = self.name.strip_suffix(&self.zone).and_then(|rest| rest.strip_suffix('.'));
        below.unwrap_or(&self.name)
    }
}
