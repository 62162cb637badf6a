//! Entries of the event log, made in the transaction of the change.

use serde_json::Value;

use crate::crypto::random;
use crate::db::{self, Connection, DbError};
use crate::model::event::Event;
use crate::model::ids::{EventId, ProjectId, TeamId};
use crate::model::timestamp::Timestamp;

/// Appends an event of the catalogue.
///
/// # Errors
/// The database cannot be written.
pub fn append(
    connection: &Connection,
    event: &'static str,
    team: &TeamId,
    project: Option<&ProjectId>,
    data: Value,
    now: Timestamp,
) -> Result<(), DbError> {
    let event = Event {
        id: EventId::from_random(random::bytes()),
        event,
        team_id: team.clone(),
        project_id: project.cloned(),
        data,
        created_at: now,
    };
    db::events::append(connection, &event)
}
