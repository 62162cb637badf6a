//! Table `users` (and the personal team of each).

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::DbError;
use super::error::exactly_one;
use super::page::{Page, PageRequest};
use crate::model::ids::{TeamId, UserId};
use crate::model::timestamp::Timestamp;
use crate::model::user::{Plan, User};

const COLUMNS: &str = "id, email, name, company, plan, instance_admin, suspended, team_id, created_at, updated_at, revision";

/// What accounts can be sorted by.
pub const SORTS: [&str; 3] = ["created_at", "email", "name"];

/// Which accounts a list holds.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Empty is all.
    pub plans: Vec<Plan>,
    pub suspended: Option<bool>,
    /// Part of the name or of the e-mail address, in any case.
    pub query: Option<String>,
    /// Field and whether descending.
    pub sort: Option<(String, bool)>,
}

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

/// A page of accounts.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    filter: &UserFilter,
    page: PageRequest,
) -> Result<Page<User>, DbError> {
    let mut conditions = super::filter::Conditions::new("1 = 1");
    conditions.any("plan", filter.plans.iter().map(|plan| plan.as_str()));
    if let Some(suspended) = filter.suspended {
        conditions.one("suspended = ?", i64::from(suspended));
    }
    if let Some(query) = &filter.query {
        conditions.one("instr(lower(name || char(10) || email), lower(?)) > 0", query.as_str());
    }
    let (field, descending) = match &filter.sort {
        Some((field, descending)) => (field.as_str(), *descending),
        None => ("created_at", true),
    };
    let column = match field {
        "email" => "email",
        "name" => "name COLLATE NOCASE",
        _ => "created_at",
    };
    let direction = if descending { "DESC" } else { "ASC" };
    let (filter, mut values) = conditions.finish();
    let total: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM users WHERE {filter}"))?
        .query_row(params_from_iter(&values), |row| row.get(0))?;
    values.extend([Value::from(i64::from(page.limit)), page.offset().into()]);
    let sql = format!(
        "SELECT {COLUMNS} FROM users WHERE {filter}
         ORDER BY {column} {direction}, rowid {direction} LIMIT ? OFFSET ?"
    );
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total: u64::try_from(total).unwrap_or(0) })
}

/// Who has been in a team for longest.
///
/// # Errors
/// The database cannot be read.
pub fn of_team(connection: &Connection, team: &TeamId) -> Result<Option<UserId>, DbError> {
    let sql = "SELECT id FROM users WHERE team_id = ?1 ORDER BY created_at, id LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([team.as_str()], |row| super::read::id(row, 0, UserId::parse));
    Ok(found.optional()?)
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

/// Writes name, plan, role and suspension; counts the revision up.
///
/// # Errors
/// `Stale` when the account is gone.
pub fn update_account(connection: &Connection, user: &User, now: Timestamp) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE users SET name = ?2, plan = ?3, instance_admin = ?4, suspended = ?5, updated_at = ?6, revision = revision + 1
         WHERE id = ?1",
        params![
            user.id.as_str(), user.name, user.plan.as_str(), user.instance_admin, user.suspended, now.0,
        ],
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

/// Whether somebody else administrates this instance: not suspended, and with the welcome link used.
///
/// # Errors
/// The database cannot be read.
pub fn another_instance_admin(connection: &Connection, id: &UserId) -> Result<bool, DbError> {
    Ok(connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM users WHERE instance_admin = 1 AND suspended = 0 AND id != ?1
            AND NOT EXISTS (SELECT 1 FROM welcome WHERE user_id = users.id AND used_at IS NULL))",
        [id.as_str()],
        |row| row.get(0),
    )?)
}

/// Whether a team has projects; those that are being removed count until nothing of them is left.
///
/// # Errors
/// The database cannot be read.
pub fn team_has_projects(connection: &Connection, team: &TeamId) -> Result<bool, DbError> {
    Ok(connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM projects WHERE team_id = ?1)",
        [team.as_str()],
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
    connection.execute("DELETE FROM webhooks WHERE team_id = ?1", [&team])?;
    connection.execute("DELETE FROM mail_recipients WHERE team_id = ?1", [&team])?;
    connection.execute("DELETE FROM teams WHERE id = ?1", [team])?;
    Ok(())
}
