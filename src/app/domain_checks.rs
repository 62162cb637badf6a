//! Looks at the records of domains, in the background: those whose time has come, whoever added them.

use futures_util::StreamExt;
use futures_util::stream;

use super::{App, AppError};
use crate::crypto::random;
use crate::db::domains::Look;
use crate::db::{self, DbError};
use crate::egress::lookup::Lookup;
use crate::model::domain::{Domain, DomainStatus, judge, next_look, status_after};
use crate::model::event::{self, Event};
use crate::model::ids::EventId;
use crate::model::timestamp::Timestamp;

/// Domains that are looked at in one round, and at the same time.
const ROUND: u32 = 100;
const AT_ONCE: usize = 10;

impl App {
    /// One round. Answers whether there may be more to do at once.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn check_domains(&self, lookup: &Lookup) -> Result<bool, AppError> {
        let (base, now) = (self.hosts.base_domain().to_owned(), self.clock.now());
        let due = self.db.read(move |c| db::domains::due(c, &base, now, ROUND)).await?;
        let full = due.len() == ROUND as usize;
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, |domain| async move {
                if let Err(error) = self.check_domain(lookup, &domain).await {
                    tracing::error!(domain = domain.hostname, %error, "a look at records was not written down");
                }
            })
            .await;
        Ok(full)
    }

    async fn check_domain(&self, lookup: &Lookup, domain: &Domain) -> Result<(), AppError> {
        let (found, shown) = match self.whose(lookup, domain).await {
            Ok(challenge) => {
                let found = lookup.records(&domain.asked_name()).await;
                let shown = challenge.is_some() || !domain.contested;
                (found.map(|found| found.into_iter().chain(challenge).collect()), shown)
            }
            Err(error) => (Err(error), false),
        };
        let now = self.clock.now();
        let waited = std::time::Duration::from_millis(now.millis_since(domain.created_at));
        let Ok(found): Result<Vec<_>, _> = found else {
            // It says nothing about the domain.
            let (id, next) =
                (domain.id.clone(), now.plus(next_look(DomainStatus::Pending, waited)));
            let write = self.db.write(move |c| db::domains::record_failed_look(c, &id, next));
            return Ok(write.await?);
        };
        let verdict = judge(&found, &self.config.public_addresses);
        let status = status_after(verdict, domain.verified_at.is_some(), shown);
        let look = Look { status, found, at: now, next: next_look(status, waited) };
        let base = self.hosts.base_domain().to_owned();
        let id = domain.id.clone();
        let written = self
            .db
            .write(move |c| -> Result<Option<(Domain, Domain)>, DbError> {
                let Some(before) = db::domains::find(c, &base, id.as_str())? else {
                    return Ok(None);
                };
                db::domains::record_look(c, &id, &look)?;
                let Some(after) = db::domains::find(c, &base, id.as_str())? else {
                    return Ok(None);
                };
                if look.status == DomainStatus::Active && before.status != after.status {
                    db::events::append(c, &happened("domain.verified", &after, now))?;
                }
                Ok(Some((before, after)))
            })
            .await?;
        if let Some((before, after)) = written
            && before.revision != after.revision
        {
            tracing::info!(
                domain = after.hostname,
                status = after.status.as_str(),
                "records were looked at"
            );
            self.domain_changed(&after);
        }
        Ok(())
    }
}

/// Something that happened to a domain without anybody of its team doing it.
pub(super) fn happened(name: &'static str, domain: &Domain, now: Timestamp) -> Event {
    Event {
        id: EventId::from_random(random::bytes()),
        event: name.into(),
        team_id: domain.team_id.clone(),
        project_id: Some(domain.project_id.clone()),
        data: event::domain(domain),
        created_at: now,
    }
}
