//! Table `idempotency`: answers that are given again to a repeated request.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use crate::model::timestamp::Timestamp;

/// A stored answer.
pub struct Stored {
    /// SHA-256 of what was asked.
    pub fingerprint: [u8; 32],
    pub sealed: Vec<u8>,
}

/// The answer of a slot that was stored after `since`.
///
/// # Errors
/// The database cannot be read.
pub fn find(
    connection: &Connection,
    slot: &[u8; 32],
    since: Timestamp,
) -> Result<Option<Stored>, DbError> {
    let sql = "SELECT fingerprint, sealed FROM idempotency WHERE slot = ?1 AND created_at > ?2";
    Ok(connection
        .prepare_cached(sql)?
        .query_row(params![slot, since.0], |row| {
            Ok(Stored { fingerprint: row.get(0)?, sealed: row.get(1)? })
        })
        .optional()?)
}

/// Stores the answer of a slot; one that was stored until `since` makes room.
///
/// # Errors
/// `Unique` when the slot is taken: the same request has succeeded meanwhile.
pub fn insert(
    connection: &Connection,
    slot: &[u8; 32],
    answer: &Stored,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    connection
        .prepare_cached("DELETE FROM idempotency WHERE slot = ?1 AND created_at <= ?2")?
        .execute(params![slot, since.0])?;
    connection
        .prepare_cached(
            "INSERT INTO idempotency (slot, fingerprint, sealed, created_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![slot, answer.fingerprint, answer.sealed, now.0])?;
    Ok(())
}

/// Removes answers that were stored until `since`.
///
/// # Errors
/// The database cannot be written.
pub fn delete_until(connection: &Connection, since: Timestamp) -> Result<(), DbError> {
    connection.execute("DELETE FROM idempotency WHERE created_at <= ?1", [since.0])?;
    Ok(())
}

/// Puts another answer in the place of the one of a slot.
///
/// # Errors
/// The database cannot be written.
pub fn replace(connection: &Connection, slot: &[u8; 32], sealed: &[u8]) -> Result<(), DbError> {
    connection
        .prepare_cached("UPDATE idempotency SET sealed = ?2 WHERE slot = ?1")?
        .execute(params![slot, sealed])?;
    Ok(())
}
