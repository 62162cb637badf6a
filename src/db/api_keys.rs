//! Table `api_keys`.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

use super::DbError;
use super::error::exactly_one;
use super::filter::Conditions;
use super::page::{Page, PageRequest};
use crate::model::api_key::{ApiKey, KeyKind};
use crate::model::ids::{KeyId, ProjectId, UserId};
use crate::model::scope::Scopes;
use crate::model::timestamp::Timestamp;

const COLUMNS: &str = "id, user_id, kind, name, prefix, last4, scopes, allowed_ips, project_ids, expires_at, last_used_at, last_used_ip, created_at, revoked_at, revision";

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
        revision: row.get(14)?,
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
        "INSERT INTO api_keys (id, user_id, kind, name, hash, prefix, last4, scopes, allowed_ips, project_ids, expires_at, created_at, project_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            key.id.as_str(), key.user_id.as_str(), key.kind.as_str(), key.name, hash, key.prefix, key.last4,
            key.scopes.to_stored(), to_json(&key.allowed_ips)?, to_json(&key.project_ids)?,
            key.expires_at.map(|at| at.0), key.created_at.0, key.project().map(ProjectId::as_str),
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

/// Fields a list can be sorted by.
pub const SORTS: [&str; 3] = ["created_at", "name", "last_used_at"];

/// Whose keys.
#[derive(Clone, Debug)]
pub enum Owner {
    /// Keys of an account, without the tokens it made for projects.
    User(UserId),
    /// Tokens of a project.
    Project(ProjectId),
}

/// Which keys of a list.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// `active`, `expired`, `revoked`; empty is all.
    pub statuses: Vec<String>,
    /// Only keys that are limited to some of these; empty is all keys.
    pub only_projects: Vec<ProjectId>,
    /// Case-insensitive part of the name.
    pub query: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// One of [`SORTS`] and whether descending; newest first when `None`.
    pub sort: Option<(String, bool)>,
}

const STATUS: &str = "CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= ? THEN 'expired' ELSE 'active' END";

/// A page of keys.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    owner: &Owner,
    filter: &KeyFilter,
    now: Timestamp,
    page: PageRequest,
) -> Result<Page<ApiKey>, DbError> {
    let mut conditions = match owner {
        Owner::User(user) => {
            let mut conditions = Conditions::new("project_id IS NULL");
            conditions.one("user_id = ?", user.as_str());
            conditions
        }
        Owner::Project(project) => {
            let mut conditions = Conditions::new("1");
            conditions.one("project_id = ?", project.as_str());
            conditions
        }
    };
    if !filter.statuses.is_empty() {
        conditions.bind(now.0);
        conditions.any(STATUS, filter.statuses.iter().map(String::as_str));
    }
    if !filter.only_projects.is_empty() {
        let visible = to_json(&filter.only_projects)?;
        conditions.one(
            "project_ids <> '[]' AND NOT EXISTS (SELECT 1 FROM json_each(project_ids) AS own
                WHERE own.value NOT IN (SELECT value FROM json_each(?)))",
            visible.as_str(),
        );
    }
    if let Some(query) = &filter.query {
        conditions.one("instr(lower(name), lower(?)) > 0", query.as_str());
    }
    conditions.between("created_at", filter.created_after, filter.created_before);
    let (field, descending) = match &filter.sort {
        Some((field, descending)) => (field.as_str(), *descending),
        None => ("created_at", true),
    };
    let column = match field {
        "name" => "name COLLATE NOCASE",
        "last_used_at" => "last_used_at",
        _ => "seq",
    };
    let direction = if descending { "DESC" } else { "ASC" };
    let (filter, mut values) = conditions.finish();
    let total: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM api_keys WHERE {filter}"))?
        .query_row(params_from_iter(&values), |row| row.get(0))?;
    values.extend([Value::from(i64::from(page.limit)), page.offset().into()]);
    let sql = format!(
        "SELECT {COLUMNS} FROM api_keys WHERE {filter} ORDER BY {column} {direction}, seq {direction} LIMIT ? OFFSET ?"
    );
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total: u64::try_from(total).unwrap_or(0) })
}

/// Finds a token of a project, whoever made it.
///
/// # Errors
/// The database cannot be read.
pub fn find_of_project(
    connection: &Connection,
    project: &ProjectId,
    id: &KeyId,
) -> Result<Option<ApiKey>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE project_id = ?1 AND id = ?2");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row(params![project.as_str(), id.as_str()], read)
        .optional()?)
}

/// Writes what can be changed of a key; guarded by the revision that was read.
///
/// # Errors
/// `Stale` when somebody changed or revoked it meanwhile.
pub fn update(connection: &Connection, key: &ApiKey) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE api_keys SET name = ?3, scopes = ?4, allowed_ips = ?5, project_ids = ?6, expires_at = ?7,
            revision = revision + 1
         WHERE id = ?1 AND revision = ?2 AND revoked_at IS NULL",
        params![
            key.id.as_str(), key.revision, key.name, key.scopes.to_stored(), to_json(&key.allowed_ips)?,
            to_json(&key.project_ids)?, key.expires_at.map(|at| at.0),
        ],
    )?)
}

/// Revokes a key that is not revoked yet.
///
/// # Errors
/// `Stale` when it is gone or already revoked.
pub fn revoke(connection: &Connection, id: &KeyId, now: Timestamp) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE api_keys SET revoked_at = ?2, revision = revision + 1 WHERE id = ?1 AND revoked_at IS NULL",
        params![id.as_str(), now.0],
    )?)
}

/// Revokes every token of a project that is not revoked yet, and says which these were.
///
/// # Errors
/// The database cannot be written.
pub fn revoke_of_project(
    connection: &Connection,
    project: &ProjectId,
    now: Timestamp,
) -> Result<Vec<ApiKey>, DbError> {
    let sql = format!(
        "UPDATE api_keys SET revoked_at = ?2, revision = revision + 1 WHERE project_id = ?1 AND revoked_at IS NULL
         RETURNING {COLUMNS}"
    );
    let revoked = connection
        .prepare_cached(&sql)?
        .query_map(params![project.as_str(), now.0], read)?
        .collect::<Result<_, _>>()?;
    Ok(revoked)
}

/// Removes keys that were revoked or had expired by `until`.
///
/// # Errors
/// The database cannot be written.
pub fn delete_ended(connection: &Connection, until: Timestamp) -> Result<(), DbError> {
    connection
        .execute("DELETE FROM api_keys WHERE revoked_at <= ?1 OR expires_at <= ?1", [until.0])?;
    Ok(())
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
