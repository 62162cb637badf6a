//! Table `deployment_phases`: when each step of a deployment began and ended.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use crate::model::deployment::{Phase, PhaseTiming};
use crate::model::ids::DeploymentId;
use crate::model::timestamp::Timestamp;

/// Ends the step that runs, if any, and begins this one (unless it is `Done`).
///
/// # Errors
/// The database cannot be written.
pub fn enter(
    connection: &Connection,
    deployment: &DeploymentId,
    phase: Phase,
    now: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE deployment_phases SET finished_at = ?2 WHERE deployment_id = ?1 AND finished_at IS NULL",
        params![deployment.as_str(), now.0],
    )?;
    if phase != Phase::Done {
        connection.execute(
            "INSERT INTO deployment_phases (deployment_id, phase, started_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (deployment_id, phase) DO UPDATE SET started_at = excluded.started_at, finished_at = NULL",
            params![deployment.as_str(), phase.as_str(), now.0],
        )?;
    }
    Ok(())
}

/// When the step that runs began, if it is this one.
///
/// # Errors
/// The database cannot be read.
pub fn began(
    connection: &Connection,
    deployment: &DeploymentId,
    phase: Phase,
) -> Result<Option<Timestamp>, DbError> {
    let began = connection
        .prepare_cached(
            "SELECT started_at FROM deployment_phases
             WHERE deployment_id = ?1 AND phase = ?2 AND finished_at IS NULL",
        )?
        .query_row(params![deployment.as_str(), phase.as_str()], |row| row.get(0))
        .optional()?;
    Ok(began.map(Timestamp))
}

/// The steps in the order they began.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    deployment: &DeploymentId,
) -> Result<Vec<PhaseTiming>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT phase, started_at, finished_at FROM deployment_phases WHERE deployment_id = ?1 ORDER BY started_at",
    )?;
    let steps = statement
        .query_map([deployment.as_str()], |row| {
            Ok(PhaseTiming {
                phase: super::read::word(row, 0, Phase::parse)?,
                started_at: Timestamp(row.get(1)?),
                finished_at: row.get::<_, Option<i64>>(2)?.map(Timestamp),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(steps)
}
