//! Table `deployment_env`: the variables a deployment was made with, sealed.

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::ids::DeploymentId;

/// Stores sealed values.
///
/// # Errors
/// The database cannot be written.
pub fn insert(
    connection: &Connection,
    deployment: &DeploymentId,
    sealed: &[(String, Vec<u8>)],
) -> Result<(), DbError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO deployment_env (deployment_id, key, sealed) VALUES (?1, ?2, ?3)",
    )?;
    for (key, value) in sealed {
        statement.execute(params![deployment.as_str(), key, value])?;
    }
    Ok(())
}

/// Sealed values in byte order of their names.
///
/// # Errors
/// The database cannot be read.
pub fn load(
    connection: &Connection,
    deployment: &DeploymentId,
) -> Result<Vec<(String, Vec<u8>)>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, sealed FROM deployment_env WHERE deployment_id = ?1 ORDER BY key",
    )?;
    let values = statement
        .query_map([deployment.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(values)
}

/// What a value is sealed for.
pub fn identity(deployment: &DeploymentId, key: &str) -> String {
    format!("deployment_env/{deployment}/{key}")
}
