//! Table `receipts`: what each deployment was made of.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use super::deployment_phases;
use crate::model::deployment::Deployment;
use crate::model::ids::DeploymentId;
use crate::model::receipt::{PhaseFacts, Receipt, VariableFacts};
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;

/// Keeps a receipt, and the last lines of an application that failed.
///
/// # Errors
/// The database cannot be written.
pub fn put(
    connection: &Connection,
    deployment: &DeploymentId,
    receipt: &Receipt,
    output: &[String],
    now: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO receipts (deployment_id, body, output, written_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (deployment_id) DO UPDATE SET body = excluded.body, output = excluded.output,
            written_at = excluded.written_at",
        params![deployment.as_str(), json(receipt)?, json(&output)?, now.0],
    )?;
    Ok(())
}

/// The receipt of a deployment: the one that was kept, or what its row says.
///
/// # Errors
/// The database cannot be read.
pub fn of(connection: &Connection, deployment: &Deployment) -> Result<Receipt, DbError> {
    let timings = deployment_phases::list(connection, &deployment.id)?;
    // What was kept of one that ended before it had all is for whoever goes on with it.
    let whole = !deployment.state.unfinished() && deployment.state != State::Canceled;
    let kept = if whole { kept(connection, &deployment.id)? } else { None };
    let Some((kept, written_at)) = kept else { return Ok(Receipt::of(deployment, &timings)) };
    let phases = timings.iter().map(PhaseFacts::of).collect();
    Ok(Receipt { written_at: Some(written_at), phases, ..kept })
}

/// What was kept of a deployment, complete or not, and when.
///
/// # Errors
/// The database cannot be read.
pub fn kept(
    connection: &Connection,
    deployment: &DeploymentId,
) -> Result<Option<(Receipt, Timestamp)>, DbError> {
    let kept = connection
        .prepare_cached("SELECT body, written_at FROM receipts WHERE deployment_id = ?1")?
        .query_row([deployment.as_str()], |row| {
            Ok((row.get::<_, String>(0)?, Timestamp(row.get(1)?)))
        })
        .optional()?;
    kept.map(|(body, written_at)| Ok((parsed(&body)?, written_at))).transpose()
}

/// The last lines of an application that failed.
///
/// # Errors
/// The database cannot be read.
pub fn output(connection: &Connection, deployment: &DeploymentId) -> Result<Vec<String>, DbError> {
    let kept: Option<String> = connection
        .prepare_cached("SELECT output FROM receipts WHERE deployment_id = ?1")?
        .query_row([deployment.as_str()], |row| row.get(0))
        .optional()?;
    kept.map_or_else(|| Ok(Vec::new()), |text| parsed(&text))
}

/// A restart gave a deployment other variables.
///
/// # Errors
/// The database cannot be written.
pub fn put_variables(
    connection: &Connection,
    deployment: &DeploymentId,
    variables: &[VariableFacts],
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE receipts SET body = json_set(body, '$.variables', json(?2)) WHERE deployment_id = ?1",
        params![deployment.as_str(), json(&variables)?],
    )?;
    Ok(())
}

/// The last deployment before this one, of the same project, that became ready.
///
/// # Errors
/// The database cannot be read.
pub fn before(
    connection: &Connection,
    deployment: &Deployment,
) -> Result<Option<DeploymentId>, DbError> {
    let found = connection
        .prepare_cached(
            "SELECT id FROM deployments WHERE project_id = ?1 AND seq < ?2 AND deleted_at IS NULL
                AND state IN ('ready', 'crashed', 'removed') ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(params![deployment.project_id.as_str(), deployment.seq], |row| {
            super::read::id(row, 0, DeploymentId::parse)
        })
        .optional()?;
    Ok(found)
}

fn json(value: &impl serde::Serialize) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbError::Broken(error.to_string()))
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::Broken(error.to_string()))
}
