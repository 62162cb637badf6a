//! Table `forges`: how projects talk to the forges their code comes from.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::DbError;
use crate::model::forge::{Forge, ForgeKind};
use crate::model::ids::ProjectId;
use crate::model::timestamp::Timestamp;

/// A forge with the sealed token.
#[derive(Clone, Debug)]
pub struct StoredForge {
    pub forge: Forge,
    pub token: Vec<u8>,
}

/// What a token is sealed for: one that was moved, or whose address was changed, does not open.
pub fn identity(project: &ProjectId, api_url: &str) -> String {
    format!("forges/{project}/{api_url}")
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredForge> {
    let forge = Forge {
        project_id: super::read::id(row, 0, ProjectId::parse)?,
        kind: super::read::word(row, 1, ForgeKind::parse)?,
        api_url: row.get(2)?,
        trouble: row.get(3)?,
        told_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        created_at: Timestamp(row.get(5)?),
        revision: row.get(6)?,
    };
    Ok(StoredForge { forge, token: row.get(7)? })
}

/// That of a project.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, project: &ProjectId) -> Result<Option<StoredForge>, DbError> {
    let sql = "SELECT project_id, kind, api_url, trouble, told_at, created_at, revision, token FROM forges
               WHERE project_id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([project.as_str()], read).optional()?)
}

/// Stores that of a project in the place of an earlier one; what there was to say of that is forgotten.
///
/// # Errors
/// The database cannot be written.
pub fn set(connection: &Connection, stored: &StoredForge) -> Result<(), DbError> {
    let forge = &stored.forge;
    connection.execute(
        "INSERT INTO forges (project_id, kind, api_url, token, created_at, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (project_id) DO UPDATE SET kind = ?2, api_url = ?3, token = ?4, trouble = NULL, revision = ?6",
        params![
            forge.project_id.as_str(), forge.kind.as_str(), forge.api_url, stored.token, forge.created_at.0,
            forge.revision,
        ],
    )?;
    Ok(())
}

/// Removes that of a project. Answers whether there was one.
///
/// # Errors
/// The database cannot be written.
pub fn remove(connection: &Connection, project: &ProjectId) -> Result<bool, DbError> {
    let sql = "DELETE FROM forges WHERE project_id = ?1";
    Ok(connection.execute(sql, [project.as_str()])? > 0)
}

/// Writes down how the newest call ended.
///
/// # Errors
/// The database cannot be written.
pub fn note(
    connection: &Connection,
    project: &ProjectId,
    trouble: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql =
        "UPDATE forges SET trouble = ?2, told_at = CASE WHEN ?2 IS NULL THEN ?3 ELSE told_at END
               WHERE project_id = ?1";
    connection.execute(sql, params![project.as_str(), trouble, now.0])?;
    Ok(())
}
