//! Deployments that somebody deleted: hidden at once, gone when nothing is left of them.

use rusqlite::{Connection, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::deployment::Deployment;
use crate::model::ids::DeploymentId;
use crate::model::timestamp::Timestamp;

/// Host names of deleted deployments that a project keeps; the oldest are forgotten.
const KEPT: u32 = 1000;

/// Hides a deployment from everybody and remembers its host name.
///
/// # Errors
/// `Stale` when it is deleted already.
pub fn mark(
    connection: &Connection,
    deployment: &Deployment,
    now: Timestamp,
) -> Result<(), DbError> {
    super::branch_hosts::leave(connection, &deployment.id)?;
    exactly_one(connection.execute(
        "UPDATE deployments SET deleted_at = ?2, revision = revision + 1 WHERE id = ?1 AND deleted_at IS NULL",
        params![deployment.id.as_str(), now.0],
    )?)?;
    let project = deployment.project_id.as_str();
    connection.execute(
        "INSERT OR REPLACE INTO gone_hosts (hostname, project_id, gone_at) VALUES (?1, ?2, ?3)",
        params![deployment.hostname, project, now.0],
    )?;
    connection.execute(
        "DELETE FROM gone_hosts WHERE project_id = ?1 AND hostname NOT IN
            (SELECT hostname FROM gone_hosts WHERE project_id = ?1 ORDER BY gone_at DESC LIMIT ?2)",
        params![project, KEPT],
    )?;
    Ok(())
}

/// Deleted deployments of which something may be left.
///
/// # Errors
/// The database cannot be read.
pub fn marked(connection: &Connection) -> Result<Vec<DeploymentId>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id FROM deployments d JOIN projects p ON p.id = d.project_id
         WHERE d.deleted_at IS NOT NULL AND p.deleted_at IS NULL",
    )?;
    let ids = statement
        .query_map([], |row| super::read::id(row, 0, DeploymentId::parse))?
        .collect::<Result<_, _>>()?;
    Ok(ids)
}

/// Removes a deleted deployment's row.
///
/// # Errors
/// The database cannot be written.
pub fn purge(connection: &Connection, id: &DeploymentId) -> Result<(), DbError> {
    connection.execute(
        "DELETE FROM deployments WHERE id = ?1 AND deleted_at IS NOT NULL",
        [id.as_str()],
    )?;
    Ok(())
}

/// Host names of deleted deployments.
///
/// # Errors
/// The database cannot be read.
pub fn gone_hosts(connection: &Connection) -> Result<Vec<String>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT g.hostname FROM gone_hosts g JOIN projects p ON p.id = g.project_id WHERE p.deleted_at IS NULL",
    )?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}
