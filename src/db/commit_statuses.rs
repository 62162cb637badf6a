//! Table `commit_statuses`: of which deployments forges are still to be told.

use rusqlite::{Connection, Row, params};

use super::DbError;
use crate::model::forge::Status;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::timestamp::Timestamp;

/// One that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub deployment: DeploymentId,
    pub project: ProjectId,
    /// What the forge was told last.
    pub told: Option<Status>,
    /// What was tried last.
    pub tried: Option<Status>,
    /// How often that was tried in vain.
    pub attempts: u32,
}

/// The forge is to be told of a deployment, when its project has one.
///
/// # Errors
/// The database cannot be written.
pub fn begin(
    connection: &Connection,
    deployment: &DeploymentId,
    project: &ProjectId,
    now: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO commit_statuses (deployment_id, project_id, next_at)
         SELECT ?1, project_id, ?3 FROM forges WHERE project_id = ?2",
        params![deployment.as_str(), project.as_str(), now.0],
    )?;
    Ok(())
}

/// Those whose time has come, at most `limit`.
///
/// # Errors
/// The database cannot be read.
pub fn due(connection: &Connection, now: Timestamp, limit: u32) -> Result<Vec<Waiting>, DbError> {
    let read = |row: &Row<'_>| {
        let status = |index| {
            let word: Option<String> = row.get(index)?;
            Ok::<_, rusqlite::Error>(word.as_deref().and_then(Status::parse))
        };
        Ok(Waiting {
            deployment: super::read::id(row, 0, DeploymentId::parse)?,
            project: super::read::id(row, 1, ProjectId::parse)?,
            told: status(2)?,
            tried: status(3)?,
            attempts: row.get(4)?,
        })
    };
    // What was told that it is pending is looked at again until it is over.
    let sql = "SELECT s.deployment_id, s.project_id, s.told, s.tried, s.attempts
               FROM commit_statuses s JOIN deployments d ON d.id = s.deployment_id
               WHERE NOT s.done
                 AND (s.next_at <= ?1 OR (s.tried = 'pending' AND d.finished_at IS NOT NULL))
                 AND (d.finished_at IS NOT NULL
                    OR (s.told IS NULL AND (d.commit_sha IS NOT NULL OR length(d.wanted_commit) = 40)))
               ORDER BY s.next_at LIMIT ?2";
    let found = connection
        .prepare_cached(sql)?
        .query_map(params![now.0, limit], read)?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// The forge has taken a status.
///
/// # Errors
/// The database cannot be written.
pub fn told(
    connection: &Connection,
    deployment: &DeploymentId,
    status: Status,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE commit_statuses SET told = ?2, tried = NULL, attempts = 0, done = ?3 WHERE deployment_id = ?1",
        params![deployment.as_str(), status.as_str(), status.is_last()],
    )?;
    Ok(())
}

/// The forge has not taken a status; it is tried again at `next`.
///
/// # Errors
/// The database cannot be written.
pub fn failed(
    connection: &Connection,
    deployment: &DeploymentId,
    status: Status,
    attempts: u32,
    next: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE commit_statuses SET tried = ?2, attempts = ?3, next_at = ?4 WHERE deployment_id = ?1",
        params![deployment.as_str(), status.as_str(), attempts, next.0],
    )?;
    Ok(())
}

/// Nothing is told of a deployment any more.
///
/// # Errors
/// The database cannot be written.
pub fn give_up(connection: &Connection, deployment: &DeploymentId) -> Result<(), DbError> {
    let sql = "UPDATE commit_statuses SET done = 1 WHERE deployment_id = ?1";
    connection.execute(sql, [deployment.as_str()])?;
    Ok(())
}

/// A forge has another token: what was given up since `since` is told now.
///
/// # Errors
/// The database cannot be written.
pub fn again(
    connection: &Connection,
    project: &ProjectId,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE commit_statuses SET done = 0, tried = NULL, attempts = 0, next_at = ?3
         WHERE project_id = ?1 AND coalesce(told, 'pending') = 'pending' AND next_at > ?2",
        params![project.as_str(), since.0, now.0],
    )?;
    Ok(())
}
