//! Table `holds`: projects whose requests wait until one deployment has stopped and another has started.

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::timestamp::Timestamp;

/// Requests of a project wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub project: ProjectId,
    /// Which had the traffic and has to stop.
    pub from: DeploymentId,
    /// Which is to be started.
    pub to: DeploymentId,
}

/// Lets a project's requests wait.
///
/// # Errors
/// The database cannot be written.
pub fn begin(connection: &Connection, hold: &Hold, now: Timestamp) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO holds (project_id, from_id, to_id, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (project_id) DO UPDATE SET from_id = excluded.from_id, to_id = excluded.to_id, since = excluded.since",
        params![hold.project.as_str(), hold.from.as_str(), hold.to.as_str(), now.0],
    )?;
    Ok(())
}

/// Lets the requests go on; none that wait is fine.
///
/// # Errors
/// The database cannot be written.
pub fn end(connection: &Connection, project: &ProjectId) -> Result<(), DbError> {
    connection.execute("DELETE FROM holds WHERE project_id = ?1", [project.as_str()])?;
    Ok(())
}

/// Whether a project's requests wait.
///
/// # Errors
/// The database cannot be read.
pub fn is_held(connection: &Connection, project: &ProjectId) -> Result<bool, DbError> {
    let mut statement =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM holds WHERE project_id = ?1)")?;
    Ok(statement.query_row([project.as_str()], |row| row.get(0))?)
}

/// All of them.
///
/// # Errors
/// The database cannot be read.
pub fn all(connection: &Connection) -> Result<Vec<Hold>, DbError> {
    let mut statement =
        connection.prepare_cached("SELECT project_id, from_id, to_id FROM holds")?;
    let all = statement
        .query_map([], |row| {
            Ok(Hold {
                project: super::read::id(row, 0, ProjectId::parse)?,
                from: super::read::id(row, 1, DeploymentId::parse)?,
                to: super::read::id(row, 2, DeploymentId::parse)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(all)
}
