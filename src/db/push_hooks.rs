//! Tables `push_hooks` and `push_deliveries`: who may say that there is something to deploy, and what was said before.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::DbError;
use super::error::exactly_one;
use super::page::{Page, PageRequest};
use crate::model::ids::{DeploymentId, HookId, ProjectId, UserId};
use crate::model::push_hook::{HookKind, Provider, PushHook, REMEMBERED};
use crate::model::timestamp::Timestamp;

const SELECT: &str = "SELECT h.id, h.project_id, h.kind, h.provider, h.branch, h.previews, h.created_by, h.created_at,
    h.last_received_at, h.revision, h.token, h.secret, h.pull_requests,
    h.wait_for_checks FROM push_hooks h";

/// A hook with what is sealed of it.
#[derive(Clone, Debug)]
pub struct StoredHook {
    pub hook: PushHook,
    pub token: Vec<u8>,
    /// A deploy hook has none.
    pub secret: Option<Vec<u8>>,
}

/// What a hook's token is sealed for.
pub fn token_identity(id: &HookId) -> String {
    format!("push_hooks/{id}/token")
}

/// What a hook's secret is sealed for.
pub fn secret_identity(id: &HookId) -> String {
    format!("push_hooks/{id}/secret")
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredHook> {
    let hook = PushHook {
        id: super::read::id(row, 0, HookId::parse)?,
        project_id: super::read::id(row, 1, ProjectId::parse)?,
        kind: super::read::word(row, 2, HookKind::parse)?,
        provider: super::read::word(row, 3, Provider::parse)?,
        branch: row.get(4)?,
        previews: row.get(5)?,
        created_by: super::read::id(row, 6, UserId::parse)?,
        created_at: Timestamp(row.get(7)?),
        last_received_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        revision: row.get(9)?,
        pull_requests: row.get(12)?,
        wait_for_checks: row.get(13)?,
    };
    Ok(StoredHook { hook, token: row.get(10)?, secret: row.get(11)? })
}

/// Adds a hook.
///
/// # Errors
/// The database cannot be written.
pub fn insert(
    connection: &Connection,
    stored: &StoredHook,
    token_hash: &[u8; 32],
) -> Result<(), DbError> {
    let hook = &stored.hook;
    connection.execute(
        "INSERT INTO push_hooks (id, project_id, kind, provider, branch, previews, token_hash, token, secret, created_by,
            created_at, pull_requests, wait_for_checks)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            hook.id.as_str(), hook.project_id.as_str(), hook.kind.as_str(), hook.provider.as_str(), hook.branch,
            hook.previews, token_hash, stored.token, stored.secret, hook.created_by.as_str(), hook.created_at.0,
            hook.pull_requests, hook.wait_for_checks,
        ],
    )?;
    Ok(())
}

/// How many a project has.
///
/// # Errors
/// The database cannot be read.
pub fn count(connection: &Connection, project: &ProjectId) -> Result<u32, DbError> {
    let sql = "SELECT count(*) FROM push_hooks WHERE project_id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([project.as_str()], |row| row.get(0))?)
}

/// A page of a project's, the newest first.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    project: &ProjectId,
    page: PageRequest,
) -> Result<Page<StoredHook>, DbError> {
    let total = u64::from(count(connection, project)?);
    let sql = format!(
        "{SELECT} WHERE h.project_id = ?1 ORDER BY h.created_at DESC, h.id LIMIT ?2 OFFSET ?3"
    );
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params![project.as_str(), page.limit, page.offset()], read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total })
}

/// One of a project's.
///
/// # Errors
/// The database cannot be read.
pub fn find(
    connection: &Connection,
    project: &ProjectId,
    id: &HookId,
) -> Result<Option<StoredHook>, DbError> {
    let sql = format!("{SELECT} WHERE h.project_id = ?1 AND h.id = ?2");
    let values = params![project.as_str(), id.as_str()];
    Ok(connection.prepare_cached(&sql)?.query_row(values, read).optional()?)
}

/// The hook of a kind whose token has this hash, of a project that is not deleted.
///
/// # Errors
/// The database cannot be read.
pub fn find_by_token(
    connection: &Connection,
    kind: HookKind,
    token_hash: &[u8; 32],
) -> Result<Option<StoredHook>, DbError> {
    let sql = format!(
        "{SELECT} JOIN projects p ON p.id = h.project_id
         WHERE h.token_hash = ?1 AND h.kind = ?2 AND p.deleted_at IS NULL"
    );
    let values = params![token_hash, kind.as_str()];
    Ok(connection.prepare_cached(&sql)?.query_row(values, read).optional()?)
}

/// Gives a hook another token and another secret. Nobody has called the new address yet.
///
/// # Errors
/// `Stale` when it is gone or somebody was faster.
pub fn replace(
    connection: &Connection,
    stored: &StoredHook,
    token_hash: &[u8; 32],
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE push_hooks SET token_hash = ?3, token = ?4, secret = ?5, last_received_at = NULL, revision = revision + 1
         WHERE id = ?1 AND revision = ?2",
        params![
            stored.hook.id.as_str(), stored.hook.revision, token_hash, stored.token, stored.secret,
        ],
    )?)
}

/// Removes a hook with what it remembers.
///
/// # Errors
/// `Stale` when it is gone.
pub fn delete(connection: &Connection, id: &HookId) -> Result<(), DbError> {
    exactly_one(connection.execute("DELETE FROM push_hooks WHERE id = ?1", [id.as_str()])?)
}

/// Somebody called who could sign.
///
/// # Errors
/// The database cannot be written.
pub fn received(connection: &Connection, id: &HookId, now: Timestamp) -> Result<(), DbError> {
    connection.execute(
        "UPDATE push_hooks SET last_received_at = max(coalesce(last_received_at, 0), ?2) WHERE id = ?1",
        params![id.as_str(), now.0],
    )?;
    Ok(())
}

/// What was deployed for a delivery, when it is still known.
///
/// # Errors
/// The database cannot be read.
pub fn deployed_for(
    connection: &Connection,
    hook: &HookId,
    delivery: &[u8; 32],
    now: Timestamp,
) -> Result<Option<DeploymentId>, DbError> {
    let sql = "SELECT deployment_id FROM push_deliveries WHERE hook_id = ?1 AND delivery = ?2 AND received_at > ?3";
    let values = params![hook.as_str(), delivery, now.0 - REMEMBERED];
    let read = |row: &Row<'_>| super::read::id(row, 0, DeploymentId::parse);
    Ok(connection.prepare_cached(sql)?.query_row(values, read).optional()?)
}

/// Remembers what was deployed for a delivery, and forgets what is too old.
///
/// # Errors
/// `Unique` when it is known.
pub fn remember(
    connection: &Connection,
    hook: &HookId,
    delivery: &[u8; 32],
    deployment: &DeploymentId,
    now: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "DELETE FROM push_deliveries WHERE hook_id = ?1 AND received_at <= ?2",
        params![hook.as_str(), now.0 - REMEMBERED],
    )?;
    connection.execute(
        "INSERT INTO push_deliveries (hook_id, delivery, deployment_id, received_at) VALUES (?1, ?2, ?3, ?4)",
        params![hook.as_str(), delivery, deployment.as_str(), now.0],
    )?;
    Ok(())
}
