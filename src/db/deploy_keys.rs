//! Table `deploy_keys`: the SSH keys of projects, their private halves sealed.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use crate::model::ids::ProjectId;
use crate::model::timestamp::Timestamp;

/// A project's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Ed25519.
    pub public: [u8; 32],
    pub sealed: Vec<u8>,
    pub created_at: Timestamp,
    /// Counts the keys the project has had.
    pub revision: i64,
}

/// What a private half is sealed for.
pub fn identity(project: &ProjectId) -> String {
    format!("deploy_keys/{project}")
}

/// The key of a project.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, project: &ProjectId) -> Result<Option<StoredKey>, DbError> {
    let found = connection
        .prepare_cached(
            "SELECT public_key, sealed, created_at, revision FROM deploy_keys WHERE project_id = ?1",
        )?
        .query_row([project.as_str()], |row| {
            Ok(StoredKey {
                public: row.get(0)?,
                sealed: row.get(1)?,
                created_at: Timestamp(row.get(2)?),
                revision: row.get(3)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// Stores the key of a project in the place of an earlier one.
///
/// # Errors
/// The database cannot be written.
pub fn set(connection: &Connection, project: &ProjectId, key: &StoredKey) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO deploy_keys (project_id, public_key, sealed, created_at, revision) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET public_key = ?2, sealed = ?3, created_at = ?4, revision = ?5",
        params![project.as_str(), key.public, key.sealed, key.created_at.0, key.revision],
    )?;
    Ok(())
}
