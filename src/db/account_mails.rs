//! Table `account_mails`: mails that tell accounts of what is theirs, until they are sent or given up.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::exactly_one;
use super::{DbError, mail};
use crate::model::event::Event;
use crate::model::ids::EventId;
use crate::model::mail::StoredMail;
use crate::model::timestamp::Timestamp;

/// A mail that waits.
#[derive(Debug)]
pub struct AccountMail {
    pub seq: i64,
    pub event_id: EventId,
    /// The account's address as it is now.
    pub to: String,
    /// Subject and text, as JSON.
    pub letter: String,
    pub attempts: u32,
    pub next_at: Timestamp,
    /// When what it tells of happened.
    pub created_at: Timestamp,
    /// The server that takes mail, where there is one.
    pub server: Option<StoredMail>,
}

/// Tells everybody of an event's team by mail, except who wants none from that team, and who has a webhook of mail that tells
/// it already. Without a server that takes mail there is nothing to send later.
///
/// # Errors
/// The database cannot be written.
pub fn tell(connection: &Connection, event: &Event, letter: &str) -> Result<(), DbError> {
    if mail::find(connection)?.is_none() {
        return Ok(());
    }
    connection.execute(
        "INSERT INTO account_mails (event_id, user_id, letter, next_at, created_at)
         SELECT ?1, u.id, ?3, ?4, ?4 FROM users u WHERE u.team_id = ?2 AND u.suspended = 0
            AND NOT EXISTS (SELECT 1 FROM mail_recipients r
                WHERE r.team_id = ?2 AND r.address = u.email AND r.declined_at IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
                WHERE d.event_id = ?1 AND w.format = 'email' AND lower(substr(w.address, 8)) = u.email)",
        params![event.id.as_str(), event.team_id.as_str(), letter, event.created_at.0],
    )?;
    Ok(())
}

/// The mail that is due first, now or later. An account that was suspended gets none.
///
/// # Errors
/// The database cannot be read.
pub fn next(connection: &Connection) -> Result<Option<AccountMail>, DbError> {
    let found = connection
        .prepare_cached(
            "SELECT m.seq, m.event_id, u.email, m.letter, m.attempts, m.next_at, m.created_at
             FROM account_mails m JOIN users u ON u.id = m.user_id WHERE u.suspended = 0
             ORDER BY m.next_at, m.seq LIMIT 1",
        )?
        .query_row([], |row| {
            Ok(AccountMail {
                seq: row.get(0)?,
                event_id: super::read::id(row, 1, EventId::parse)?,
                to: row.get(2)?,
                letter: row.get(3)?,
                attempts: row.get(4)?,
                next_at: Timestamp(row.get(5)?),
                created_at: Timestamp(row.get(6)?),
                server: None,
            })
        })
        .optional()?;
    let Some(found) = found else { return Ok(None) };
    Ok(Some(AccountMail { server: mail::find(connection)?, ..found }))
}

/// Counts an attempt that failed, and says when the next one is due.
///
/// # Errors
/// `Stale` when the mail is gone.
pub fn retry(connection: &Connection, seq: i64, next_at: Timestamp) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE account_mails SET attempts = attempts + 1, next_at = ?2 WHERE seq = ?1",
        params![seq, next_at.0],
    )?)
}

/// Removes a mail that is sent or given up.
///
/// # Errors
/// The database cannot be written.
pub fn remove(connection: &Connection, seq: i64) -> Result<(), DbError> {
    connection.execute("DELETE FROM account_mails WHERE seq = ?1", [seq])?;
    Ok(())
}

/// Removes mails that were written until `until`: those of accounts that stayed suspended.
///
/// # Errors
/// The database cannot be written.
pub fn delete_until(connection: &Connection, until: Timestamp) -> Result<(), DbError> {
    connection.execute("DELETE FROM account_mails WHERE created_at <= ?1", [until.0])?;
    Ok(())
}
