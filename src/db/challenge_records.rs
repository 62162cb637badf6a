//! Table `challenge_records`: records of the DNS that an authority looks for, from before they are set until they are gone.

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::timestamp::Timestamp;

/// A record that was set, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeRecord {
    pub id: i64,
    pub zone: String,
    pub name: String,
    pub text: String,
    /// The provider's own, as far as it was answered.
    pub provider_id: String,
    pub created_at: Timestamp,
}

/// Writes down that a record is about to be set. Answers its number.
///
/// # Errors
/// The database cannot be written.
pub fn intend(
    connection: &Connection,
    hostname: &str,
    zone: &str,
    name: &str,
    text: &str,
    now: Timestamp,
) -> Result<i64, DbError> {
    connection.execute(
        "INSERT INTO challenge_records (hostname, zone, name, text, created_at, remove_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        params![hostname, zone, name, text, now.0],
    )?;
    Ok(connection.last_insert_rowid())
}

/// The provider calls it so.
///
/// # Errors
/// The database cannot be written.
pub fn set(connection: &Connection, id: i64, provider_id: &str) -> Result<(), DbError> {
    let sql = "UPDATE challenge_records SET provider_id = ?2 WHERE id = ?1";
    connection.execute(sql, params![id, provider_id])?;
    Ok(())
}

/// It is gone.
///
/// # Errors
/// The database cannot be written.
pub fn forget(connection: &Connection, id: i64) -> Result<(), DbError> {
    connection.execute("DELETE FROM challenge_records WHERE id = ?1", [id])?;
    Ok(())
}

/// It could not be removed; there will be another try.
///
/// # Errors
/// The database cannot be written.
pub fn postpone(connection: &Connection, id: i64, until: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE challenge_records SET remove_at = ?2 WHERE id = ?1";
    connection.execute(sql, params![id, until.0])?;
    Ok(())
}

/// Those that are to be removed by now, the oldest first; at most so many.
///
/// # Errors
/// The database cannot be read.
pub fn due(
    connection: &Connection,
    now: Timestamp,
    most: u32,
) -> Result<Vec<ChallengeRecord>, DbError> {
    let sql = "SELECT id, zone, name, text, provider_id, created_at FROM challenge_records
        WHERE remove_at <= ?1 ORDER BY id LIMIT ?2";
    let rows = connection
        .prepare_cached(sql)?
        .query_map(params![now.0, most], |row| {
            Ok(ChallengeRecord {
                id: row.get(0)?,
                zone: row.get(1)?,
                name: row.get(2)?,
                text: row.get(3)?,
                provider_id: row.get(4)?,
                created_at: Timestamp(row.get(5)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
