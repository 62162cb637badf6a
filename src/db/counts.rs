//! Tables `team_counts` and `project_counts`: how long lists are. Triggers keep them (see the migration).

use rusqlite::{Connection, OptionalExtension};

use super::DbError;
use crate::model::ids::{ProjectId, TeamId};

/// Projects of a team, or of everybody.
///
/// # Errors
/// The database cannot be read.
pub fn projects(connection: &Connection, team: Option<&TeamId>) -> Result<u64, DbError> {
    of_team(connection, "projects", team)
}

/// Deployments of a team, or of everybody.
///
/// # Errors
/// The database cannot be read.
pub fn deployments(connection: &Connection, team: Option<&TeamId>) -> Result<u64, DbError> {
    of_team(connection, "deployments", team)
}

fn of_team(connection: &Connection, column: &str, team: Option<&TeamId>) -> Result<u64, DbError> {
    let select = format!("SELECT coalesce(sum({column}), 0) FROM team_counts");
    let count: i64 = match team {
        None => connection.prepare_cached(&select)?.query_row([], |row| row.get(0))?,
        Some(team) => connection
            .prepare_cached(&format!("{select} WHERE team_id = ?1"))?
            .query_row([team.as_str()], |row| row.get(0))?,
    };
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Deployments of a project.
///
/// # Errors
/// The database cannot be read.
pub fn of_project(connection: &Connection, project: &ProjectId) -> Result<u64, DbError> {
    let count: Option<i64> = connection
        .prepare_cached("SELECT deployments FROM project_counts WHERE project_id = ?1")?
        .query_row([project.as_str()], |row| row.get(0))
        .optional()?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}
