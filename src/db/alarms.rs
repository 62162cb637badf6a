//! Table `alarms`: what is wrong with the server now and was told of.

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::alarm::Alarm;
use crate::model::ids::TeamId;
use crate::model::timestamp::Timestamp;

/// What was told of and is not over.
///
/// # Errors
/// The database cannot be read.
pub fn raised(connection: &Connection) -> Result<Vec<Alarm>, DbError> {
    let mut statement = connection.prepare_cached("SELECT event FROM alarms")?;
    let all = statement.query_map([], |row| super::read::word(row, 0, Alarm::parse))?;
    Ok(all.collect::<Result<_, _>>()?)
}

/// Notes that something is told of. False when it already was.
///
/// # Errors
/// The database cannot be written.
pub fn raise(connection: &Connection, alarm: Alarm, now: Timestamp) -> Result<bool, DbError> {
    let sql = "INSERT INTO alarms (event, raised_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(connection.execute(sql, params![alarm.as_str(), now.0])? == 1)
}

/// Notes that it is over.
///
/// # Errors
/// The database cannot be written.
pub fn clear(connection: &Connection, alarm: Alarm) -> Result<(), DbError> {
    connection.execute("DELETE FROM alarms WHERE event = ?1", [alarm.as_str()])?;
    Ok(())
}

/// Who is told: the teams of those who administrate this instance.
///
/// # Errors
/// The database cannot be read.
pub fn told(connection: &Connection) -> Result<Vec<TeamId>, DbError> {
    let sql = "SELECT DISTINCT team_id FROM users WHERE instance_admin = 1 AND suspended = 0 ORDER BY team_id";
    let mut statement = connection.prepare_cached(sql)?;
    let teams = statement.query_map([], |row| super::read::id(row, 0, TeamId::parse))?;
    Ok(teams.collect::<Result<_, _>>()?)
}
