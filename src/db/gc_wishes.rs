//! Table `gc_wishes`: somebody asks for room. The sweep takes the wishes in their order.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use crate::model::retention::Wish;
use crate::model::timestamp::Timestamp;

/// Writes a wish down; answers its number.
///
/// # Errors
/// The database cannot be written.
pub fn ask(
    connection: &Connection,
    images: bool,
    build_cache: bool,
    now: Timestamp,
) -> Result<i64, DbError> {
    connection.execute(
        "INSERT INTO gc_wishes (images, build_cache, requested_at) VALUES (?1, ?2, ?3)",
        params![images, build_cache, now.0],
    )?;
    Ok(connection.last_insert_rowid())
}

/// The oldest wish that is not fulfilled.
///
/// # Errors
/// The database cannot be read.
pub fn next(connection: &Connection) -> Result<Option<Wish>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, images, build_cache FROM gc_wishes WHERE done_at IS NULL ORDER BY seq LIMIT 1",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Wish { seq: row.get(0)?, images: row.get(1)?, build_cache: row.get(2)? })
    };
    Ok(statement.query_row([], read).optional()?)
}

/// Whether a wish is fulfilled.
///
/// # Errors
/// The database cannot be read.
pub fn is_done(connection: &Connection, seq: i64) -> Result<bool, DbError> {
    Ok(connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM gc_wishes WHERE seq = ?1 AND done_at IS NOT NULL)",
        [seq],
        |row| row.get(0),
    )?)
}

/// All that could be done for it was done.
///
/// # Errors
/// The database cannot be written.
pub fn fulfil(connection: &Connection, seq: i64, now: Timestamp) -> Result<(), DbError> {
    connection.execute(
        "UPDATE gc_wishes SET done_at = coalesce(done_at, ?2) WHERE seq = ?1",
        params![seq, now.0],
    )?;
    Ok(())
}
