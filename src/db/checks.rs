//! Deployments that wait in the queue for the checks of their forge.

use rusqlite::{Connection, Row, params};

use super::DbError;
use crate::model::ids::DeploymentId;
use crate::model::timestamp::Timestamp;

/// One that waits.
#[derive(Clone, Debug)]
pub struct Checked {
    pub deployment: DeploymentId,
    /// Until when.
    pub until: Timestamp,
}

/// Those that are to be looked at, at most `limit`.
///
/// # Errors
/// The database cannot be read.
pub fn due(connection: &Connection, now: Timestamp, limit: u32) -> Result<Vec<Checked>, DbError> {
    let read = |row: &Row<'_>| {
        Ok(Checked {
            deployment: super::read::id(row, 0, DeploymentId::parse)?,
            until: Timestamp(row.get(1)?),
        })
    };
    let sql = "SELECT id, checks_until FROM deployments
               WHERE checks_until IS NOT NULL AND state = 'queued' AND coalesce(checks_next, 0) <= ?1
                 AND cancel_requested IS NULL
               ORDER BY checks_next LIMIT ?2";
    let found = connection
        .prepare_cached(sql)?
        .query_map(params![now.0, limit], read)?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// They are looked at again then; `waiting` is what is said until then.
///
/// # Errors
/// The database cannot be written.
pub fn again(
    connection: &Connection,
    deployment: &DeploymentId,
    waiting: &str,
    next: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE deployments SET checks_next = ?2, revision = revision + (waiting IS NOT ?3), waiting = ?3
         WHERE id = ?1 AND checks_until IS NOT NULL",
        params![deployment.as_str(), next.0, waiting],
    )?;
    Ok(())
}

/// It waits no more.
///
/// # Errors
/// The database cannot be written.
pub fn release(connection: &Connection, deployment: &DeploymentId) -> Result<(), DbError> {
    connection.execute(
        "UPDATE deployments SET checks_until = NULL, checks_next = NULL, waiting = NULL, revision = revision + 1
         WHERE id = ?1 AND checks_until IS NOT NULL",
        [deployment.as_str()],
    )?;
    Ok(())
}
