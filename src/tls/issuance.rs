//! Certificates that come by themselves: for names that exist, one after the other, within a budget.

mod renewal;
mod revocation;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use instant_acme::Account;

pub use revocation::NotRevoked;
use wanted::{HOPE, Wanted, Whose};

use super::authority::{Authority, NotSigned, Signed, Way};
use super::chain::Chain;
use super::store::Certificates;
use crate::clock::Clock;
use crate::config::Hosts;
use crate::crypto::random;
use crate::crypto::secret_box::SecretBox;
use crate::crypto::token;
use crate::db::issuance::FailedOrder;
use crate::db::{self, Db, DbError};
use crate::egress::lookup::Lookup;
use crate::events::{Bus, Change};
use crate::model::certificate::{Certificate, CertificateFacts, Origin};
use crate::model::domain::{Domain, Verdict, judge};
use crate::model::event::{self, Event};
use crate::model::ids::{CertificateId, EventId};
use crate::model::issuance::{
    BUDGET, BUDGET_OF_PREVIEWS, BUDGET_WITH_RENEWALS, WEEK, pause, permits, registered, warning,
};
use crate::model::timestamp::Timestamp;
use crate::task::Signal;

/// Names that are ordered in one round; the next one goes on.
const ROUND: usize = 20;
/// How long until the DNS is looked at again that does not lead here.
const ELSEWHERE: Duration = Duration::from_secs(600);
/// What the account's credentials are sealed for.
const IDENTITY: &str = "meta/acme_account";

/// The parts of an [`Issuance`].
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub secrets: Arc<SecretBox>,
    pub bus: Bus,
    pub hosts: Hosts,
    pub lookup: Lookup,
    /// Where names are to lead.
    pub addresses: Vec<std::net::IpAddr>,
    /// Without one nothing is ordered, and people are only told what runs out.
    pub authority: Option<Authority>,
    /// Always this way; both in turn without it.
    pub way: Option<Way>,
    /// What is served, and asked for in vain.
    pub served: Certificates,
    /// Wakes the keeper.
    pub certificates: Signal,
}

/// Orders certificates. It looks at the database and does what is to be done.
#[derive(Clone)]
pub struct Issuance(Arc<Parts>);

/// Why there is no certificate, and when to try again.
struct Refusal {
    reason: String,
    next_at: Timestamp,
    /// How much it counts: 1 when the authority has seen it.
    counts: u32,
}

/// The DNS says that the authority would refuse.
struct Unfit {
    reason: String,
    /// As in [`Refusal`].
    counts: u32,
}

impl Issuance {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// One round. Answers whether there may be more to do at once.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn round(&self) -> Result<bool, DbError> {
        let (now, base) = (self.0.clock.now(), self.0.hosts.base_domain().to_owned());
        if let Some(records) = self.0.authority.as_ref().and_then(|one| one.records.as_ref()) {
            // Nothing is being set now: whatever is written down was left.
            records.remove_left().await;
        }
        let (mut facts, domains) = self
            .0
            .db
            .read(move |c| -> Result<_, DbError> {
                Ok((db::certificates::facts(c)?, db::domains::active(c, &base)?))
            })
            .await?;
        self.warn(&facts, &domains, now).await?;
        let Some(authority) = &self.0.authority else { return Ok(false) };
        self.ask_renewals(authority, &mut facts, now).await?;
        let names = self.names(authority, &facts, domains).await?;
        let mut due = Vec::new();
        for one in self.wanted(&facts, names, now) {
            let host = one.host.clone();
            let failed = self.0.db.read(move |c| db::issuance::find(c, &host)).await?;
            let failures = failed.as_ref().map_or(0, |failed| failed.failures);
            if failed.is_none_or(|failed| failed.next_at <= now) {
                due.push((one, failures));
            }
        }
        let mut more = due.len() > ROUND;
        for (one, failures) in due.into_iter().take(ROUND) {
            match self.order(authority, &one, failures).await? {
                Ok(signed) => self.keep(&one, &signed).await?,
                Err(refusal) => {
                    // Other names are wanted in its place.
                    more |= refusal.counts >= HOPE && failures < HOPE;
                    self.refused(&one, failures, refusal).await?;
                }
            }
        }
        Ok(more)
    }

    async fn order(
        &self,
        authority: &Authority,
        wanted: &Wanted,
        failures: u32,
    ) -> Result<Result<Signed, Refusal>, DbError> {
        let now = self.0.clock.now();
        let refusal = |reason: &str, next_at, counts| {
            Ok(Err(Refusal { reason: reason.to_owned(), next_at, counts }))
        };
        if let Some(until) = self.over_budget(wanted, now).await? {
            let domain = registered(&wanted.host);
            let reason = format!("{domain} has had as many certificates as it gets in a week.");
            return refusal(&reason, until, 0);
        }
        // The authority looks as well, and counts when it is let down.
        if let Some(Unfit { reason, counts }) = self.unfit(authority, wanted).await {
            return refusal(&reason, now.plus(ELSEWHERE), counts);
        }
        let in_turn = if failures.is_multiple_of(2) { Way::Http } else { Way::Tls };
        let way = if wanted.is_wildcard() { Way::Dns } else { self.0.way.unwrap_or(in_turn) };
        let signed = match self.account(authority).await? {
            Ok(account) => {
                let replaced = match wanted.renews {
                    true => self.replaced(&wanted.host).await?,
                    false => None,
                };
                authority.sign(&account, &wanted.host, way, replaced.as_ref()).await
            }
            Err(error) => Err(error),
        };
        let signed = signed.and_then(|signed| match Chain::read(&signed.chain, &signed.key) {
            Ok(chain) if chain.covers(&wanted.host) => Ok(signed),
            _ => Err(NotSigned::new("The authority sent something else than what was asked for.")),
        });
        Ok(signed.map_err(|error| {
            let wait = pause(failures + 1, u16::from_be_bytes(random::bytes()));
            let next_at = self.0.clock.now().plus(wait);
            Refusal { reason: error.to_string(), next_at, counts: 1 }
        }))
    }

    /// Why the authority would refuse, as far as the DNS says it.
    async fn unfit(&self, authority: &Authority, wanted: &Wanted) -> Option<Unfit> {
        let unfit = |reason: String| Some(Unfit { reason, counts: 0 });
        let host = wanted.host.strip_prefix("*.").unwrap_or(&wanted.host);
        if let Some(identity) = authority.identity() {
            match self.0.lookup.permissions(host).await {
                Ok(found) if permits(&found, identity, wanted.is_wildcard()) => {}
                Ok(_) if wanted.is_wildcard() => {
                    let reason = format!(
                        "The DNS lets only others sign for *.{host} (CAA). Add a record: {host} CAA 0 issuewild \"{identity}\"."
                    );
                    // Somebody wants it so: the names below it get their own at once.
                    return Some(Unfit { reason, counts: HOPE });
                }
                Ok(_) => {
                    return unfit(format!(
                        "The DNS lets only others sign for {host} (CAA). Add a record: {host} CAA 0 issue \"{identity}\"."
                    ));
                }
                Err(error) => return unfit(error.to_string()),
            }
        }
        // Who may change the DNS has the name, wherever it leads.
        if wanted.is_wildcard() {
            return None;
        }
        match self.0.lookup.records(host).await {
            Ok(found) if judge(&found, &self.0.addresses) == Verdict::Here => None,
            Ok(_) => unfit("The DNS does not lead here.".to_owned()),
            Err(error) => unfit(error.to_string()),
        }
    }

    /// When the next one may be ordered, if not now.
    async fn over_budget(
        &self,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, DbError> {
        let most = match wanted.whose {
            _ if wanted.renews => BUDGET_WITH_RENEWALS,
            Whose::Preview => BUDGET_OF_PREVIEWS,
            _ => BUDGET,
        };
        let domain = registered(&wanted.host).to_owned();
        let since = Timestamp(now.0 - i64::try_from(WEEK.as_millis()).unwrap_or(i64::MAX));
        let counted = self.0.db.read(move |c| db::issuance::counted(c, &domain, since)).await?;
        let (count, first) = counted;
        Ok(first.filter(|_| count >= most).map(|first| first.plus(WEEK)))
    }

    /// The account; made, and kept sealed, when there is none.
    async fn account(&self, authority: &Authority) -> Result<Result<Account, NotSigned>, DbError> {
        let key = format!("{}@{}", db::meta::ACME_ACCOUNT, authority.directory);
        let wanted = key.clone();
        let stored = self.0.db.read(move |c| db::meta::get(c, &wanted)).await?;
        let known = stored
            .and_then(|stored| token::unhex(&stored))
            .and_then(|sealed| self.0.secrets.open(IDENTITY, &sealed).ok())
            .and_then(|plain| String::from_utf8(plain).ok());
        let (account, credentials) = match authority.account(known.as_deref()).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(credentials) = credentials {
            let sealed = token::hex(&self.0.secrets.seal(IDENTITY, credentials.as_bytes()));
            self.0.db.write(move |c| db::meta::set(c, &key, &sealed)).await?;
        }
        Ok(Ok(account))
    }

    /// Serves what was signed.
    async fn keep(&self, wanted: &Wanted, signed: &Signed) -> Result<(), DbError> {
        let Ok(read) = Chain::read(&signed.chain, &signed.key) else { return Ok(()) };
        let now = self.0.clock.now();
        let id = CertificateId::from_random(random::bytes());
        let sealed = self.0.secrets.seal(&db::certificates::identity(&id), signed.key.as_bytes());
        let certificate = Certificate {
            id,
            hostname: wanted.host.clone(),
            origin: Origin::Acme,
            chain: signed.chain.clone(),
            issuer: read.issuer,
            not_before: read.not_before,
            not_after: read.not_after,
            created_at: now,
        };
        let domain = wanted.domain().cloned();
        let base = self.0.hosts.base_domain().to_owned();
        self.0
            .db
            .write(move |c| -> Result<(), DbError> {
                let host = &certificate.hostname;
                let week = i64::try_from(WEEK.as_millis()).unwrap_or(i64::MAX);
                db::issuance::count(c, registered(host), host, now, week)?;
                db::issuance::forget(c, host)?;
                // It may have been deleted while the authority looked.
                let domain = match domain {
                    Some(domain) => match db::domains::find(c, &base, domain.id.as_str())? {
                        Some(domain) => Some(domain),
                        None => return Ok(()),
                    },
                    None => None,
                };
                db::certificates::put(c, &certificate, &sealed)?;
                tell(c, domain.as_ref(), "domain.certificate.issued", now)
            })
            .await?;
        tracing::info!(host = wanted.host, "a certificate was issued");
        self.0.certificates.wake();
        self.say(wanted.domain());
        Ok(())
    }

    async fn refused(
        &self,
        wanted: &Wanted,
        failures: u32,
        refusal: Refusal,
    ) -> Result<(), DbError> {
        tracing::warn!(host = wanted.host, reason = refusal.reason, "no certificate could be had");
        let (host, domain, now) =
            (wanted.host.clone(), wanted.domain().cloned(), self.0.clock.now());
        self.0
            .db
            .write(move |c| -> Result<(), DbError> {
                let before = db::issuance::find(c, &host)?;
                let failed = FailedOrder {
                    failures: failures.saturating_add(refusal.counts),
                    next_at: refusal.next_at,
                    error: refusal.reason,
                };
                db::issuance::fail(c, &host, &failed)?;
                // What says the same as before is no news.
                if before.is_some_and(|before| before.error == failed.error) {
                    return Ok(());
                }
                tell(c, domain.as_ref(), "domain.certificate.failed", now)
            })
            .await?;
        self.say(wanted.domain());
        Ok(())
    }

    /// Tells of certificates that run out: whatever was to renew them has not.
    async fn warn(
        &self,
        facts: &[CertificateFacts],
        domains: &[Domain],
        now: Timestamp,
    ) -> Result<(), DbError> {
        for facts in facts {
            let Some(days) = warning(facts.not_after, now) else { continue };
            if facts.warned.is_some_and(|warned| warned <= days) {
                continue;
            }
            tracing::warn!(host = facts.hostname, until = %facts.not_after, "a certificate runs out");
            let domain = domains.iter().find(|domain| domain.hostname == facts.hostname).cloned();
            let (id, told) = (facts.id.clone(), domain.clone());
            self.0
                .db
                .write(move |c| -> Result<(), DbError> {
                    db::certificates::warned(c, &id, days)?;
                    tell(c, told.as_ref(), "domain.certificate.expiring", now)
                })
                .await?;
            self.say(domain.as_ref());
        }
        Ok(())
    }

    fn say(&self, domain: Option<&Domain>) {
        if let Some(domain) = domain {
            self.0.bus.send(Change::Project(domain.team_id.clone(), domain.project_id.clone()));
        }
    }
}

/// The event, for a name that is somebody's.
pub(super) fn tell(
    connection: &db::Connection,
    domain: Option<&Domain>,
    name: &'static str,
    now: Timestamp,
) -> Result<(), DbError> {
    let Some(domain) = domain else { return Ok(()) };
    let event = Event {
        id: EventId::from_random(random::bytes()),
        event: name.into(),
        team_id: domain.team_id.clone(),
        project_id: Some(domain.project_id.clone()),
        data: event::domain(domain),
        created_at: now,
    };
    db::events::append(connection, &event).map(|_| ())
}
