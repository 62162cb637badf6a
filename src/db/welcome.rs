//! Table `welcome`: links with which the owner of a new account chooses a password.

use rusqlite::{Connection, OptionalExtension, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::ids::UserId;
use crate::model::timestamp::Timestamp;

/// A link, without its token.
#[derive(Clone, Debug)]
pub struct Link {
    pub user_id: UserId,
    pub expires_at: Timestamp,
    pub used: bool,
}

/// Adds a link.
///
/// # Errors
/// The database cannot be written.
pub fn insert(
    connection: &Connection,
    token_hash: &[u8; 32],
    user: &UserId,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO welcome (token_hash, user_id, expires_at) VALUES (?1, ?2, ?3)",
        params![token_hash, user.as_str(), expires_at.0],
    )?;
    Ok(())
}

/// A link by the hash of its token, whether it still works or not.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, token_hash: &[u8; 32]) -> Result<Option<Link>, DbError> {
    Ok(connection
        .prepare_cached(
            "SELECT user_id, expires_at, used_at IS NOT NULL FROM welcome WHERE token_hash = ?1",
        )?
        .query_row([token_hash], |row| {
            Ok(Link {
                user_id: super::read::id(row, 0, UserId::parse)?,
                expires_at: Timestamp(row.get(1)?),
                used: row.get(2)?,
            })
        })
        .optional()?)
}

/// Spends a link.
///
/// # Errors
/// `Stale` when it was spent meanwhile.
pub fn spend(
    connection: &Connection,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE welcome SET used_at = ?2 WHERE token_hash = ?1 AND used_at IS NULL",
        params![token_hash, now.0],
    )?)
}

/// Spends every link of an account, once it has a password by other means.
///
/// # Errors
/// The database cannot be written.
pub fn spend_of_user(
    connection: &Connection,
    user: &UserId,
    now: Timestamp,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE welcome SET used_at = ?2 WHERE user_id = ?1 AND used_at IS NULL",
        params![user.as_str(), now.0],
    )?;
    Ok(())
}
