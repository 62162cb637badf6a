//! Whose a host name is when two teams say that it is theirs: whoever can set a record in its zone. One that leads here
//! stays with the team it leads to.

use std::time::Duration;

use serde_json::json;

use super::domains::{deed, shown};
use super::{App, AppError, journal};
use crate::db::domains::Holder;
use crate::db::{self, Connection};
use crate::egress::lookup::{Lookup, LookupFailed};
use crate::events::Change;
use crate::model::audit;
use crate::model::domain::{DnsRecord, Domain, Verdict, challenge, judge};
use crate::model::ids::ProjectId;
use crate::model::timestamp::Timestamp;

/// How long the DNS may take while somebody waits.
const PATIENCE: Duration = Duration::from_secs(8);
/// Host names of others that can give way at once; of more, one has to go that leads here anyway.
const MOST: usize = 20;

/// What came of adding a domain.
pub(super) enum Added {
    Stored(Box<Domain>),
    /// These are in the way; nothing was written.
    Held(Vec<Holder>),
}

impl App {
    /// The record that shows that a host name is a project's. Its value is of this server, this project and this name
    /// alone, and nobody can make it without the server's key.
    fn challenge(&self, project: &ProjectId, hostname: &str) -> DnsRecord {
        let digest =
            self.secrets.digest(format!("domain-challenge/{project}/{hostname}").as_bytes());
        challenge(hostname, format!("orbitra={}", digest.get(..40).unwrap_or(&digest)))
    }

    /// The records that a domain needs: where it leads, and whose it is where that is in question.
    pub fn required_records(&self, domain: &Domain) -> Vec<DnsRecord> {
        let mut required = domain.required(&self.config.public_addresses);
        if domain.contested {
            required.push(self.challenge(&domain.project_id, &domain.hostname));
        }
        required
    }

    /// The record that shows whose a contested domain is, when it is there.
    pub(super) async fn whose(
        &self,
        lookup: &Lookup,
        domain: &Domain,
    ) -> Result<Option<DnsRecord>, LookupFailed> {
        if !domain.contested {
            return Ok(None);
        }
        let wanted = self.challenge(&domain.project_id, &domain.hostname);
        let found = lookup.texts(&wanted.name).await?;
        Ok(found.contains(&wanted.value).then_some(wanted))
    }

    /// Those of the holders that give way to a new domain, which are all of them.
    ///
    /// # Errors
    /// A conflict `hostname_taken`: one of them stays, or nothing shows that the new one is its project's; then its
    /// details say which record would.
    pub(super) async fn contest(
        &self,
        new: &Domain,
        holders: Vec<Holder>,
    ) -> Result<Vec<Holder>, AppError> {
        let own = holders.iter().any(|holder| holder.team == new.team_id);
        if own || holders.len() > MOST {
            return Err(taken(&new.hostname));
        }
        let wanted = self.challenge(&new.project_id, &new.hostname);
        let asked = tokio::time::timeout(PATIENCE, self.is_shown(&wanted, &holders)).await;
        match asked.unwrap_or(Ok(Shown::Nothing)) {
            Ok(Shown::New) => return Ok(holders),
            Ok(Shown::Holder) => return Err(taken(&new.hostname)),
            Ok(Shown::Nothing) => {}
            Err(error) => tracing::debug!(%error, "whose a host name is could not be asked"),
        }
        let (marked, now) = (holders.clone(), self.clock.now());
        self.db.write(move |c| db::domains::contest(c, &marked, now)).await?;
        for holder in holders {
            self.bus.send(Change::Project(holder.team, holder.project));
        }
        let DnsRecord { kind, name, value } = wanted;
        Err(AppError::Conflict {
            reason: "hostname_taken",
            message: format!(
                "{} is in use on this server. If it is yours, add the record `{name}` of the type {} with the value \
                 `{value}` at your DNS provider, and add the domain again.",
                new.hostname,
                kind.as_str()
            ),
            details: json!({
                "hostname": new.hostname,
                "required": [{ "type": kind.as_str(), "name": name, "value": value }],
            }),
        })
    }

    /// Whom the DNS shows as the owner. Those who have it and can show it too, or whom it leads to, keep it.
    async fn is_shown(&self, new: &DnsRecord, holders: &[Holder]) -> Result<Shown, LookupFailed> {
        let lookup = Lookup::new(&self.config.dns_servers)?;
        let texts = lookup.texts(&new.name).await?;
        for holder in holders {
            let own = self.challenge(&holder.project, &holder.hostname);
            let shown = match own.name == new.name {
                true => texts.contains(&own.value),
                false => lookup.texts(&own.name).await?.contains(&own.value),
            };
            if shown || (holder.verified && self.leads_here(&lookup, holder).await?) {
                return Ok(Shown::Holder);
            }
        }
        Ok(if texts.contains(&new.value) { Shown::New } else { Shown::Nothing })
    }

    async fn leads_here(&self, lookup: &Lookup, holder: &Holder) -> Result<bool, LookupFailed> {
        let asked = holder.hostname.replacen('*', &format!("orbitra-{}", holder.id.body()), 1);
        let found = lookup.records(&asked).await?;
        Ok(judge(&found, &self.config.public_addresses) == Verdict::Here)
    }

    /// Takes host names away from those who have them, and tells their teams. Their audit logs say that it was Orbitra, and
    /// why; not for whom.
    pub(super) fn give_way(
        &self,
        c: &Connection,
        holders: &[Holder],
        now: Timestamp,
    ) -> Result<(), AppError> {
        for holder in holders {
            let found = db::domains::find(c, self.hosts.base_domain(), holder.id.as_str())?;
            let Some(domain) = found else { continue };
            db::domains::delete(c, &domain)?;
            let mut changes = audit::changes(&shown(&domain), &json!({}));
            changes["shown_by_others"] = json!({ "from": false, "to": true });
            journal::write_own(c, "dns", deed("domain.deleted", &domain).changing(changes), now)?;
            tracing::info!(
                domain = domain.hostname,
                "a domain was taken over by whoever has shown it as theirs"
            );
            self.bus.send(Change::Project(domain.team_id, domain.project_id));
        }
        Ok(())
    }
}

/// Whom the DNS names.
enum Shown {
    New,
    Holder,
    Nothing,
}

/// Whose it is stays unsaid.
pub(super) fn taken(hostname: &str) -> AppError {
    AppError::Conflict {
        reason: "hostname_taken",
        message: format!("{hostname} is in use on this server."),
        details: json!({ "hostname": hostname }),
    }
}
