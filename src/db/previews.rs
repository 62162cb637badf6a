//! What of the rows belongs to a branch: its previews, and pushes that wait.

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::deployment::Trigger;
use crate::model::ids::{DeploymentId, ProjectId};

fn ids(
    connection: &Connection,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<DeploymentId>, DbError> {
    let mut statement = connection.prepare_cached(sql)?;
    let all = statement
        .query_map(values, |row| super::read::id(row, 0, DeploymentId::parse))?
        .collect::<Result<_, _>>()?;
    Ok(all)
}

/// Previews of a branch that serve, may serve, or are on their way.
///
/// # Errors
/// The database cannot be read.
pub fn of_branch(
    connection: &Connection,
    project: &ProjectId,
    branch: &str,
) -> Result<Vec<DeploymentId>, DbError> {
    let sql =
        "SELECT id FROM deployments WHERE project_id = ?1 AND branch = ?2 AND target = 'preview'
        AND state NOT IN ('failed', 'canceled', 'removed') AND deleted_at IS NULL ORDER BY seq";
    ids(connection, sql, params![project.as_str(), branch])
}

/// The newest preview of a commit of a branch that serves, may serve, or is on its way.
///
/// # Errors
/// The database cannot be read.
pub fn of_commit(
    connection: &Connection,
    project: &ProjectId,
    branch: &str,
    commit: &str,
) -> Result<Option<DeploymentId>, DbError> {
    let sql =
        "SELECT id FROM deployments WHERE project_id = ?1 AND branch = ?2 AND target = 'preview'
        AND ?3 IN (wanted_commit, commit_sha)
        AND state NOT IN ('failed', 'canceled', 'removed') AND deleted_at IS NULL ORDER BY seq DESC LIMIT 1";
    Ok(ids(connection, sql, params![project.as_str(), branch, commit])?.pop())
}

/// Pushes to a branch that wait in the queue before the deployment `newest`.
///
/// # Errors
/// The database cannot be read.
pub fn queued_before(
    connection: &Connection,
    project: &ProjectId,
    branch: &str,
    newest: i64,
) -> Result<Vec<DeploymentId>, DbError> {
    let sql = "SELECT id FROM deployments WHERE project_id = ?1 AND branch = ?2 AND trigger = ?3 AND seq < ?4
        AND state = 'queued' AND deleted_at IS NULL ORDER BY seq";
    let trigger = Trigger::GitPush.as_str();
    ids(connection, sql, params![project.as_str(), branch, trigger, newest])
}

/// Of every branch whose previews serve, may serve, or are on their way, its newest preview, also when that one failed;
/// the branch with the newest first.
///
/// # Errors
/// The database cannot be read.
pub fn newest_of_branches(
    connection: &Connection,
    project: &ProjectId,
) -> Result<Vec<DeploymentId>, DbError> {
    // Of a group SQLite answers the columns of the row with its `max` (its documentation, "Bare columns in an aggregate query").
    let sql = "SELECT id, max(seq) AS newest FROM deployments
        WHERE project_id = ?1 AND target = 'preview' AND state NOT IN ('canceled', 'removed') AND deleted_at IS NULL
            AND id IS NOT (SELECT live_deployment_id FROM projects WHERE id = ?1)
        GROUP BY branch HAVING sum(state <> 'failed') > 0 ORDER BY newest DESC";
    ids(connection, sql, params![project.as_str()])
}

/// The newest deployment that is no preview.
///
/// # Errors
/// The database cannot be read.
pub fn newest_beside(
    connection: &Connection,
    project: &ProjectId,
) -> Result<Option<DeploymentId>, DbError> {
    let sql = "SELECT id FROM deployments WHERE project_id = ?1 AND target <> 'preview' AND deleted_at IS NULL
        ORDER BY seq DESC LIMIT 1";
    Ok(ids(connection, sql, params![project.as_str()])?.pop())
}

/// Whether a push to some hook of a project makes previews.
///
/// # Errors
/// The database cannot be read.
pub fn by_hook(connection: &Connection, project: &ProjectId) -> Result<bool, DbError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM push_hooks WHERE project_id = ?1 AND (previews OR pull_requests))";
    Ok(connection.prepare_cached(sql)?.query_row([project.as_str()], |row| row.get(0))?)
}
