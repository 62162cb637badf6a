//! Which events of the log a webhook is told again.

use rusqlite::{Connection, params_from_iter};

use super::DbError;
use super::filter::Conditions;
use super::webhook_deliveries::TOLD_AS_WELL;
use crate::model::ids::{EventId, ProjectId, TeamId, WebhookId};
use crate::model::timestamp::Timestamp;

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
    let told = format!("? IN (SELECT e.team_id UNION {TOLD_AS_WELL})");
    conditions.one(&told, replay.team.as_str());
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
