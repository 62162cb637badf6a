//! Table `sessions`: signed-in browsers. The id is stored as a hash.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use crate::model::ids::UserId;
use crate::model::timestamp::Timestamp;

/// Adds a session; false when there is one with this id.
///
/// # Errors
/// The database cannot be written.
pub fn insert(
    connection: &Connection,
    id_hash: &[u8; 32],
    user: Option<&UserId>,
    record: &[u8],
    expires_at: Timestamp,
) -> Result<bool, DbError> {
    let added = connection.execute(
        "INSERT INTO sessions (id_hash, user_id, record, expires_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id_hash) DO NOTHING",
        params![id_hash, user.map(UserId::as_str), record, expires_at.0],
    )?;
    Ok(added == 1)
}

/// Changes a session that is still there. One that was ended meanwhile stays ended.
///
/// # Errors
/// The database cannot be written.
pub fn update(
    connection: &Connection,
    id_hash: &[u8; 32],
    record: &[u8],
    expires_at: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE sessions SET record = ?2, expires_at = ?3 WHERE id_hash = ?1",
        params![id_hash, record, expires_at.0],
    )?;
    Ok(())
}

/// The record of a session that has not expired.
///
/// # Errors
/// The database cannot be read.
pub fn load(
    connection: &Connection,
    id_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Vec<u8>>, DbError> {
    Ok(connection
        .prepare_cached("SELECT record FROM sessions WHERE id_hash = ?1 AND expires_at > ?2")?
        .query_row(params![id_hash, now.0], |row| row.get(0))
        .optional()?)
}

/// Ends a session; absent is success.
///
/// # Errors
/// The database cannot be written.
pub fn delete(connection: &Connection, id_hash: &[u8; 32]) -> Result<(), DbError> {
    connection.execute("DELETE FROM sessions WHERE id_hash = ?1", [id_hash])?;
    Ok(())
}

/// Ends every session of an account.
///
/// # Errors
/// The database cannot be written.
pub fn delete_of_user(connection: &Connection, user: &UserId) -> Result<(), DbError> {
    connection.execute("DELETE FROM sessions WHERE user_id = ?1", [user.as_str()])?;
    Ok(())
}

/// Forgets expired sessions.
///
/// # Errors
/// The database cannot be written.
pub fn delete_expired(connection: &Connection, now: Timestamp) -> Result<(), DbError> {
    connection.execute("DELETE FROM sessions WHERE expires_at <= ?1", [now.0])?;
    Ok(())
}
