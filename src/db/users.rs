//! Table `users` (and the personal team of each).

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::DbError;
use super::error::exactly_one;
use crate::model::ids::{TeamId, UserId};
use crate::model::timestamp::Timestamp;
use crate::model::user::{Plan, User};

const COLUMNS: &str = "id, email, name, company, plan, instance_admin, suspended, team_id, created_at, updated_at, revision";

fn read(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: super::read::id(row, 0, UserId::parse)?,
        email: row.get(1)?,
        name: row.get(2)?,
        company: row.get(3)?,
        plan: super::read::word(row, 4, Plan::parse)?,
        instance_admin: row.get(5)?,
        suspended: row.get(6)?,
        team_id: super::read::id(row, 7, TeamId::parse)?,
        created_at: Timestamp(row.get(8)?),
        updated_at: Timestamp(row.get(9)?),
        revision: row.get(10)?,
    })
}

/// Adds an account and its personal team.
///
/// # Errors
/// `Unique("users.email")` when the address has an account.
pub fn insert(
    connection: &Connection,
    user: &User,
    password_hash: Option<&str>,
) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO teams (id, name, personal, created_at) VALUES (?1, ?2, 1, ?3)",
        params![user.team_id.as_str(), user.name, user.created_at.0],
    )?;
    connection.execute(
        "INSERT INTO users (id, email, name, company, password_hash, plan, instance_admin, suspended, team_id, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            user.id.as_str(), user.email, user.name, user.company, password_hash, user.plan.as_str(),
            user.instance_admin, user.suspended, user.team_id.as_str(), user.created_at.0, user.updated_at.0,
        ],
    )?;
    Ok(())
}

/// Finds an account by id.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, id: &UserId) -> Result<Option<User>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id.as_str()], read).optional()?)
}

/// Finds an account by e-mail address, with its password hash.
///
/// # Errors
/// The database cannot be read.
pub fn find_by_email(
    connection: &Connection,
    email: &str,
) -> Result<Option<(User, Option<String>)>, DbError> {
    let sql = format!("SELECT {COLUMNS}, password_hash FROM users WHERE email = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([email], |row| Ok((read(row)?, row.get(11)?)))
        .optional()?)
}

/// The name of a team.
///
/// # Errors
/// There is no such team.
pub fn team_name(connection: &Connection, id: &TeamId) -> Result<String, DbError> {
    let mut statement = connection.prepare_cached("SELECT name FROM teams WHERE id = ?1")?;
    Ok(statement.query_row([id.as_str()], |row| row.get(0))?)
}

/// Changes name and company; counts the revision up.
///
/// # Errors
/// `Stale` when the account is gone.
pub fn update_profile(
    connection: &Connection,
    id: &UserId,
    name: &str,
    company: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE users SET name = ?2, company = ?3, updated_at = ?4, revision = revision + 1 WHERE id = ?1",
        params![id.as_str(), name, company, now.0],
    )?)
}

/// Sets the password.
///
/// # Errors
/// `Stale` when the account is gone.
pub fn set_password(
    connection: &Connection,
    id: &UserId,
    password_hash: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE users SET password_hash = ?2, updated_at = ?3, revision = revision + 1 WHERE id = ?1",
        params![id.as_str(), password_hash, now.0],
    )?)
}

/// Whether anybody administrates this instance; until then the set-up page is open.
///
/// # Errors
/// The database cannot be read.
pub fn any_instance_admin(connection: &Connection) -> Result<bool, DbError> {
    Ok(connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM users WHERE instance_admin = 1)",
        [],
        |row| row.get(0),
    )?)
}

/// Makes an account an instance admin.
///
/// # Errors
/// `Stale` when the account is gone.
pub fn make_instance_admin(connection: &Connection, id: &UserId) -> Result<(), DbError> {
    exactly_one(
        connection.execute("UPDATE users SET instance_admin = 1 WHERE id = ?1", [id.as_str()])?,
    )
}

/// Removes an account that owns nothing yet, and its personal team.
///
/// # Errors
/// The database cannot be written, or the account owns something.
pub fn delete(connection: &Connection, id: &UserId) -> Result<(), DbError> {
    let team: String =
        connection.query_row("SELECT team_id FROM users WHERE id = ?1", [id.as_str()], |row| {
            row.get(0)
        })?;
    connection.execute("DELETE FROM users WHERE id = ?1", [id.as_str()])?;
    connection.execute("DELETE FROM teams WHERE id = ?1", [team])?;
    Ok(())
}
