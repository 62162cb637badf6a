//! Table `uploads`: archives that were sent to be deployed.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::ids::{ProjectId, UploadId};
use crate::model::timestamp::Timestamp;
use crate::model::upload::Upload;

const COLUMNS: &str = "id, project_id, size_bytes, sha256, created_at, expires_at, consumed_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Upload> {
    Ok(Upload {
        id: super::read::id(row, 0, UploadId::parse)?,
        project_id: super::read::id(row, 1, ProjectId::parse)?,
        size_bytes: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
        sha256: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
        expires_at: Timestamp(row.get(5)?),
        consumed: row.get::<_, Option<i64>>(6)?.is_some(),
    })
}

/// Adds an upload that nothing has used yet.
///
/// # Errors
/// The database cannot be written.
pub fn insert(connection: &Connection, upload: &Upload) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO uploads (id, project_id, size_bytes, sha256, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            upload.id.as_str(),
            upload.project_id.as_str(),
            i64::try_from(upload.size_bytes).unwrap_or(i64::MAX),
            upload.sha256,
            upload.created_at.0,
            upload.expires_at.0,
        ],
    )?;
    Ok(())
}

/// An upload of a project that was used or can be.
///
/// # Errors
/// The database cannot be read.
pub fn find(
    connection: &Connection,
    project: &ProjectId,
    id: &UploadId,
    now: Timestamp,
) -> Result<Option<Upload>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM uploads
         WHERE id = ?1 AND project_id = ?2 AND (consumed_at IS NOT NULL OR expires_at > ?3)"
    );
    let values = params![id.as_str(), project.as_str(), now.0];
    Ok(connection.prepare_cached(&sql)?.query_row(values, read).optional()?)
}

/// Whether there is a row of this id.
///
/// # Errors
/// The database cannot be read.
pub fn exists(connection: &Connection, id: &UploadId) -> Result<bool, DbError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM uploads WHERE id = ?1)";
    Ok(connection.prepare_cached(sql)?.query_row([id.as_str()], |row| row.get(0))?)
}

/// Uses an upload.
///
/// # Errors
/// `Stale` when it was used before or has expired.
pub fn consume(connection: &Connection, id: &UploadId, now: Timestamp) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE uploads SET consumed_at = ?2 WHERE id = ?1 AND consumed_at IS NULL AND expires_at > ?2",
        params![id.as_str(), now.0],
    )?)
}

/// How many uploads of a project wait to be used, and when the first of them expires.
///
/// # Errors
/// The database cannot be read.
pub fn waiting(
    connection: &Connection,
    project: &ProjectId,
    now: Timestamp,
) -> Result<(u32, Option<Timestamp>), DbError> {
    let sql = "SELECT count(*), min(expires_at) FROM uploads
         WHERE project_id = ?1 AND consumed_at IS NULL AND expires_at > ?2";
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(Timestamp)));
    Ok(connection.prepare_cached(sql)?.query_row(params![project.as_str(), now.0], read)?)
}

/// Removes uploads that expired unused, and used ones that no deployment names any more.
///
/// # Errors
/// The database cannot be written.
pub fn delete_old(connection: &Connection, now: Timestamp) -> Result<Vec<UploadId>, DbError> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM uploads WHERE (consumed_at IS NULL AND expires_at <= ?1)
            OR (consumed_at IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM deployments d WHERE d.upload_id = uploads.id))
         RETURNING id",
    )?;
    let gone = statement
        .query_map([now.0], |row| super::read::id(row, 0, UploadId::parse))?
        .collect::<Result<_, _>>()?;
    Ok(gone)
}
