//! What could sleep, and what should be tried again.

use rusqlite::Connection;

use super::DbError;
use crate::model::deployment::RunState;
use crate::model::ids::DeploymentId;

/// A deployment that sleeps when nobody asks for it.
#[derive(Clone, Debug)]
pub struct Sleepy {
    pub id: DeploymentId,
    /// Running or paused.
    pub run_state: RunState,
}

/// Ready deployments with a process; live ones only of projects that want it.
///
/// # Errors
/// The database cannot be read.
pub fn sleepy(connection: &Connection) -> Result<Vec<Sleepy>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id, d.run_state FROM deployments d JOIN projects p ON p.id = d.project_id
         WHERE d.run_state IN ('running', 'paused') AND d.state = 'ready' AND d.deleted_at IS NULL
            AND p.deleted_at IS NULL AND p.paused_at IS NULL
            AND (p.live_deployment_id IS NOT d.id OR coalesce(json_extract(p.runtime, '$.sleep.live'), 0))",
    )?;
    let all = statement
        .query_map([], |row| {
            Ok(Sleepy {
                id: super::read::id(row, 0, DeploymentId::parse)?,
                run_state: super::read::word(row, 1, RunState::parse)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(all)
}

/// Live deployments that crashed and have no process, of projects that are not paused.
///
/// # Errors
/// The database cannot be read.
pub fn crashed(connection: &Connection) -> Result<Vec<DeploymentId>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id FROM projects p JOIN deployments d ON d.id = p.live_deployment_id
         WHERE d.state = 'crashed' AND d.run_state NOT IN ('running', 'paused') AND d.deleted_at IS NULL
            AND p.deleted_at IS NULL AND p.paused_at IS NULL",
    )?;
    let all = statement
        .query_map([], |row| super::read::id(row, 0, DeploymentId::parse))?
        .collect::<Result<_, _>>()?;
    Ok(all)
}
