//! Table `events`: one ordered log of what happened, written in the transaction of the change.

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::event::Event;
use crate::model::ids::ProjectId;

/// Appends an event.
///
/// # Errors
/// The database cannot be written.
pub fn append(connection: &Connection, event: &Event) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO events (id, event, team_id, project_id, data, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            event.id.as_str(), event.event, event.team_id.as_str(),
            event.project_id.as_ref().map(ProjectId::as_str), event.data.to_string(), event.created_at.0,
        ],
    )?;
    Ok(())
}

/// Names of a project's events in order; for tests and the activity of a project.
///
/// # Errors
/// The database cannot be read.
pub fn names_of_project(
    connection: &Connection,
    project: &ProjectId,
) -> Result<Vec<String>, DbError> {
    let mut statement =
        connection.prepare_cached("SELECT event FROM events WHERE project_id = ?1 ORDER BY seq")?;
    let names =
        statement.query_map([project.as_str()], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}
