//! What of table `webhook_deliveries` is still to be sent.

use rusqlite::{Connection, params};

use super::DbError;
use super::error::exactly_one;
use super::webhook_deliveries::{body, find};
use super::webhooks::StoredWebhook;
use super::{mail, webhooks};
use crate::model::delivery::Delivery;
use crate::model::ids::{DeliveryId, TeamId, WebhookId};
use crate::model::mail::StoredMail;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{CONFIRMATION, Format};

/// A webhook with something to send: when the next is due, and what is due now.
#[derive(Debug)]
pub struct Waiting {
    pub webhook: WebhookId,
    /// The earliest that is not due yet; `None` when all is.
    pub next_at: Option<Timestamp>,
    /// What is due, in order, with whether it is sent once: no more than was asked for.
    pub due: Vec<(DeliveryId, bool)>,
}

/// Everything that waits, webhook by webhook. `room` says how many of a webhook's are wanted.
///
/// # Errors
/// The database cannot be read.
pub fn waiting(
    connection: &Connection,
    now: Timestamp,
    room: impl Fn(&WebhookId) -> usize,
) -> Result<Vec<Waiting>, DbError> {
    // From one webhook to the next in the index; those with nothing to send cost nothing.
    let webhooks: Vec<WebhookId> = connection
        .prepare_cached(
            "WITH RECURSIVE open (id) AS (
                SELECT min(webhook_id) FROM webhook_deliveries WHERE next_at IS NOT NULL
                UNION ALL
                SELECT (SELECT min(webhook_id) FROM webhook_deliveries
                        WHERE webhook_id > open.id AND next_at IS NOT NULL)
                FROM open WHERE open.id IS NOT NULL
             )
             SELECT id FROM open WHERE id IS NOT NULL",
        )?
        .query_map([], |row| super::read::id(row, 0, WebhookId::parse))?
        .collect::<Result<_, _>>()?;
    let mut due = connection.prepare_cached(
        "SELECT id, once FROM webhook_deliveries WHERE webhook_id = ?1 AND next_at <= ?2 ORDER BY next_at, seq LIMIT ?3",
    )?;
    let mut later = connection.prepare_cached(
        "SELECT min(next_at) FROM webhook_deliveries WHERE webhook_id = ?1 AND next_at > ?2",
    )?;
    let mut found = Vec::new();
    for webhook in webhooks {
        let limit = i64::try_from(room(&webhook)).unwrap_or(i64::MAX);
        let values = params![webhook.as_str(), now.0, limit];
        let due = due
            .query_map(values, |row| {
                Ok((super::read::id(row, 0, DeliveryId::parse)?, row.get(1)?))
            })?
            .collect::<Result<_, _>>()?;
        let next_at: Option<i64> =
            later.query_row(params![webhook.as_str(), now.0], |row| row.get(0))?;
        found.push(Waiting { webhook, next_at: next_at.map(Timestamp), due });
    }
    Ok(found)
}

/// A delivery that is to be made, with all that is needed for it.
#[derive(Debug)]
pub struct Open {
    pub delivery: Delivery,
    pub stored: StoredWebhook,
    /// The bytes that are sent.
    pub body: String,
    /// The server that takes mail, where it is one.
    pub mail: Option<StoredMail>,
}

/// A delivery that is to be made. `None` when there is nothing to do any more.
///
/// # Errors
/// The database cannot be read.
pub fn open(
    connection: &Connection,
    webhook: &WebhookId,
    id: &DeliveryId,
) -> Result<Option<Open>, DbError> {
    let Some(delivery) = find(connection, webhook, id)?.filter(|one| one.status.is_open()) else {
        return Ok(None);
    };
    let Some(stored) = webhooks::find(connection, webhook)?.filter(|one| one.webhook.enabled)
    else {
        return Ok(None);
    };
    let body = body(connection, &delivery)?.ok_or(DbError::NotFound)?;
    let mail = match stored.webhook.format {
        Format::Email => mail::find(connection)?,
        _ => None,
    };
    Ok(Some(Open { delivery, stored, body, mail }))
}

/// Stores what came of an attempt: the delivery as it is now. `attempts` counts this one.
///
/// # Errors
/// `Stale` when the delivery is over or gone.
pub fn advance(connection: &Connection, delivery: &Delivery) -> Result<(), DbError> {
    let changed = connection
        .prepare_cached(
            "UPDATE webhook_deliveries SET status = ?2, attempts = ?3, next_at = ?4, completed_at = ?5
             WHERE id = ?1 AND attempts = ?3 - 1 AND next_at IS NOT NULL",
        )?
        .execute(params![
            delivery.id.as_str(), delivery.status.as_str(), delivery.attempts, delivery.next_at.map(|at| at.0),
            delivery.completed_at.map(|at| at.0),
        ])?;
    exactly_one(changed)
}

/// Cancels mails that were still to ask an address: it has answered.
///
/// # Errors
/// The database cannot be written.
pub fn cancel_questions(
    connection: &Connection,
    team: &TeamId,
    address: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE webhook_deliveries SET status = 'canceled', next_at = NULL, completed_at = ?4
         WHERE event = ?3 AND next_at IS NOT NULL AND webhook_id IN (
            SELECT id FROM webhooks WHERE team_id = ?1 AND format = 'email' AND lower(substr(address, 8)) = ?2)",
        params![team.as_str(), address, CONFIRMATION, now.0],
    )?;
    Ok(())
}

/// Cancels what a webhook was still to be told.
///
/// # Errors
/// The database cannot be written.
pub fn cancel_open(
    connection: &Connection,
    webhook: &WebhookId,
    now: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE webhook_deliveries SET status = 'canceled', next_at = NULL, completed_at = ?2
         WHERE webhook_id = ?1 AND next_at IS NOT NULL",
        params![webhook.as_str(), now.0],
    )?;
    Ok(())
}
