//! The event log as its readers see it.

use super::may::{Action, require_scope};
use super::{App, AppError};
use crate::db::events::EventFilter;
use crate::db::page::{Page, PageRequest};
use crate::db::{self, DbError};
use crate::model::actor::{Actor, Via};
use crate::model::event::Event;
use crate::model::ids::EventId;
use crate::model::timestamp::Timestamp;

/// How long events are kept, in milliseconds: 30 days.
const KEPT: i64 = 30 * 86_400_000;
/// How long entries of the audit log are kept, in milliseconds: 400 days.
const AUDIT_KEPT: i64 = 400 * 86_400_000;

impl App {
    /// Narrows a filter to what the actor sees.
    fn visible_events(&self, actor: &Actor, mut filter: EventFilter) -> EventFilter {
        filter.team = (!actor.instance_admin).then(|| actor.team_id.clone());
        if let Via::ApiKey { project_ids, .. } = &actor.via {
            filter.only_projects = project_ids.clone();
        }
        filter
    }

    /// A page of events, newest first.
    ///
    /// # Errors
    /// The key lacks `events:read`.
    pub async fn events(
        &self,
        actor: &Actor,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>, AppError> {
        require_scope(actor, Action::EventsRead)?;
        let filter = self.visible_events(actor, filter);
        self.db.read(move |c| Ok(db::events::list(c, &filter, page)?)).await
    }

    /// Events oldest first, each with its place.
    ///
    /// # Errors
    /// The key lacks `events:read`.
    pub async fn events_forward(
        &self,
        actor: &Actor,
        filter: EventFilter,
        limit: u32,
    ) -> Result<Vec<(i64, Event)>, AppError> {
        require_scope(actor, Action::EventsRead)?;
        let filter = self.visible_events(actor, filter);
        self.db.read(move |c| Ok(db::events::forward(c, &filter, limit)?)).await
    }

    /// Where in the log an event stands that this actor sees; `None` when there is none such.
    ///
    /// # Errors
    /// The key lacks `events:read`.
    pub async fn event_place(&self, actor: &Actor, id: &str) -> Result<Option<i64>, AppError> {
        let Ok(event) = self.event(actor, id).await else { return Ok(None) };
        self.db.read(move |c| Ok(db::events::place(c, &event.id)?)).await
    }

    /// Where the log ends now.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn last_event_place(&self) -> Result<i64, AppError> {
        self.db.read(|c| Ok(db::events::last_place(c)?)).await
    }

    /// One event.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `events:read`.
    pub async fn event(&self, actor: &Actor, id: &str) -> Result<Event, AppError> {
        require_scope(actor, Action::EventsRead)?;
        let missing = || AppError::not_found("event", id);
        let wanted = EventId::parse(id).ok_or_else(missing)?;
        let found = self
            .db
            .read(move |c| -> Result<_, DbError> { db::events::find(c, &wanted) })
            .await?
            .ok_or_else(missing)?;
        let visible = match &found.project_id {
            Some(project) => actor.sees_project(project),
            None => actor.sees_all_projects(),
        };
        let team = actor.instance_admin || found.team_id == actor.team_id;
        if team && visible { Ok(found) } else { Err(missing()) }
    }

    /// Removes events and entries of the audit log that are too old.
    pub async fn forget_old_events(&self) {
        let now = self.clock.now().0;
        let removed = self.db.write(move |c| -> Result<(), DbError> {
            db::events::delete_until(c, Timestamp(now - KEPT))?;
            db::webhook_deliveries::delete_until(c, Timestamp(now - KEPT))?;
            db::webhook_messages::delete_until(c, Timestamp(now - KEPT))?;
            db::webhooks::delete_orphans(c)?;
            db::account_mails::delete_until(c, Timestamp(now - KEPT))?;
            db::mail_recipients::delete_until(c, Timestamp(now - KEPT))?;
            db::audit_log::delete_until(c, Timestamp(now - AUDIT_KEPT))
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, "old events could not be removed");
        }
    }
}
