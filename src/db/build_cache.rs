//! Table `build_cache`: the records of the engine's build cache, and whose each is.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::DbError;
use crate::model::build_cache::{Build, Entry, Whose, squashed};
use crate::model::ids::ProjectId;
use crate::model::timestamp::Timestamp;

/// Builds that are remembered for telling whose a record is; what is older was told when it was new.
const BUILDS: u32 = 500;

/// Puts what is there now in the place of what was there.
///
/// # Errors
/// The database cannot be written.
pub fn replace(connection: &Connection, entries: &[Entry]) -> Result<(), DbError> {
    connection.execute("DELETE FROM build_cache", [])?;
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO build_cache (id, project_id, ours, counts, bytes, created_at, last_used_at)
         VALUES (?1, (SELECT id FROM projects WHERE id = ?2), ?3, ?4, ?5, ?6, ?7)",
    )?;
    for Entry { record, whose } in entries {
        let project = whose.project.as_ref().map(ProjectId::as_str);
        let bytes = if record.shared { 0 } else { record.bytes };
        statement.execute(params![
            record.id,
            project,
            whose.ours,
            whose.counts,
            i64::try_from(bytes).unwrap_or(i64::MAX),
            record.created_at.0,
            record.last_used_at.0,
        ])?;
    }
    Ok(())
}

/// What was said of every record when it was last looked at.
///
/// # Errors
/// The database cannot be read.
pub fn known(connection: &Connection) -> Result<HashMap<String, Whose>, DbError> {
    let mut statement =
        connection.prepare_cached("SELECT id, project_id, ours, counts FROM build_cache")?;
    let all = statement
        .query_map([], |row| {
            let project = super::read::optional(row, 1, ProjectId::parse)?;
            Ok((row.get(0)?, Whose { project, ours: row.get(2)?, counts: row.get(3)? }))
        })?
        .collect::<Result<_, _>>()?;
    Ok(all)
}

/// Bytes of one project's part.
///
/// # Errors
/// The database cannot be read.
pub fn of_project(connection: &Connection, project: &ProjectId) -> Result<u64, DbError> {
    let bytes: i64 = connection
        .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM build_cache WHERE project_id = ?1")?
        .query_row([project.as_str()], |row| row.get(0))?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// The newest builds, with what they were built from. One that runs ends `now`.
///
/// # Errors
/// The database cannot be read.
pub fn builds(connection: &Connection, now: Timestamp) -> Result<Vec<Build>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.project_id, f.started_at, coalesce(f.finished_at, ?1), coalesce(json_extract(d.plan, '$.output.dockerfile'), '')
         FROM deployments d JOIN deployment_phases f ON f.deployment_id = d.id AND f.phase = 'building'
         ORDER BY d.seq DESC LIMIT ?2",
    )?;
    let all = statement
        .query_map(params![now.0, BUILDS], |row| {
            Ok(Build {
                project: super::read::id(row, 0, ProjectId::parse)?,
                began_at: Timestamp(row.get(1)?),
                ended_at: Timestamp(row.get(2)?),
                steps: squashed(&row.get::<_, String>(3)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(all)
}
