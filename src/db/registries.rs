//! Table `registries`: credentials of a team for registries of images.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::DbError;
use super::error::exactly_one;
use super::page::{Page, PageRequest};
use crate::model::ids::{RegistryId, TeamId};
use crate::model::registry::Registry;
use crate::model::timestamp::Timestamp;

const COLUMNS: &str = "id, team_id, host, username, created_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Registry> {
    Ok(Registry {
        id: super::read::id(row, 0, RegistryId::parse)?,
        team_id: super::read::id(row, 1, TeamId::parse)?,
        host: row.get(2)?,
        username: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
    })
}

/// Adds credentials.
///
/// # Errors
/// `Unique` when the team has some for this host.
pub fn insert(connection: &Connection, registry: &Registry, sealed: &[u8]) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO registries (id, team_id, host, username, sealed, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            registry.id.as_str(),
            registry.team_id.as_str(),
            registry.host,
            registry.username,
            sealed,
            registry.created_at.0,
        ],
    )?;
    Ok(())
}

/// How many a team has.
///
/// # Errors
/// The database cannot be read.
pub fn count(connection: &Connection, team: &TeamId) -> Result<u32, DbError> {
    let sql = "SELECT count(*) FROM registries WHERE team_id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([team.as_str()], |row| row.get(0))?)
}

/// A page of a team's, the newest first.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    team: &TeamId,
    page: PageRequest,
) -> Result<Page<Registry>, DbError> {
    let total = u64::from(count(connection, team)?);
    let items = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM registries WHERE team_id = ?1
             ORDER BY created_at DESC, host LIMIT ?2 OFFSET ?3"
        ))?
        .query_map(params![team.as_str(), page.limit, page.offset()], read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total })
}

/// One of a team's.
///
/// # Errors
/// The database cannot be read.
pub fn find(
    connection: &Connection,
    team: &TeamId,
    id: &RegistryId,
) -> Result<Option<Registry>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM registries WHERE team_id = ?1 AND id = ?2");
    let values = params![team.as_str(), id.as_str()];
    Ok(connection.prepare_cached(&sql)?.query_row(values, read).optional()?)
}

/// What a team has for a host, with the sealed password.
///
/// # Errors
/// The database cannot be read.
pub fn of_host(
    connection: &Connection,
    team: &TeamId,
    host: &str,
) -> Result<Option<(Registry, Vec<u8>)>, DbError> {
    let sql = format!("SELECT {COLUMNS}, sealed FROM registries WHERE team_id = ?1 AND host = ?2");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([team.as_str(), host], |row| Ok((read(row)?, row.get(5)?)))
        .optional()?)
}

/// Removes one.
///
/// # Errors
/// `Stale` when it is gone.
pub fn delete(connection: &Connection, id: &RegistryId) -> Result<(), DbError> {
    exactly_one(connection.execute("DELETE FROM registries WHERE id = ?1", [id.as_str()])?)
}

/// What a password is sealed for.
pub fn identity(id: &RegistryId) -> String {
    format!("registries/{id}/password")
}
