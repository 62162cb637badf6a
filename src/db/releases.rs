//! Table `releases`: what is to get a project's traffic, or to be started anew.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::deployment::Phase;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::release::{Release, ReleaseKind, ReturnReason, Variables};
use crate::model::timestamp::Timestamp;

const SELECT: &str = "SELECT seq, project_id, deployment_id, kind, phase, attempts, variables, from_id FROM releases";

fn read(row: &Row<'_>) -> rusqlite::Result<Release> {
    Ok(Release {
        seq: row.get(0)?,
        project_id: super::read::id(row, 1, ProjectId::parse)?,
        deployment_id: super::read::id(row, 2, DeploymentId::parse)?,
        kind: super::read::word(row, 3, ReleaseKind::parse)?,
        phase: super::read::word(row, 4, Phase::parse)?,
        attempts: row.get(5)?,
        variables: super::read::word(row, 6, Variables::parse)?,
        from: super::read::optional(row, 7, DeploymentId::parse)?,
    })
}

fn touch(connection: &Connection, deployment: &DeploymentId) -> Result<(), DbError> {
    connection.execute(
        "UPDATE deployments SET revision = revision + 1 WHERE id = ?1",
        [deployment.as_str()],
    )?;
    Ok(())
}

/// Writes a wish down; an older one of the same lane is replaced, unless it is for the same switch.
///
/// # Errors
/// The database cannot be written.
pub fn request(
    connection: &Connection,
    project: &ProjectId,
    deployment: &DeploymentId,
    kind: ReleaseKind,
    variables: Variables,
    now: Timestamp,
) -> Result<(), DbError> {
    let older = connection
        .query_row(
            &format!("{SELECT} WHERE project_id = ?1 AND lane = ?2"),
            [project.as_str(), kind.lane()],
            read,
        )
        .optional()?;
    if let Some(older) = older {
        let same = older.deployment_id == *deployment && older.variables == variables;
        if kind != ReleaseKind::Restart && same {
            return Ok(());
        }
        take(connection, older.seq)?;
    }
    connection.execute(
        "INSERT INTO releases (project_id, lane, kind, deployment_id, phase, requested_at, variables)
         VALUES (?1, ?2, ?3, ?4, 'starting', ?5, ?6)",
        params![
            project.as_str(), kind.lane(), kind.as_str(), deployment.as_str(), now.0, variables.as_str(),
        ],
    )?;
    connection.execute(
        "UPDATE deployments SET failure = NULL WHERE id = ?1 AND state IN ('ready', 'crashed')",
        [deployment.as_str()],
    )?;
    touch(connection, deployment)
}

/// Writes down that the traffic goes back by itself, from a deployment that fails. Whatever somebody wants counts more.
///
/// # Errors
/// `Stale` when another switch is wanted.
pub fn request_return(
    connection: &Connection,
    project: &ProjectId,
    from: &DeploymentId,
    to: &DeploymentId,
    reason: ReturnReason,
    now: Timestamp,
) -> Result<(), DbError> {
    let kind = ReleaseKind::Return(reason);
    let wanted: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM releases WHERE project_id = ?1 AND lane = ?2)",
        [project.as_str(), kind.lane()],
        |row| row.get(0),
    )?;
    if wanted {
        return Err(DbError::Stale);
    }
    request(connection, project, to, kind, Variables::Own, now)?;
    exactly_one(connection.execute(
        "UPDATE releases SET from_id = ?3 WHERE project_id = ?1 AND lane = ?2",
        params![project.as_str(), kind.lane(), from.as_str()],
    )?)
}

/// Every wish, the oldest first, a project's switch before its restart.
///
/// # Errors
/// The database cannot be read.
pub fn pending(connection: &Connection) -> Result<Vec<Release>, DbError> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} ORDER BY lane = 'restart', seq"))?;
    let all = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    Ok(all)
}

/// Whether a deployment is to get the traffic.
///
/// # Errors
/// The database cannot be read.
pub fn is_wanted(connection: &Connection, deployment: &DeploymentId) -> Result<bool, DbError> {
    Ok(connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM releases WHERE deployment_id = ?1 AND lane = 'switch')",
        [deployment.as_str()],
        |row| row.get(0),
    )?)
}

/// Begins it, for this deployment; answers how often that has happened.
///
/// # Errors
/// `Stale` when it is not wanted any more.
pub fn begin(connection: &Connection, seq: i64, deployment: &DeploymentId) -> Result<u32, DbError> {
    touch(connection, deployment)?;
    connection
        .query_row(
            "UPDATE releases SET attempts = attempts + 1, phase = 'starting', deployment_id = ?2
             WHERE seq = ?1 RETURNING attempts",
            params![seq, deployment.as_str()],
            |row| row.get(0),
        )
        .optional()?
        .ok_or(DbError::Stale)
}

/// It gives way to a more urgent one and is begun again later.
///
/// # Errors
/// The database cannot be written.
pub fn give_way(connection: &Connection, seq: i64) -> Result<(), DbError> {
    connection.execute(
        "UPDATE releases SET attempts = max(attempts - 1, 0), phase = 'starting' WHERE seq = ?1",
        [seq],
    )?;
    Ok(())
}

/// The next step.
///
/// # Errors
/// `Stale` when it is not wanted any more.
pub fn enter(connection: &Connection, release: &Release, phase: Phase) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE releases SET phase = ?2 WHERE seq = ?1",
        params![release.seq, phase.as_str()],
    )?)?;
    touch(connection, &release.deployment_id)
}

/// Takes a wish out: it is fulfilled, or given up.
///
/// # Errors
/// `Stale` when it is not wanted any more.
pub fn take(connection: &Connection, seq: i64) -> Result<(), DbError> {
    let deployment: Option<String> = connection
        .query_row("DELETE FROM releases WHERE seq = ?1 RETURNING deployment_id", [seq], |row| {
            row.get(0)
        })
        .optional()?;
    let deployment = deployment.ok_or(DbError::Stale)?;
    connection
        .execute("UPDATE deployments SET revision = revision + 1 WHERE id = ?1", [deployment])?;
    Ok(())
}

/// Nothing of this project is wanted any more.
///
/// # Errors
/// The database cannot be written.
pub fn drop_of_project(connection: &Connection, project: &ProjectId) -> Result<(), DbError> {
    connection.execute(
        "UPDATE deployments SET revision = revision + 1
         WHERE id IN (SELECT deployment_id FROM releases WHERE project_id = ?1)",
        [project.as_str()],
    )?;
    connection.execute("DELETE FROM releases WHERE project_id = ?1", [project.as_str()])?;
    Ok(())
}
