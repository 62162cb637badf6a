//! Tables `certificate_orders` and `certificate_issues`: tries that failed, and what was signed lately.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use crate::model::timestamp::Timestamp;

/// A name that a certificate could not be had for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedOrder {
    /// In a row.
    pub failures: u32,
    /// Not before.
    pub next_at: Timestamp,
    pub error: String,
}

/// The tries for a name that failed in a row.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, hostname: &str) -> Result<Option<FailedOrder>, DbError> {
    let sql = "SELECT failures, next_at, error FROM certificate_orders WHERE hostname = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(FailedOrder {
            failures: row.get(0)?,
            next_at: Timestamp(row.get(1)?),
            error: row.get(2)?,
        })
    };
    Ok(connection.prepare_cached(sql)?.query_row([hostname], read).optional()?)
}

/// Writes down that a try failed.
///
/// # Errors
/// The database cannot be written.
pub fn fail(connection: &Connection, hostname: &str, failed: &FailedOrder) -> Result<(), DbError> {
    connection.execute(
        "INSERT OR REPLACE INTO certificate_orders (hostname, failures, next_at, error) VALUES (?1, ?2, ?3, ?4)",
        params![hostname, failed.failures, failed.next_at.0, failed.error],
    )?;
    Ok(())
}

/// The next try need not wait.
///
/// # Errors
/// The database cannot be written.
pub fn retry(connection: &Connection, hostname: &str, now: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE certificate_orders SET next_at = ?2 WHERE hostname = ?1";
    connection.execute(sql, params![hostname, now.0])?;
    Ok(())
}

/// A name is of no more interest, or has its certificate.
///
/// # Errors
/// The database cannot be written.
pub fn forget(connection: &Connection, hostname: &str) -> Result<(), DbError> {
    connection.execute("DELETE FROM certificate_orders WHERE hostname = ?1", [hostname])?;
    Ok(())
}

/// Those of these host names that are a deployment's or a branch's, for as long as it can answer.
///
/// # Errors
/// The database cannot be read.
pub fn previews<'a>(
    connection: &Connection,
    base: &str,
    hosts: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, DbError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM deployments WHERE hostname = ?1 AND state = 'ready')
        OR EXISTS (SELECT 1 FROM branch_hosts WHERE label || '.' || ?2 = ?1)";
    let mut asked = connection.prepare_cached(sql)?;
    let mut found = Vec::new();
    for host in hosts {
        if asked.query_row([host, base], |row| row.get(0))? {
            found.push(host.to_owned());
        }
    }
    Ok(found)
}

/// Counts what was signed against the budget of its domain.
///
/// # Errors
/// The database cannot be written.
pub fn count(
    connection: &Connection,
    registered: &str,
    hostname: &str,
    now: Timestamp,
    week: i64,
) -> Result<(), DbError> {
    connection.execute(
        "DELETE FROM certificate_issues WHERE issued_at <= ?1",
        [now.0.saturating_sub(week)],
    )?;
    connection.execute(
        "INSERT INTO certificate_issues (registered, hostname, issued_at) VALUES (?1, ?2, ?3)",
        params![registered, hostname, now.0],
    )?;
    Ok(())
}

/// How many were signed for a domain since then, and when the first of them.
///
/// # Errors
/// The database cannot be read.
pub fn counted(
    connection: &Connection,
    registered: &str,
    since: Timestamp,
) -> Result<(u32, Option<Timestamp>), DbError> {
    let sql = "SELECT count(*), min(issued_at) FROM certificate_issues WHERE registered = ?1 AND issued_at > ?2";
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(Timestamp)));
    Ok(connection.prepare_cached(sql)?.query_row(params![registered, since.0], read)?)
}
