//! Table `events`: one ordered log of what happened, written in the transaction of the change.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

use super::DbError;
use super::filter::Conditions;
use super::page::{Page, PageRequest};
use crate::model::event::Event;
use crate::model::ids::{EventId, ProjectId, TeamId};
use crate::model::timestamp::Timestamp;

const COLUMNS: &str = "id, event, team_id, project_id, data, created_at, seq";

/// Appends an event, and a delivery for every webhook that is to be told of it.
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
    super::webhook_deliveries::fan_out(connection, event)
}

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Whose; `None` is everybody's.
    pub team: Option<TeamId>,
    /// Projects a key is limited to; empty is all, and what belongs to no project.
    pub only_projects: Vec<ProjectId>,
    pub project: Option<ProjectId>,
    /// Names, or beginnings of names that end with `.*`; empty is all.
    pub names: Vec<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// Only what comes after this place, oldest first.
    pub after: Option<i64>,
}

impl EventFilter {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::new("1");
        if let Some(team) = &self.team {
            conditions.one("team_id = ?", team.as_str());
        }
        if let Some(project) = &self.project {
            conditions.one("project_id = ?", project.as_str());
        }
        conditions.any("project_id", self.only_projects.iter().map(ProjectId::as_str));
        conditions.names("event", &self.names);
        conditions.between("created_at", self.created_after, self.created_before);
        if let Some(place) = self.after {
            conditions.one("seq > ?", place);
        }
        conditions
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        id: super::read::id(row, 0, EventId::parse)?,
        event: row.get::<_, String>(1)?.into(),
        team_id: super::read::id(row, 2, TeamId::parse)?,
        project_id: super::read::optional(row, 3, ProjectId::parse)?,
        data: super::read::json(row, 4)?,
        created_at: Timestamp(row.get(5)?),
    })
}

/// A page of events, newest first, or after a place oldest first.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<Page<Event>, DbError> {
    let (conditions, mut values) = filter.conditions().finish();
    let total = super::page::count(connection, &format!("events WHERE {conditions}"), &values)?;
    values.extend([Value::from(i64::from(page.limit)), page.offset().into()]);
    let direction = if filter.after.is_some() { "ASC" } else { "DESC" };
    let sql = format!(
        "SELECT {COLUMNS} FROM events WHERE {conditions} ORDER BY seq {direction} LIMIT ? OFFSET ?"
    );
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total })
}

/// Events oldest first, each with its place.
///
/// # Errors
/// The database cannot be read.
pub fn forward(
    connection: &Connection,
    filter: &EventFilter,
    limit: u32,
) -> Result<Vec<(i64, Event)>, DbError> {
    let (conditions, mut values) = filter.conditions().finish();
    values.push(i64::from(limit).into());
    let sql = format!("SELECT {COLUMNS} FROM events WHERE {conditions} ORDER BY seq LIMIT ?");
    let events = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), |row| Ok((row.get(6)?, read(row)?)))?
        .collect::<Result<_, _>>()?;
    Ok(events)
}

/// The place of an event in the log.
///
/// # Errors
/// The database cannot be read.
pub fn place(connection: &Connection, id: &EventId) -> Result<Option<i64>, DbError> {
    let mut statement = connection.prepare_cached("SELECT seq FROM events WHERE id = ?1")?;
    Ok(statement.query_row([id.as_str()], |row| row.get(0)).optional()?)
}

/// The place of the newest event; 0 when there is none.
///
/// # Errors
/// The database cannot be read.
pub fn last_place(connection: &Connection) -> Result<i64, DbError> {
    Ok(connection.query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| row.get(0))?)
}

/// One event.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, id: &EventId) -> Result<Option<Event>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id.as_str()], read).optional()?)
}

/// Removes events that happened until `until`.
///
/// # Errors
/// The database cannot be written.
pub fn delete_until(connection: &Connection, until: Timestamp) -> Result<(), DbError> {
    connection.execute("DELETE FROM events WHERE created_at <= ?1", [until.0])?;
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
