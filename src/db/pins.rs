//! Table `project_pins`: versions that a project was built with.

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::build_plan::Version;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::timestamp::Timestamp;

/// What a project is pinned to, as (`python`, `3.13`), by name.
///
/// # Errors
/// The database cannot be read.
pub fn of_project(
    connection: &Connection,
    project: &ProjectId,
) -> Result<Vec<(String, String)>, DbError> {
    let sql = "SELECT name, version FROM project_pins WHERE project_id = ?1 ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([project.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Pins a project to the versions of a deployment, in place of what it was pinned to. A version that stays keeps the
/// deployment that brought it.
///
/// # Errors
/// The database cannot be written.
pub fn replace(
    connection: &Connection,
    project: &ProjectId,
    versions: &[Version],
    deployment: &DeploymentId,
    now: Timestamp,
) -> Result<(), DbError> {
    let names: Vec<&str> = versions.iter().map(|version| version.name.as_str()).collect();
    let names = serde_json::to_string(&names).map_err(|e| DbError::Broken(e.to_string()))?;
    connection.execute(
        "DELETE FROM project_pins WHERE project_id = ?1 AND name NOT IN (SELECT value FROM json_each(?2))",
        params![project.as_str(), names],
    )?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO project_pins (project_id, name, version, deployment_id, pinned_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET version = excluded.version, deployment_id = excluded.deployment_id,
            pinned_at = excluded.pinned_at WHERE version <> excluded.version",
    )?;
    for version in versions {
        statement.execute(params![
            project.as_str(),
            version.name,
            version.version,
            deployment.as_str(),
            now.0
        ])?;
    }
    Ok(())
}
