//! Table `webhook_deliveries`: what is to be sent to webhooks, and what was.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::DbError;
use super::error::exactly_one;
use super::filter::Conditions;
use super::page::{Page, PageRequest};
use super::webhooks::CHOOSES;
use super::{webhook_messages, webhooks};
use crate::model::delivery::{Delivery, DeliveryStatus};
use crate::model::event::Event;
use crate::model::ids::{DeliveryId, EventId, ProjectId, TeamId, WebhookId};
use crate::model::timestamp::Timestamp;

const SELECT: &str =
    "SELECT d.id, d.webhook_id, d.event_id, d.event, d.status, d.once, d.attempts, d.next_at,
    d.redelivery_of, d.created_at, d.completed_at FROM webhook_deliveries d";

/// Adds a delivery of an event for every enabled webhook that is told of it.
pub(super) fn fan_out(connection: &Connection, event: &Event) -> Result<(), DbError> {
    let project = event.project_id.as_ref().map(ProjectId::as_str);
    let sql = format!(
        "SELECT w.id, randomblob(10) FROM webhooks w
         WHERE w.team_id = ? AND w.enabled AND (w.project_id IS NULL OR w.project_id IS ?) AND {CHOOSES}"
    );
    let name = event.event.as_ref();
    let told: Vec<(WebhookId, [u8; 10])> = connection
        .prepare_cached(&sql)?
        .query_map(params![event.team_id.as_str(), project, name, name], |row| {
            Ok((super::read::id(row, 0, WebhookId::parse)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    if told.is_empty() {
        return Ok(());
    }
    webhook_messages::keep(connection, event)?;
    for (webhook, random) in told {
        insert(connection, &new(webhook, event, random, event.created_at))?;
    }
    Ok(())
}

/// A delivery of an event, to be made at once. `random` makes its id.
pub fn new(webhook: WebhookId, event: &Event, random: [u8; 10], now: Timestamp) -> Delivery {
    Delivery {
        id: DeliveryId::from_random(random),
        webhook_id: webhook,
        event_id: event.id.clone(),
        event: event.event.to_string(),
        status: DeliveryStatus::Pending,
        once: false,
        attempts: 0,
        next_at: Some(Timestamp(0)),
        redelivery_of: None,
        created_at: now,
        completed_at: None,
    }
}

/// Adds a delivery whose message is kept already.
///
/// # Errors
/// The database cannot be written.
pub fn insert(connection: &Connection, delivery: &Delivery) -> Result<(), DbError> {
    connection
        .prepare_cached(
            "INSERT INTO webhook_deliveries (id, webhook_id, event_id, event, status, once, attempts, next_at,
                redelivery_of, created_at, completed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            delivery.id.as_str(), delivery.webhook_id.as_str(), delivery.event_id.as_str(), delivery.event,
            delivery.status.as_str(), delivery.once, delivery.attempts, delivery.next_at.map(|at| at.0),
            delivery.redelivery_of.as_ref().map(DeliveryId::as_str), delivery.created_at.0,
            delivery.completed_at.map(|at| at.0),
        ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: super::read::id(row, 0, DeliveryId::parse)?,
        webhook_id: super::read::id(row, 1, WebhookId::parse)?,
        event_id: super::read::id(row, 2, EventId::parse)?,
        event: row.get(3)?,
        status: super::read::word(row, 4, DeliveryStatus::parse)?,
        once: row.get(5)?,
        attempts: row.get(6)?,
        next_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        redelivery_of: super::read::optional(row, 8, DeliveryId::parse)?,
        created_at: Timestamp(row.get(9)?),
        completed_at: row.get::<_, Option<i64>>(10)?.map(Timestamp),
    })
}

/// Which deliveries of a webhook.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    pub statuses: Vec<DeliveryStatus>,
    /// Names of events, or beginnings of names that end with `.*`; empty is all.
    pub events: Vec<String>,
    pub event_id: Option<EventId>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// Only what comes after this place, oldest first.
    pub after: Option<i64>,
}

impl DeliveryFilter {
    fn conditions(&self, webhook: &WebhookId) -> Conditions {
        let mut conditions = Conditions::new("1");
        conditions.one("d.webhook_id = ?", webhook.as_str());
        conditions.any("d.status", self.statuses.iter().map(|status| status.as_str()));
        conditions.names("d.event", &self.events);
        if let Some(event) = &self.event_id {
            conditions.one("d.event_id = ?", event.as_str());
        }
        conditions.between("d.created_at", self.created_after, self.created_before);
        if let Some(place) = self.after {
            conditions.one("d.seq > ?", place);
        }
        conditions
    }
}

/// A page of a webhook's deliveries, the newest first, or after a place the oldest first.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    webhook: &WebhookId,
    filter: &DeliveryFilter,
    page: PageRequest,
) -> Result<Page<Delivery>, DbError> {
    let (conditions, mut values) = filter.conditions(webhook).finish();
    let from = format!("webhook_deliveries d WHERE {conditions}");
    let total = super::page::count(connection, &from, &values)?;
    values.extend([Value::from(i64::from(page.limit)), page.offset().into()]);
    let way = if filter.after.is_some() { "ASC" } else { "DESC" };
    let sql = format!("{SELECT} WHERE {conditions} ORDER BY d.seq {way} LIMIT ? OFFSET ?");
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total })
}

/// One delivery of a webhook.
///
/// # Errors
/// The database cannot be read.
pub fn find(
    connection: &Connection,
    webhook: &WebhookId,
    id: &DeliveryId,
) -> Result<Option<Delivery>, DbError> {
    let sql = format!("{SELECT} WHERE d.webhook_id = ?1 AND d.id = ?2");
    let values = params![webhook.as_str(), id.as_str()];
    Ok(connection.prepare_cached(&sql)?.query_row(values, read).optional()?)
}

/// Where in the order a delivery of a webhook stands.
///
/// # Errors
/// The database cannot be read.
pub fn place(
    connection: &Connection,
    webhook: &WebhookId,
    id: &DeliveryId,
) -> Result<Option<i64>, DbError> {
    let sql = "SELECT seq FROM webhook_deliveries WHERE webhook_id = ?1 AND id = ?2";
    let values = params![webhook.as_str(), id.as_str()];
    Ok(connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?)
}

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

/// A delivery that is to be made, with its webhook and its body. `None` when there is nothing to do any more.
///
/// # Errors
/// The database cannot be read.
pub fn open(
    connection: &Connection,
    webhook: &WebhookId,
    id: &DeliveryId,
) -> Result<Option<(Delivery, webhooks::StoredWebhook, String)>, DbError> {
    let Some(delivery) = find(connection, webhook, id)?.filter(|one| one.status.is_open()) else {
        return Ok(None);
    };
    let Some(stored) = webhooks::find(connection, webhook)?.filter(|one| one.webhook.enabled)
    else {
        return Ok(None);
    };
    let body = webhook_messages::body(connection, &delivery.event_id)?.ok_or(DbError::NotFound)?;
    Ok(Some((delivery, stored, body)))
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

/// Which events a webhook is told again.
#[derive(Clone, Debug)]
pub struct Replay {
    pub team: TeamId,
    pub project: Option<ProjectId>,
    /// What the webhook chose.
    pub chosen: Vec<String>,
    /// What of it is wanted; empty is all.
    pub events: Vec<String>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// After this place in the log.
    pub after: Option<i64>,
    pub until: Option<Timestamp>,
    /// Only what never arrived.
    pub only_failed: bool,
}

/// The places of the events of a replay in order, at most `limit`.
///
/// # Errors
/// The database cannot be read.
pub fn replayed(
    connection: &Connection,
    webhook: &WebhookId,
    replay: &Replay,
    limit: u32,
) -> Result<Vec<EventId>, DbError> {
    let mut conditions = Conditions::new("1");
    conditions.one("e.team_id = ?", replay.team.as_str());
    if let Some(project) = &replay.project {
        conditions.one("e.project_id = ?", project.as_str());
    }
    if !replay.chosen.iter().any(|choice| choice == "*") {
        conditions.names("e.event", &replay.chosen);
    }
    if !replay.events.iter().any(|choice| choice == "*") {
        conditions.names("e.event", &replay.events);
    }
    if let Some(since) = replay.since {
        conditions.one("e.created_at >= ?", since.0);
    }
    if let Some(place) = replay.after {
        conditions.one("e.seq > ?", place);
    }
    if let Some(until) = replay.until {
        conditions.one("e.created_at <= ?", until.0);
    }
    if replay.only_failed {
        conditions.one(
            "NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.event_id = e.id AND d.webhook_id = ?
                AND d.status IN ('succeeded', 'pending', 'retrying'))",
            webhook.as_str(),
        );
    }
    let (conditions, mut values) = conditions.finish();
    values.push(i64::from(limit).into());
    let sql = format!("SELECT e.id FROM events e WHERE {conditions} ORDER BY e.seq LIMIT ?");
    let found = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), |row| super::read::id(row, 0, EventId::parse))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// Removes deliveries that were made until `until`, with their attempts.
///
/// # Errors
/// The database cannot be written.
pub fn delete_until(connection: &Connection, until: Timestamp) -> Result<(), DbError> {
    connection.execute(
        "DELETE FROM webhook_deliveries WHERE created_at <= ?1 AND next_at IS NULL",
        [until.0],
    )?;
    Ok(())
}
