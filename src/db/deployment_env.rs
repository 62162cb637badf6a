//! Table `deployment_env`: the variables a deployment was made with, sealed. Some came with the request
//! for it and are its own, the others are the project's.

use rusqlite::{Connection, params};

use super::DbError;
use super::env_vars;
use super::error::exactly_one;
use crate::model::deployment::Target;
use crate::model::ids::{DeploymentId, ProjectId};

/// Seals a value that is sealed for the first identity for the second one; `None` when it does not open.
pub type Reseal<'a> = &'a dyn Fn(&str, &str, &[u8]) -> Option<Vec<u8>>;

const OWN: &str =
    "SELECT key, sealed FROM deployment_env WHERE deployment_id = ?1 AND own ORDER BY key";

/// What a deployment gets from its project.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// By name, sealed for the deployment; without what the deployment has of its own.
    values: Vec<(String, Vec<u8>)>,
    /// The project's count of changes it was taken at.
    revision: i64,
}

/// Stores sealed values of the deployment's own.
///
/// # Errors
/// The database cannot be written.
pub fn insert(
    connection: &Connection,
    deployment: &DeploymentId,
    sealed: &[(String, Vec<u8>)],
) -> Result<(), DbError> {
    add(connection, deployment, sealed, true)
}

fn add(
    connection: &Connection,
    deployment: &DeploymentId,
    sealed: &[(String, Vec<u8>)],
    own: bool,
) -> Result<(), DbError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO deployment_env (deployment_id, key, sealed, own) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (key, value) in sealed {
        statement.execute(params![deployment.as_str(), key, value, own])?;
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
    read(
        connection,
        "SELECT key, sealed FROM deployment_env WHERE deployment_id = ?1 ORDER BY key",
        deployment,
    )
}

/// Sealed values of the deployment's own, and what was drawn for it, in byte order of their names.
///
/// # Errors
/// The database cannot be read.
pub fn load_with(
    connection: &Connection,
    deployment: &DeploymentId,
    drawn: Snapshot,
) -> Result<Vec<(String, Vec<u8>)>, DbError> {
    let mut values = read(connection, OWN, deployment)?;
    values.extend(drawn.values);
    values.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(values)
}

fn read(
    connection: &Connection,
    sql: &str,
    deployment: &DeploymentId,
) -> Result<Vec<(String, Vec<u8>)>, DbError> {
    let values = connection
        .prepare_cached(sql)?
        .query_map([deployment.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(values)
}

/// What a deployment would get from its project now.
///
/// # Errors
/// `NotFound` without the deployment, `Broken` when a value does not open.
pub fn draw(
    connection: &Connection,
    deployment: &DeploymentId,
    reseal: Reseal<'_>,
) -> Result<Snapshot, DbError> {
    let (project, target, revision, untrusted) = connection
        .prepare_cached(
            "SELECT p.id, d.target, CASE d.target WHEN 'preview' THEN p.preview_env_revision ELSE p.env_revision END,
                d.untrusted
             FROM deployments d JOIN projects p ON p.id = d.project_id WHERE d.id = ?1",
        )?
        .query_row([deployment.as_str()], |row| {
            let project = super::read::id(row, 0, ProjectId::parse)?;
            Ok((project, super::read::word(row, 1, Target::parse)?, row.get(2)?, row.get(3)?))
        })?;
    let mut drawn = env_vars::effective(connection, &project, target, untrusted)?;
    for (key, _) in read(connection, OWN, deployment)? {
        drawn.remove(&key);
    }
    let mut values = Vec::with_capacity(drawn.len());
    for (key, (from, sealed)) in drawn {
        let of_project = env_vars::identity(&project, from, &key);
        let resealed = reseal(&of_project, &identity(deployment, &key), &sealed);
        let broken = || DbError::Broken(format!("the variable {key} of {project} does not open"));
        values.push((key.clone(), resealed.ok_or_else(broken)?));
    }
    Ok(Snapshot { values, revision })
}

/// Gives a deployment what was drawn, in the place of what it had from its project.
///
/// # Errors
/// `Stale` without the deployment.
pub fn put(
    connection: &Connection,
    deployment: &DeploymentId,
    snapshot: &Snapshot,
) -> Result<(), DbError> {
    connection
        .prepare_cached("DELETE FROM deployment_env WHERE deployment_id = ?1 AND NOT own")?
        .execute([deployment.as_str()])?;
    add(connection, deployment, &snapshot.values, false)?;
    exactly_one(
        connection
            .prepare_cached("UPDATE deployments SET env_revision = ?2 WHERE id = ?1")?
            .execute(params![deployment.as_str(), snapshot.revision])?,
    )
}

/// Gives a deployment the variables its project has now.
///
/// # Errors
/// As [`draw`] and [`put`].
pub fn refresh(
    connection: &Connection,
    deployment: &DeploymentId,
    reseal: Reseal<'_>,
) -> Result<(), DbError> {
    put(connection, deployment, &draw(connection, deployment, reseal)?)
}

/// What a value is sealed for.
pub fn identity(deployment: &DeploymentId, key: &str) -> String {
    format!("deployment_env/{deployment}/{key}")
}
