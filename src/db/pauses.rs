//! Pausing a project, and what follows from it.

use rusqlite::{Connection, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::timestamp::Timestamp;

/// Pauses a project; nothing of it waits to be released any more.
///
/// # Errors
/// `Stale` when it is paused or deleted.
pub fn pause(connection: &Connection, id: &ProjectId, now: Timestamp) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE projects SET paused_at = ?2, updated_at = ?2, revision = revision + 1
         WHERE id = ?1 AND paused_at IS NULL AND deleted_at IS NULL",
        params![id.as_str(), now.0],
    )?)?;
    super::releases::drop_of_project(connection, id)
}

/// Ends a pause.
///
/// # Errors
/// `Stale` when it is not paused, or deleted.
pub fn resume(connection: &Connection, id: &ProjectId, now: Timestamp) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE projects SET paused_at = NULL, updated_at = ?2, revision = revision + 1
         WHERE id = ?1 AND paused_at IS NOT NULL AND deleted_at IS NULL",
        params![id.as_str(), now.0],
    )?)
}

/// Deployments of paused projects that have a process.
///
/// # Errors
/// The database cannot be read.
pub fn running(connection: &Connection) -> Result<Vec<DeploymentId>, DbError> {
    ids(
        connection,
        "SELECT d.id FROM deployments d JOIN projects p ON p.id = d.project_id
         WHERE d.run_state IN ('running', 'paused') AND d.state IN ('ready', 'crashed') AND p.paused_at IS NOT NULL",
    )
}

/// Live deployments that sleep though nobody has paused them and their project does not want it.
///
/// # Errors
/// The database cannot be read.
pub fn asleep(connection: &Connection) -> Result<Vec<DeploymentId>, DbError> {
    ids(
        connection,
        "SELECT d.id FROM projects p JOIN deployments d ON d.id = p.live_deployment_id
         WHERE d.run_state IN ('stopped', 'paused') AND d.state = 'ready' AND p.paused_at IS NULL AND p.deleted_at IS NULL
            AND NOT coalesce(json_extract(p.runtime, '$.sleep.live'), 0)
            AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.project_id = p.id)",
    )
}

fn ids(connection: &Connection, sql: &str) -> Result<Vec<DeploymentId>, DbError> {
    let mut statement = connection.prepare_cached(sql)?;
    let ids = statement
        .query_map([], |row| super::read::id(row, 0, DeploymentId::parse))?
        .collect::<Result<_, _>>()?;
    Ok(ids)
}
