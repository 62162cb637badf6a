//! What came of an attempt, stored in one transaction with all that follows from it.

use serde_json::json;

use super::account_mails;
use super::answer::Answer;
use super::outcome::Outcome;
use super::prepared::Prepared;
use crate::crypto::random;
use crate::db::{self, Connection, DbError};
use crate::model::actor::Origin;
use crate::model::audit::{AuditEntry, Party};
use crate::model::delivery::{Attempt, AttemptError, Delivery, DeliveryStatus};
use crate::model::event::{self, Event};
use crate::model::ids::{AuditId, EventId};
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{DisabledReason, LastDelivery, Webhook};

/// An attempt that is over.
pub(super) struct Ended {
    pub delivery: Delivery,
    pub webhook: Webhook,
    pub attempt: Attempt,
    pub outcome: Outcome,
    pub arrived: bool,
}

impl Ended {
    /// Puts together what is stored.
    pub(super) fn new(
        prepared: Prepared,
        answer: Answer,
        outcome: Outcome,
        now: Timestamp,
    ) -> Self {
        let Prepared { mut delivery, webhook, signature, started_at, .. } = prepared;
        let arrived = answer.arrived();
        let attempt = Attempt {
            number: delivery.attempts + 1,
            started_at,
            duration_ms: answer.duration_ms,
            signature: signature.orbitra().to_owned(),
            response_status: answer.status,
            response_headers: answer.headers,
            response_body: answer.body,
            error: answer.error,
        };
        delivery.attempts += 1;
        (delivery.status, delivery.next_at) = match outcome {
            Outcome::Delivered => (DeliveryStatus::Succeeded, None),
            Outcome::RetryAt(at) => (DeliveryStatus::Retrying, Some(at)),
            Outcome::GaveUp | Outcome::Gone => (DeliveryStatus::Failed, None),
        };
        delivery.completed_at = delivery.next_at.is_none().then_some(now);
        Self { delivery, webhook, attempt, outcome, arrived }
    }

    /// Stores it; `dashboard` is where mails lead. A delivery that was canceled or deleted meanwhile stays as it is.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(super) fn store(
        &self,
        connection: &Connection,
        dashboard: &str,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let Self { delivery, webhook, attempt, outcome, arrived } = self;
        match db::webhook_queue::advance(connection, delivery) {
            Err(DbError::Stale) => return Ok(()),
            other => other?,
        }
        db::webhook_attempts::insert(connection, &delivery.id, attempt)?;
        let last = LastDelivery {
            id: delivery.id.clone(),
            status: delivery.status,
            response_status: attempt.response_status,
            at: now,
        };
        // One that somebody wanted once to see how it goes says nothing about the others.
        let exhausted = *outcome == Outcome::GaveUp && !delivery.once;
        db::webhooks::note(connection, &webhook.id, &last, *arrived, exhausted)?;
        if attempt.error == Some(AttemptError::BlockedAddress) {
            audit(connection, webhook, "webhook.blocked", json!({}), now)?;
        }
        if *outcome == Outcome::Gone {
            return disable(connection, webhook, DisabledReason::Gone, dashboard, now);
        }
        if !arrived {
            let stored = db::webhooks::find(connection, &webhook.id)?;
            if stored.is_some_and(|stored| stored.webhook.is_lost(now)) {
                return disable(connection, webhook, DisabledReason::Failing, dashboard, now);
            }
        }
        Ok(())
    }
}

/// Disables a webhook, tells the others of its team, and its owner by mail.
fn disable(
    connection: &Connection,
    webhook: &Webhook,
    reason: DisabledReason,
    dashboard: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    match db::webhooks::disable(connection, &webhook.id, reason, now) {
        Err(DbError::Stale) => return Ok(()),
        other => other?,
    }
    db::webhook_queue::cancel_open(connection, &webhook.id, now)?;
    let event = Event {
        id: EventId::from_random(random::bytes()),
        event: "webhook.disabled".into(),
        team_id: webhook.team_id.clone(),
        project_id: webhook.project_id.clone(),
        data: event::webhook_disabled(&webhook.id, reason),
        created_at: now,
    };
    db::events::append(connection, &event)?;
    let letter = serde_json::to_string(&account_mails::disabled(webhook, reason, dashboard));
    let letter = letter.map_err(|error| DbError::Broken(error.to_string()))?;
    db::account_mails::tell(connection, &event, &letter)?;
    let changes = json!({
        "enabled": { "from": true, "to": false }, "disabled_reason": { "from": null, "to": reason },
    });
    audit(connection, webhook, "webhook.disabled", changes, now)
}

/// Something that Orbitra itself did to a webhook.
fn audit(
    connection: &Connection,
    webhook: &Webhook,
    action: &str,
    changes: serde_json::Value,
    now: Timestamp,
) -> Result<(), DbError> {
    let entry = AuditEntry {
        id: AuditId::from_random(random::bytes()),
        action: action.to_owned(),
        actor: Party::new("system", "webhooks", "Orbitra"),
        user_id: webhook.created_by.clone(),
        target: Party::new("webhook", &webhook.id, &webhook.address),
        team_id: webhook.team_id.clone(),
        project_id: webhook.project_id.clone(),
        origin: Origin::default(),
        changes,
        created_at: now,
    };
    db::audit_log::append(connection, &entry)
}
