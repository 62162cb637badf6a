//! Table `source_credentials`: tokens of private repositories, sealed.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use crate::model::ids::ProjectId;
use crate::model::timestamp::Timestamp;

/// A token and the server it is for.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// Scheme, host and port.
    pub origin: String,
    pub sealed: Vec<u8>,
}

/// What a token is sealed for: a row that was moved, or whose server was changed, does not open.
pub fn identity(project: &ProjectId, origin: &str) -> String {
    format!("source_credentials/{project}/{origin}")
}

/// The token of a project.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, project: &ProjectId) -> Result<Option<StoredToken>, DbError> {
    let found = connection
        .prepare_cached("SELECT origin, sealed FROM source_credentials WHERE project_id = ?1")?
        .query_row([project.as_str()], |row| {
            Ok(StoredToken { origin: row.get(0)?, sealed: row.get(1)? })
        })
        .optional()?;
    Ok(found)
}

/// When the token of a project was stored.
///
/// # Errors
/// The database cannot be read.
pub fn made_at(connection: &Connection, project: &ProjectId) -> Result<Option<Timestamp>, DbError> {
    let found = connection
        .prepare_cached("SELECT created_at FROM source_credentials WHERE project_id = ?1")?
        .query_row([project.as_str()], |row| Ok(Timestamp(row.get(0)?)))
        .optional()?;
    Ok(found)
}

/// Stores the token of a project in the place of an earlier one.
///
/// # Errors
/// The database cannot be written.
pub fn set(
    connection: &Connection,
    project: &ProjectId,
    token: &StoredToken,
    now: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO source_credentials (project_id, origin, sealed, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET origin = ?2, sealed = ?3, created_at = ?4",
        params![project.as_str(), token.origin, token.sealed, now.0],
    )?;
    Ok(())
}

/// Removes the token of a project. Answers whether there was one.
///
/// # Errors
/// The database cannot be written.
pub fn remove(connection: &Connection, project: &ProjectId) -> Result<bool, DbError> {
    let sql = "DELETE FROM source_credentials WHERE project_id = ?1";
    Ok(connection.execute(sql, [project.as_str()])? > 0)
}
