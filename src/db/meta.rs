//! Single values of the instance.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;

/// Name of the instance in the labels on the engine.
pub const INSTANCE_ID: &str = "instance_id";
/// `<hash in hex> <expiry in ms>` of the code that allows the first set-up.
pub const SETUP_CODE: &str = "setup_code";
/// A sealed known value: tells a wrong key file before anything is written with it.
pub const KEY_CHECK: &str = "key_check";

/// Written to see whether anything can be.
const TRIED: &str = "tried";
/// The account at an authority, sealed; behind an `@` follows the URL of its directory.
pub const ACME_ACCOUNT: &str = "acme_account";
/// The server that takes mail, as JSON; the secret in it is sealed.
pub const MAIL: &str = "mail";
/// Settings that were chosen while the server ran, as JSON.
pub const SETTINGS: &str = "settings";

/// Reads a value.
///
/// # Errors
/// The database cannot be read.
pub fn get(connection: &Connection, key: &str) -> Result<Option<String>, DbError> {
    Ok(connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .optional()?)
}

/// Writes something that means nothing, to see whether anything can be written.
///
/// # Errors
/// The database cannot be written.
pub fn try_disk(connection: &Connection) -> Result<(), DbError> {
    // Always another value: what stays as it is reaches no disk.
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?1, hex(randomblob(8)))
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [TRIED],
    )?;
    Ok(())
}

/// Writes a value.
///
/// # Errors
/// The database cannot be written.
pub fn set(connection: &Connection, key: &str, value: &str) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        params![key, value],
    )?;
    Ok(())
}

/// Removes a value.
///
/// # Errors
/// The database cannot be written.
pub fn remove(connection: &Connection, key: &str) -> Result<(), DbError> {
    connection.execute("DELETE FROM meta WHERE key = ?1", [key])?;
    Ok(())
}
