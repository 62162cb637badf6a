//! The audit log: read by admins, and what is refused is written into it.

use serde_json::json;

use super::journal::{self, Deed};
use super::may::{Action, require_scope};
use super::{App, AppError};
use crate::db::audit_log::AuditFilter;
use crate::db::page::{Page, PageRequest};
use crate::db::{self, DbError};
use crate::model::actor::{Actor, Via};
use crate::model::audit::{AuditEntry, Party};
use crate::model::ids::AuditId;

impl App {
    fn visible_entries(&self, actor: &Actor, mut filter: AuditFilter) -> AuditFilter {
        filter.team = (!actor.instance_admin).then(|| actor.team_id.clone());
        if let Via::ApiKey { project_ids, .. } = &actor.via {
            filter.only_projects = project_ids.clone();
        }
        filter
    }

    /// A page of the audit log, newest first.
    ///
    /// # Errors
    /// The key lacks `audit:read`.
    pub async fn audit_log(
        &self,
        actor: &Actor,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, AppError> {
        require_scope(actor, Action::AuditRead)?;
        let filter = self.visible_entries(actor, filter);
        self.db.read(move |c| Ok(db::audit_log::list(c, &filter, page)?)).await
    }

    /// Entries oldest first, each with its place.
    ///
    /// # Errors
    /// The key lacks `audit:read`.
    pub async fn audit_forward(
        &self,
        actor: &Actor,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEntry)>, AppError> {
        require_scope(actor, Action::AuditRead)?;
        let filter = self.visible_entries(actor, filter);
        self.db.read(move |c| Ok(db::audit_log::forward(c, &filter, limit)?)).await
    }

    /// Where in the log an entry stands that this actor sees.
    ///
    /// # Errors
    /// The key lacks `audit:read`.
    pub async fn audit_place(&self, actor: &Actor, id: &str) -> Result<Option<i64>, AppError> {
        require_scope(actor, Action::AuditRead)?;
        let Some(id) = AuditId::parse(id) else { return Ok(None) };
        let place = self.db.read(move |c| -> Result<_, DbError> { db::audit_log::place(c, &id) });
        let Some(place) = place.await? else { return Ok(None) };
        // Seen is what the page that begins with it would show first.
        let filter = AuditFilter { after: Some(place - 1), ..AuditFilter::default() };
        let found = self.audit_forward(actor, filter, 1).await?;
        Ok(found.first().filter(|(first, _)| *first == place).map(|(place, _)| *place))
    }

    /// Writes down that somebody who is signed in was refused. It is not waited for, and of a flood
    /// only the first are written: the log must not be a way to fill the disk.
    pub fn note_refusal(&self, actor: &Actor, route: String, reason: &str) {
        let now = self.clock.now();
        if !self.memory().refusals.admit(&actor.user_id, now) {
            return;
        }
        let (app, actor, reason) = (self.clone(), actor.clone(), reason.to_owned());
        tokio::spawn(async move {
            let written = app.db.write(move |c| -> Result<(), DbError> {
                let deed = Deed {
                    action: "request.refused",
                    team: &actor.team_id,
                    project: None,
                    target: Party::unnamed("route", route),
                    changes: json!({ "reason": reason }),
                    data: None,
                };
                journal::write(c, &actor, deed, now)
            });
            if let Err(error) = written.await {
                tracing::warn!(%error, "a refusal could not be written down");
            }
        });
    }
}
