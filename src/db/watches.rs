//! Table `watches`: deployments that got the traffic a moment ago.

use rusqlite::{Connection, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::timestamp::Timestamp;

/// A deployment that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    pub project: ProjectId,
    pub deployment: DeploymentId,
    /// Which gets the traffic back.
    pub previous: DeploymentId,
    /// Whether that one failed as well: then failing requests mean nothing.
    pub previous_failed: bool,
    pub until: Timestamp,
}

/// Watches a project's newest deployment, and no other any more.
///
/// # Errors
/// The database cannot be written.
pub fn begin(connection: &Connection, watch: &Watch) -> Result<(), DbError> {
    connection.execute(
        "INSERT OR REPLACE INTO watches (project_id, deployment_id, previous_id, previous_failed, until)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            watch.project.as_str(), watch.deployment.as_str(), watch.previous.as_str(),
            watch.previous_failed, watch.until.0,
        ],
    )?;
    Ok(())
}

/// Nothing of this project is watched any more.
///
/// # Errors
/// The database cannot be written.
pub fn end(connection: &Connection, project: &ProjectId) -> Result<(), DbError> {
    connection.execute("DELETE FROM watches WHERE project_id = ?1", [project.as_str()])?;
    Ok(())
}

/// Ends the watch over this deployment.
///
/// # Errors
/// `Stale` when it is not watched any more.
pub fn take(connection: &Connection, watch: &Watch) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "DELETE FROM watches WHERE project_id = ?1 AND deployment_id = ?2",
        params![watch.project.as_str(), watch.deployment.as_str()],
    )?)
}

/// All of them.
///
/// # Errors
/// The database cannot be read.
pub fn all(connection: &Connection) -> Result<Vec<Watch>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT project_id, deployment_id, previous_id, previous_failed, until FROM watches",
    )?;
    let all = statement
        .query_map([], |row| {
            Ok(Watch {
                project: super::read::id(row, 0, ProjectId::parse)?,
                deployment: super::read::id(row, 1, DeploymentId::parse)?,
                previous: super::read::id(row, 2, DeploymentId::parse)?,
                previous_failed: row.get(3)?,
                until: Timestamp(row.get(4)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(all)
}
