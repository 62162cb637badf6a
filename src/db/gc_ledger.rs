//! Table `gc_ledger`: what was removed to make room, written down before it is done.

use rusqlite::{Connection, Row, params};

use super::DbError;
use super::error::exactly_one;
use super::page::{Page, PageRequest};
use crate::model::ids::{DeploymentId, ProjectId, RemovalId};
use crate::model::retention::{Item, Kind, Removal, Rule};
use crate::model::timestamp::Timestamp;

const SELECT: &str = "SELECT seq, id, kind, rule, name, names, project_id, deployment_id, bytes, begun_at, done_at FROM gc_ledger";

fn read(row: &Row<'_>) -> rusqlite::Result<Removal> {
    Ok(Removal {
        seq: row.get(0)?,
        id: super::read::id(row, 1, RemovalId::parse)?,
        name: row.get(4)?,
        item: Item {
            kind: super::read::word(row, 2, Kind::parse)?,
            rule: super::read::word(row, 3, Rule::parse)?,
            names: super::read::json(row, 5)?,
            project: super::read::optional(row, 6, ProjectId::parse)?,
            deployment: super::read::optional(row, 7, DeploymentId::parse)?,
            bytes: u64::try_from(row.get::<_, i64>(8)?).unwrap_or(0),
        },
        begun_at: Timestamp(row.get(9)?),
        done_at: row.get::<_, Option<i64>>(10)?.map(Timestamp),
    })
}

/// Writes down that something is about to be removed.
///
/// # Errors
/// The database cannot be written.
pub fn begin(
    connection: &Connection,
    id: &RemovalId,
    item: &Item,
    name: &str,
    wish: Option<i64>,
    now: Timestamp,
) -> Result<Removal, DbError> {
    let names =
        serde_json::to_string(&item.names).map_err(|error| DbError::Broken(error.to_string()))?;
    connection.execute(
        "INSERT INTO gc_ledger (id, kind, rule, name, names, project_id, deployment_id, bytes, wish, begun_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id.as_str(), item.kind.as_str(), item.rule.as_str(), name, names,
            item.project.as_ref().map(ProjectId::as_str), item.deployment.as_ref().map(DeploymentId::as_str),
            i64::try_from(item.bytes).unwrap_or(i64::MAX), wish, now.0,
        ],
    )?;
    let seq = connection.last_insert_rowid();
    let (id, item, name) = (id.clone(), item.clone(), name.to_owned());
    Ok(Removal { seq, id, item, name, begun_at: now, done_at: None })
}

/// Nothing is left of it; this much came free.
///
/// # Errors
/// `Stale` when that was said before.
pub fn done(connection: &Connection, seq: i64, bytes: u64, now: Timestamp) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE gc_ledger SET done_at = ?2, bytes = ?3 WHERE seq = ?1 AND done_at IS NULL",
        params![seq, now.0, i64::try_from(bytes).unwrap_or(i64::MAX)],
    )?)
}

/// Takes back what was written down and turned out not to be possible.
///
/// # Errors
/// The database cannot be written.
pub fn withdraw(connection: &Connection, seq: i64) -> Result<(), DbError> {
    connection.execute("DELETE FROM gc_ledger WHERE seq = ?1 AND done_at IS NULL", [seq])?;
    Ok(())
}

/// Removals that were begun, the oldest first.
///
/// # Errors
/// The database cannot be read.
pub fn unfinished(connection: &Connection) -> Result<Vec<Removal>, DbError> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE done_at IS NULL ORDER BY seq"))?;
    let all = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    Ok(all)
}

/// What was removed for a wish, in order.
///
/// # Errors
/// The database cannot be read.
pub fn of_wish(connection: &Connection, wish: i64) -> Result<Vec<Removal>, DbError> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE wish = ?1 ORDER BY seq"))?;
    let all = statement.query_map([wish], read)?.collect::<Result<_, _>>()?;
    Ok(all)
}

/// A page of all of it, the newest first.
///
/// # Errors
/// The database cannot be read.
pub fn list(connection: &Connection, page: PageRequest) -> Result<Page<Removal>, DbError> {
    let total = super::page::count(connection, "gc_ledger", &[])?;
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} ORDER BY seq DESC LIMIT ?1 OFFSET ?2"))?;
    let items =
        statement.query_map(params![page.limit, page.offset()], read)?.collect::<Result<_, _>>()?;
    Ok(Page { items, total })
}

/// Forgets what was done until `until`.
///
/// # Errors
/// The database cannot be written.
pub fn delete_until(connection: &Connection, until: Timestamp) -> Result<(), DbError> {
    connection.execute("DELETE FROM gc_ledger WHERE done_at <= ?1", [until.0])?;
    connection.execute("DELETE FROM gc_wishes WHERE done_at <= ?1", [until.0])?;
    Ok(())
}
