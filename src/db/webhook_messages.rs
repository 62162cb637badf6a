//! Table `webhook_messages`: bodies of events that somebody is told of, made once.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use crate::model::event::Event;
use crate::model::ids::EventId;
use crate::model::timestamp::Timestamp;

/// Keeps the body of an event, unless it is kept already.
///
/// # Errors
/// The database cannot be written.
pub fn keep(connection: &Connection, event: &Event) -> Result<(), DbError> {
    connection
        .prepare_cached(
            "INSERT INTO webhook_messages (event_id, event, body, created_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (event_id) DO NOTHING",
        )?
        .execute(params![event.id.as_str(), event.event, event.body(), event.created_at.0])?;
    Ok(())
}

/// The body of an event.
///
/// # Errors
/// The database cannot be read.
pub fn body(connection: &Connection, event: &EventId) -> Result<Option<String>, DbError> {
    let sql = "SELECT body FROM webhook_messages WHERE event_id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([event.as_str()], |row| row.get(0)).optional()?)
}

/// Removes bodies of events until `until` that no delivery needs.
///
/// # Errors
/// The database cannot be written.
pub fn delete_until(connection: &Connection, until: Timestamp) -> Result<(), DbError> {
    connection.execute(
        "DELETE FROM webhook_messages WHERE created_at <= ?1
            AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.event_id = webhook_messages.event_id)",
        [until.0],
    )?;
    Ok(())
}
