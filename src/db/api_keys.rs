//! Table `api_keys`.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

use super::DbError;
use super::error::exactly_one;
use super::page::{Page, PageRequest};
use crate::model::api_key::{ApiKey, KeyKind};
use crate::model::ids::{KeyId, ProjectId, UserId};
use crate::model::scope::Scopes;
use crate::model::timestamp::Timestamp;

const COLUMNS: &str = "id, user_id, kind, name, prefix, last4, scopes, allowed_ips, project_ids, expires_at, last_used_at, last_used_ip, created_at, revoked_at";

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let projects: Vec<ProjectId> = super::read::json(row, 8)?;
    Ok(ApiKey {
        id: super::read::id(row, 0, KeyId::parse)?,
        user_id: super::read::id(row, 1, UserId::parse)?,
        kind: super::read::word(row, 2, KeyKind::parse)?,
        name: row.get(3)?,
        prefix: row.get(4)?,
        last4: row.get(5)?,
        scopes: super::read::word(row, 6, |text| Some(Scopes::from_stored(text)))?,
        allowed_ips: super::read::json(row, 7)?,
        project_ids: projects,
        expires_at: row.get::<_, Option<i64>>(9)?.map(Timestamp),
        last_used_at: row.get::<_, Option<i64>>(10)?.map(Timestamp),
        last_used_ip: row.get(11)?,
        created_at: Timestamp(row.get(12)?),
        revoked_at: row.get::<_, Option<i64>>(13)?.map(Timestamp),
    })
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbError::Broken(error.to_string()))
}

/// Adds a key, known by the SHA-256 of the whole key.
///
/// # Errors
/// The database cannot be written.
pub fn insert(connection: &Connection, key: &ApiKey, hash: &[u8; 32]) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO api_keys (id, user_id, kind, name, hash, prefix, last4, scopes, allowed_ips, project_ids, expires_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            key.id.as_str(), key.user_id.as_str(), key.kind.as_str(), key.name, hash, key.prefix, key.last4,
            key.scopes.to_stored(), to_json(&key.allowed_ips)?, to_json(&key.project_ids)?,
            key.expires_at.map(|at| at.0), key.created_at.0,
        ],
    )?;
    Ok(())
}

/// Finds a key by the hash of the whole key, whatever its status.
///
/// # Errors
/// The database cannot be read.
pub fn find_by_hash(connection: &Connection, hash: &[u8; 32]) -> Result<Option<ApiKey>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE hash = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([hash], read).optional()?)
}

/// Finds a key of an account.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, user: &UserId, id: &KeyId) -> Result<Option<ApiKey>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE user_id = ?1 AND id = ?2");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row(params![user.as_str(), id.as_str()], read)
        .optional()?)
}

/// Keys of an account, newest first, of these statuses (empty is all).
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    user: &UserId,
    statuses: &[String],
    now: Timestamp,
    page: PageRequest,
) -> Result<Page<ApiKey>, DbError> {
    let mut filter = "user_id = ?1".to_owned();
    let mut values: Vec<Value> = vec![user.as_str().to_owned().into(), now.0.into()];
    if !statuses.is_empty() {
        let wanted: Vec<_> = statuses
            .iter()
            .map(|status| match status.as_str() {
                "revoked" => "revoked_at IS NOT NULL",
                "expired" => "(revoked_at IS NULL AND expires_at <= ?2)",
                _ => "(revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2))",
            })
            .collect();
        filter = format!("{filter} AND ({})", wanted.join(" OR "));
    }
    let total = connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM api_keys WHERE {filter} AND ?2 IS NOT NULL"
        ))?
        .query_row(params_from_iter(&values), |row| row.get::<_, i64>(0))?;
    values.extend([i64::from(page.limit).into(), page.offset().into()]);
    let sql = format!(
        "SELECT {COLUMNS} FROM api_keys WHERE {filter} AND ?2 IS NOT NULL ORDER BY seq DESC LIMIT ?3 OFFSET ?4"
    );
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total: u64::try_from(total).unwrap_or(0) })
}

/// Revokes a key that is not revoked yet.
///
/// # Errors
/// `Stale` when it is gone or already revoked.
pub fn revoke(connection: &Connection, id: &KeyId, now: Timestamp) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
        params![id.as_str(), now.0],
    )?)
}

/// Records when and from where keys were used, many at a time.
///
/// # Errors
/// The database cannot be written.
pub fn record_use(
    connection: &Connection,
    uses: &[(KeyId, Timestamp, String)],
) -> Result<(), DbError> {
    let mut statement = connection
        .prepare_cached("UPDATE api_keys SET last_used_at = ?2, last_used_ip = ?3 WHERE id = ?1")?;
    for (id, at, ip) in uses {
        statement.execute(params![id.as_str(), at.0, ip])?;
    }
    Ok(())
}
