//! Table `pushed_refs`: where the branches and tags of a pushed repository are.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::ids::ProjectId;
use crate::model::timestamp::Timestamp;

/// A branch or a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedRef {
    /// `refs/heads/main`
    pub name: String,
    /// 40 hexadecimal digits.
    pub object: String,
}

/// All of a project's, by name.
///
/// # Errors
/// The database cannot be read.
pub fn list(connection: &Connection, project: &ProjectId) -> Result<Vec<PushedRef>, DbError> {
    let sql = "SELECT name, object FROM pushed_refs WHERE project_id = ?1 ORDER BY name";
    let found = connection
        .prepare_cached(sql)?
        .query_map([project.as_str()], |row| {
            Ok(PushedRef { name: row.get(0)?, object: row.get(1)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// Where one of a project's is.
///
/// # Errors
/// The database cannot be read.
pub fn find(
    connection: &Connection,
    project: &ProjectId,
    name: &str,
) -> Result<Option<String>, DbError> {
    let sql = "SELECT object FROM pushed_refs WHERE project_id = ?1 AND name = ?2";
    let values = params![project.as_str(), name];
    Ok(connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?)
}

/// Moves one from where it was, or makes it where there was none.
///
/// # Errors
/// `Stale` when it is not where it was said to be.
pub fn set(
    connection: &Connection,
    project: &ProjectId,
    name: &str,
    old: Option<&str>,
    new: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    exactly_one(match old {
        Some(old) => connection.execute(
            "UPDATE pushed_refs SET object = ?4, updated_at = ?5
             WHERE project_id = ?1 AND name = ?2 AND object = ?3",
            params![project.as_str(), name, old, new, now.0],
        )?,
        None => connection.execute(
            "INSERT INTO pushed_refs (project_id, name, object, updated_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
            params![project.as_str(), name, new, now.0],
        )?,
    })
}

/// Removes one.
///
/// # Errors
/// `Stale` when it is not where it was said to be.
pub fn remove(
    connection: &Connection,
    project: &ProjectId,
    name: &str,
    old: &str,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "DELETE FROM pushed_refs WHERE project_id = ?1 AND name = ?2 AND object = ?3",
        params![project.as_str(), name, old],
    )?)
}
