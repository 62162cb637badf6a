//! Table `visits`: visitors who were let in behind a wall. The data plane never reads it; it is what is left after a restart.

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::ids::{ProjectId, UserId};
use crate::model::timestamp::Timestamp;

/// A visitor at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVisit {
    /// The hash of the cookie's value.
    pub cookie: [u8; 32],
    pub host: String,
    pub project: ProjectId,
    pub user: UserId,
    /// The hash of the id of the session it comes from.
    pub session: [u8; 32],
    pub expires_at: Timestamp,
}

/// Adds a visit, unless its session or its project is gone.
///
/// # Errors
/// The database cannot be written.
pub fn insert(connection: &Connection, visit: &StoredVisit) -> Result<(), DbError> {
    connection
        .prepare_cached(
            "INSERT INTO visits (cookie_hash, host, project_id, user_id, session_hash, expires_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM sessions WHERE id_hash = ?5)
                AND EXISTS (SELECT 1 FROM projects WHERE id = ?3)
             ON CONFLICT (cookie_hash) DO NOTHING",
        )?
        .execute(params![
            visit.cookie,
            visit.host,
            visit.project.as_str(),
            visit.user.as_str(),
            visit.session,
            visit.expires_at.0,
        ])?;
    Ok(())
}

/// All that have not expired.
///
/// # Errors
/// The database cannot be read.
pub fn all(connection: &Connection, now: Timestamp) -> Result<Vec<StoredVisit>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT cookie_hash, host, project_id, user_id, session_hash, expires_at FROM visits WHERE expires_at > ?1",
    )?;
    let visits = statement
        .query_map([now.0], |row| {
            Ok(StoredVisit {
                cookie: row.get(0)?,
                host: row.get(1)?,
                project: super::read::id(row, 2, ProjectId::parse)?,
                user: super::read::id(row, 3, UserId::parse)?,
                session: row.get(4)?,
                expires_at: Timestamp(row.get(5)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(visits)
}

/// Ends the visits of a session at the hosts of a project.
///
/// # Errors
/// The database cannot be written.
pub fn delete_of(
    connection: &Connection,
    session: &[u8; 32],
    project: &ProjectId,
) -> Result<(), DbError> {
    let sql = "DELETE FROM visits WHERE session_hash = ?1 AND project_id = ?2";
    connection.execute(sql, params![session, project.as_str()])?;
    Ok(())
}

/// Forgets expired visits.
///
/// # Errors
/// The database cannot be written.
pub fn delete_expired(connection: &Connection, now: Timestamp) -> Result<(), DbError> {
    connection.execute("DELETE FROM visits WHERE expires_at <= ?1", [now.0])?;
    Ok(())
}
