//! The settings of mail: a value of the instance.

use rusqlite::Connection;

use super::{DbError, meta};
use crate::model::mail::StoredMail;

/// The server that takes mail; `None` when there is none.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection) -> Result<Option<StoredMail>, DbError> {
    let stored = meta::get(connection, meta::MAIL)?;
    // Written by this file alone.
    Ok(stored.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Stores it, or takes it away.
///
/// # Errors
/// The database cannot be written.
pub fn store(connection: &Connection, mail: Option<&StoredMail>) -> Result<(), DbError> {
    match mail {
        None => meta::remove(connection, meta::MAIL),
        Some(mail) => {
            let text = serde_json::to_string(mail).unwrap_or_default();
            meta::set(connection, meta::MAIL, &text)
        }
    }
}
