//! Table `webhooks`: addresses that are told of events.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::DbError;
use super::error::exactly_one;
use super::filter::Conditions;
use super::page::{Page, PageRequest};
use crate::model::delivery::DeliveryStatus;
use crate::model::ids::{DeliveryId, ProjectId, TeamId, UserId, WebhookId};
use crate::model::mail::Recipient;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{DisabledReason, Format, LastDelivery, Webhook};

const SELECT: &str = "SELECT w.id, w.team_id, w.project_id, w.address, w.events, w.description, w.enabled,
    w.disabled_reason, w.secret_hint, w.previous_secret_expires_at, w.failures, w.failing_since, w.exhausted,
    w.last_delivery_id, w.last_status, w.last_response_status, w.last_at, w.created_by, w.created_at, w.updated_at,
    w.revision, w.url, w.secret, w.previous_secret, w.format,
    EXISTS (SELECT 1 FROM users u WHERE u.email = substr(w.address, 8) AND u.suspended = 0), r.confirmed_at,
    r.declined_at, r.asked_at, r.expires_at
    FROM webhooks w LEFT JOIN mail_recipients r
        ON w.format = 'email' AND r.team_id = w.team_id AND r.address = lower(substr(w.address, 8))";

/// A webhook chooses the event whose name is bound twice: by name, by a beginning, or with all others.
pub(super) const CHOOSES: &str = "EXISTS (SELECT 1 FROM json_each(w.events) e WHERE e.value = ?
    OR (substr(e.value, -1) = '*' AND instr(?, substr(e.value, 1, length(e.value) - 1)) = 1))";

/// Fields a list can be sorted by.
pub const SORTS: [&str; 2] = ["created_at", "updated_at"];

/// A webhook with what is sealed of it.
#[derive(Clone, Debug)]
pub struct StoredWebhook {
    pub webhook: Webhook,
    pub url: Vec<u8>,
    pub secret: Vec<u8>,
    /// The secret before, until `previous_secret_expires_at`.
    pub previous_secret: Option<Vec<u8>>,
}

/// What an address is sealed for.
pub fn url_identity(id: &WebhookId) -> String {
    format!("webhooks/{id}/url")
}

/// What the secrets are sealed for.
pub fn secret_identity(id: &WebhookId) -> String {
    format!("webhooks/{id}/secret")
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredWebhook> {
    let moment = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp));
    let last_status: Option<DeliveryStatus> =
        super::read::optional(row, 14, DeliveryStatus::parse)?;
    let last_id = super::read::optional(row, 13, DeliveryId::parse)?;
    let last = match (last_id, last_status, moment(16)?) {
        (Some(id), Some(status), Some(at)) => {
            Some(LastDelivery { id, status, response_status: row.get(15)?, at })
        }
        _ => None,
    };
    let format = super::read::word(row, 24, Format::parse)?;
    let recipient = match format {
        Format::Email => Some(Recipient {
            member: row.get(25)?,
            confirmed_at: moment(26)?,
            declined_at: moment(27)?,
            asked_at: moment(28)?,
            expires_at: moment(29)?,
        }),
        _ => None,
    };
    let webhook = Webhook {
        id: super::read::id(row, 0, WebhookId::parse)?,
        team_id: super::read::id(row, 1, TeamId::parse)?,
        project_id: super::read::optional(row, 2, ProjectId::parse)?,
        format,
        address: row.get(3)?,
        events: super::read::json(row, 4)?,
        description: row.get(5)?,
        enabled: row.get(6)?,
        disabled_reason: super::read::optional(row, 7, DisabledReason::parse)?,
        secret_hint: row.get(8)?,
        previous_secret_expires_at: moment(9)?,
        failures: row.get(10)?,
        failing_since: moment(11)?,
        exhausted: row.get(12)?,
        last,
        recipient,
        created_by: super::read::id(row, 17, UserId::parse)?,
        created_at: Timestamp(row.get(18)?),
        updated_at: Timestamp(row.get(19)?),
        revision: row.get(20)?,
    };
    let (url, secret, previous_secret) = (row.get(21)?, row.get(22)?, row.get(23)?);
    Ok(StoredWebhook { webhook, url, secret, previous_secret })
}

fn events(webhook: &Webhook) -> String {
    serde_json::to_string(&webhook.events).unwrap_or_default()
}

/// Adds a webhook.
///
/// # Errors
/// The database cannot be written.
pub fn insert(connection: &Connection, stored: &StoredWebhook) -> Result<(), DbError> {
    let webhook = &stored.webhook;
    connection.execute(
        "INSERT INTO webhooks (id, team_id, project_id, url, address, events, description, enabled, secret, secret_hint,
            created_by, created_at, updated_at, format)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13)",
        params![
            webhook.id.as_str(), webhook.team_id.as_str(), webhook.project_id.as_ref().map(ProjectId::as_str),
            stored.url, webhook.address, events(webhook), webhook.description, webhook.enabled, stored.secret,
            webhook.secret_hint, webhook.created_by.as_str(), webhook.created_at.0,
            webhook.format.as_str(),
        ],
    )?;
    Ok(())
}

/// How many a team has.
///
/// # Errors
/// The database cannot be read.
pub fn count(connection: &Connection, team: &TeamId) -> Result<u32, DbError> {
    let sql = "SELECT count(*) FROM webhooks WHERE team_id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([team.as_str()], |row| row.get(0))?)
}

/// Which webhooks.
#[derive(Clone, Debug, Default)]
pub struct WebhookFilter {
    /// Whose; `None` is everybody's.
    pub team: Option<TeamId>,
    /// Projects a key is limited to; empty is all, and those for no project in particular.
    pub only_projects: Vec<ProjectId>,
    pub project: Option<ProjectId>,
    pub enabled: Option<bool>,
    /// Those that are told of this event.
    pub event: Option<String>,
    /// Part of the address or the description, in any case.
    pub query: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// One of [`SORTS`], and whether descending.
    pub sort: Option<(String, bool)>,
}

impl WebhookFilter {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::new("1");
        if let Some(team) = &self.team {
            conditions.one("w.team_id = ?", team.as_str());
        }
        if let Some(project) = &self.project {
            conditions.one("w.project_id = ?", project.as_str());
        }
        conditions.any("w.project_id", self.only_projects.iter().map(ProjectId::as_str));
        if let Some(enabled) = self.enabled {
            conditions.one("w.enabled = ?", i64::from(enabled));
        }
        if let Some(event) = &self.event {
            conditions.one(CHOOSES, event.as_str());
            conditions.bind(event.as_str());
        }
        if let Some(query) = &self.query {
            let text =
                "instr(lower(w.address || ' ' || coalesce(w.description, '')), lower(?)) > 0";
            conditions.one(text, query.as_str());
        }
        conditions.between("w.created_at", self.created_after, self.created_before);
        conditions
    }
}

/// A page of webhooks, the newest first unless they are sorted otherwise.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    filter: &WebhookFilter,
    page: PageRequest,
) -> Result<Page<StoredWebhook>, DbError> {
    let (conditions, mut values) = filter.conditions().finish();
    let from = format!("webhooks w WHERE {conditions}");
    let total = super::page::count(connection, &from, &values)?;
    let (field, descending) = filter.sort.as_ref().map_or(("created_at", true), |(field, down)| {
        (SORTS.iter().find(|known| *known == field).copied().unwrap_or("created_at"), *down)
    });
    let way = if descending { "DESC" } else { "ASC" };
    values.extend([Value::from(i64::from(page.limit)), page.offset().into()]);
    let sql = format!(
        "{SELECT} WHERE {conditions} ORDER BY w.{field} {way}, w.seq {way} LIMIT ? OFFSET ?"
    );
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total })
}

/// One webhook.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, id: &WebhookId) -> Result<Option<StoredWebhook>, DbError> {
    let sql = format!("{SELECT} WHERE w.id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id.as_str()], read).optional()?)
}

/// Stores what was changed of a webhook: address, events, description, project and whether it is enabled. One that is
/// enabled begins anew.
///
/// # Errors
/// `Stale` when it was changed or deleted meanwhile.
pub fn update(
    connection: &Connection,
    stored: &StoredWebhook,
    now: Timestamp,
) -> Result<(), DbError> {
    let webhook = &stored.webhook;
    exactly_one(connection.execute(
        "UPDATE webhooks SET url = ?3, address = ?4, events = ?5, description = ?6, project_id = ?7,
            failures = iif(?8 AND NOT enabled, 0, failures), exhausted = iif(?8 AND NOT enabled, 0, exhausted),
            failing_since = iif(?8 AND NOT enabled, NULL, failing_since), enabled = ?8,
            disabled_reason = iif(?8, NULL, disabled_reason), updated_at = ?9, revision = revision + 1
         WHERE id = ?1 AND revision = ?2",
        params![
            webhook.id.as_str(), webhook.revision, stored.url, webhook.address, events(webhook), webhook.description,
            webhook.project_id.as_ref().map(ProjectId::as_str), webhook.enabled, now.0,
        ],
    )?)
}

/// Stores a new secret; the one before signs as well until `until`.
///
/// # Errors
/// `Stale` when the webhook was changed or deleted meanwhile.
pub fn rotate(
    connection: &Connection,
    stored: &StoredWebhook,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE webhooks SET previous_secret = iif(?5 IS NULL, NULL, secret), previous_secret_expires_at = ?5,
            secret = ?3, secret_hint = ?4, updated_at = ?6, revision = revision + 1
         WHERE id = ?1 AND revision = ?2",
        params![
            stored.webhook.id.as_str(), stored.webhook.revision, stored.secret, stored.webhook.secret_hint,
            until.map(|until| until.0), now.0,
        ],
    )?)
}

/// Removes a webhook with its deliveries.
///
/// # Errors
/// `Stale` when it is gone.
pub fn delete(connection: &Connection, id: &WebhookId) -> Result<(), DbError> {
    exactly_one(connection.execute("DELETE FROM webhooks WHERE id = ?1", [id.as_str()])?)
}

/// Notes what came of an attempt. `arrived` is whether it was taken; `exhausted` whether its delivery was given up.
///
/// # Errors
/// The database cannot be written.
pub fn note(
    connection: &Connection,
    id: &WebhookId,
    last: &LastDelivery,
    arrived: bool,
    exhausted: bool,
) -> Result<(), DbError> {
    connection
        .prepare_cached(
            "UPDATE webhooks SET last_delivery_id = ?2, last_status = ?3, last_response_status = ?4, last_at = ?5,
                failures = iif(?6, 0, failures + 1), failing_since = iif(?6, NULL, coalesce(failing_since, ?5)),
                exhausted = iif(?6, 0, exhausted OR ?7)
             WHERE id = ?1",
        )?
        .execute(params![
            id.as_str(), last.id.as_str(), last.status.as_str(), last.response_status, last.at.0, arrived, exhausted,
        ])?;
    Ok(())
}

/// Disables a webhook that its receiver does not want or take any more.
///
/// # Errors
/// `Stale` when it is disabled or gone.
pub fn disable(
    connection: &Connection,
    id: &WebhookId,
    reason: DisabledReason,
    now: Timestamp,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE webhooks SET enabled = 0, disabled_reason = ?2, updated_at = ?3, revision = revision + 1
         WHERE id = ?1 AND enabled",
        params![id.as_str(), reason.as_str(), now.0],
    )?)
}

/// Removes webhooks of projects that are gone, once nothing is left to be told.
///
/// # Errors
/// The database cannot be written.
pub fn delete_orphans(connection: &Connection) -> Result<(), DbError> {
    connection.execute(
        "DELETE FROM webhooks WHERE project_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM projects p WHERE p.id = webhooks.project_id)
            AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = webhooks.id AND d.next_at IS NOT NULL)",
        [],
    )?;
    Ok(())
}
