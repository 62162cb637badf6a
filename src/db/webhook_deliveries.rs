//! Table `webhook_deliveries`: what is to be sent to webhooks, and what was.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::DbError;
use super::filter::Conditions;
use super::mail_recipients::{AGREED, RECIPIENT};
use super::page::{Page, PageRequest};
use super::webhooks::CHOOSES;
use super::{announcements, webhook_messages};
use crate::model::delivery::{Delivery, DeliveryStatus};
use crate::model::event::Event;
use crate::model::ids::{DeliveryId, EventId, ProjectId, WebhookId};
use crate::model::timestamp::Timestamp;
use crate::model::webhook::Format;

const SELECT: &str =
    "SELECT d.id, d.webhook_id, d.event_id, d.event, d.status, d.once, d.attempts, d.next_at,
    d.redelivery_of, d.created_at, d.completed_at FROM webhook_deliveries d";

/// Teams beside the event's own whose webhooks are told of it: of accounts, those of instance admins. A new account has no
/// webhook of its own, and one that is deleted takes its webhooks along.
pub(super) const TOLD_AS_WELL: &str = "SELECT u.team_id FROM users u
    WHERE e.event LIKE 'user.%' AND u.instance_admin = 1 AND u.suspended = 0";

/// Adds a delivery of an event for every enabled webhook that is told of it. An address of mail that has not agreed is told
/// of nothing.
pub(super) fn fan_out(connection: &Connection, event: &Event) -> Result<(), DbError> {
    let project = event.project_id.as_ref().map(ProjectId::as_str);
    let sql = format!(
        "SELECT w.id, w.format, randomblob(10) FROM (SELECT ? AS event) e, webhooks w {RECIPIENT}
         WHERE (w.team_id = ? OR w.team_id IN ({TOLD_AS_WELL})) AND w.enabled AND (w.project_id IS NULL OR w.project_id IS ?) AND {CHOOSES} AND {AGREED}"
    );
    let name = event.event.as_ref();
    let told: Vec<(WebhookId, Format, [u8; 10])> = connection
        .prepare_cached(&sql)?
        .query_map(params![name, event.team_id.as_str(), project, name, name], |row| {
            let format = super::read::word(row, 1, Format::parse)?;
            Ok((super::read::id(row, 0, WebhookId::parse)?, format, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for (webhook, format, random) in told {
        let delivery = new(webhook, event, random, event.created_at);
        tell(connection, &delivery, event, format)?;
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

/// Adds a delivery of an event, with what is sent in this format.
///
/// # Errors
/// The database cannot be written.
pub fn tell(
    connection: &Connection,
    delivery: &Delivery,
    event: &Event,
    format: Format,
) -> Result<(), DbError> {
    webhook_messages::keep(connection, event)?;
    let own = match format {
        Format::Orbitra => None,
        other => announcements::of(connection, event)?.body(other),
    };
    insert(connection, delivery, own.as_deref())
}

/// Adds a delivery with bytes of its own, of an event that nobody else is told of.
///
/// # Errors
/// The database cannot be written.
pub fn tell_alone(
    connection: &Connection,
    delivery: &Delivery,
    event: &Event,
    body: &str,
) -> Result<(), DbError> {
    webhook_messages::keep(connection, event)?;
    insert(connection, delivery, Some(body))
}

/// Adds a delivery of what another one was of, with the same bytes.
///
/// # Errors
/// The database cannot be written.
pub fn tell_again(
    connection: &Connection,
    delivery: &Delivery,
    before: &DeliveryId,
) -> Result<(), DbError> {
    insert(connection, delivery, own_body(connection, before)?.as_deref())
}

fn insert(connection: &Connection, delivery: &Delivery, own: Option<&str>) -> Result<(), DbError> {
    connection
        .prepare_cached(
            "INSERT INTO webhook_deliveries (id, webhook_id, event_id, event, status, once, attempts, next_at,
                redelivery_of, created_at, completed_at, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            delivery.id.as_str(), delivery.webhook_id.as_str(), delivery.event_id.as_str(), delivery.event,
            delivery.status.as_str(), delivery.once, delivery.attempts, delivery.next_at.map(|at| at.0),
            delivery.redelivery_of.as_ref().map(DeliveryId::as_str), delivery.created_at.0,
            delivery.completed_at.map(|at| at.0), own,
        ])?;
    Ok(())
}

/// What is sent where it is not the event itself.
fn own_body(connection: &Connection, id: &DeliveryId) -> Result<Option<String>, DbError> {
    let sql = "SELECT body FROM webhook_deliveries WHERE id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([id.as_str()], |row| row.get(0));
    Ok(found.optional()?.flatten())
}

/// The bytes that are sent: those of the event, or those that were written for the webhook's format.
///
/// # Errors
/// The database cannot be read.
pub fn body(connection: &Connection, delivery: &Delivery) -> Result<Option<String>, DbError> {
    match own_body(connection, &delivery.id)? {
        Some(own) => Ok(Some(own)),
        None => webhook_messages::body(connection, &delivery.event_id),
    }
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
    /// Only what comes before this place.
    pub before: Option<i64>,
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
        if let Some(place) = self.before {
            conditions.one("d.seq < ?", place);
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
