//! Table `rate_windows`: how many requests were counted in the windows that are open.

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::timestamp::Timestamp;

/// A window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateWindow {
    /// The id of an account, or an address.
    pub subject: String,
    pub is_address: bool,
    pub began_at: Timestamp,
    pub used: u32,
}

/// Stores windows in place of what was known of their subjects.
///
/// # Errors
/// The database cannot be written.
pub fn store(connection: &Connection, windows: &[RateWindow]) -> Result<(), DbError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO rate_windows (subject, is_address, began_at, used) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (subject) DO UPDATE SET began_at = excluded.began_at, used = excluded.used",
    )?;
    for window in windows {
        statement.execute(params![
            window.subject,
            window.is_address,
            window.began_at.0,
            window.used
        ])?;
    }
    Ok(())
}

/// Windows that began after `since`, oldest first.
///
/// # Errors
/// The database cannot be read.
pub fn load(connection: &Connection, since: Timestamp) -> Result<Vec<RateWindow>, DbError> {
    let sql = "SELECT subject, is_address, began_at, used FROM rate_windows WHERE began_at > ?1
               ORDER BY began_at";
    let windows = connection
        .prepare_cached(sql)?
        .query_map([since.0], |row| {
            Ok(RateWindow {
                subject: row.get(0)?,
                is_address: row.get(1)?,
                began_at: Timestamp(row.get(2)?),
                used: row.get(3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(windows)
}

/// Removes windows that began until `since`, and of addresses all but the newest `most`.
///
/// # Errors
/// The database cannot be written.
pub fn prune(connection: &Connection, since: Timestamp, most: usize) -> Result<(), DbError> {
    connection
        .prepare_cached("DELETE FROM rate_windows WHERE is_address IN (0, 1) AND began_at <= ?1")?
        .execute([since.0])?;
    connection
        .prepare_cached(
            "DELETE FROM rate_windows WHERE subject IN (
                SELECT subject FROM rate_windows WHERE is_address = 1
                ORDER BY began_at DESC LIMIT -1 OFFSET ?1)",
        )?
        .execute([i64::try_from(most).unwrap_or(i64::MAX)])?;
    Ok(())
}
