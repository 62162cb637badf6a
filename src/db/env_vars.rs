//! Table `env_vars`: the variables of projects, sealed.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::DbError;
use super::error::exactly_one;
use super::filter::Conditions;
use super::page::{Page, PageRequest};
use crate::model::deployment::Target;
use crate::model::ids::{ProjectId, UserId};
use crate::model::project_env::{EnvSource, EnvTarget, EnvVar};
use crate::model::timestamp::Timestamp;

const COLUMNS: &str = "e.key, e.target, e.sensitive, e.source, e.created_at, e.updated_at, e.updated_by, e.revision, e.sealed";

/// A variable with its sealed value.
#[derive(Clone, Debug)]
pub struct StoredVar {
    pub variable: EnvVar,
    pub sealed: Vec<u8>,
}

/// Fields a list can be sorted by.
pub const SORTS: [&str; 3] = ["created_at", "key", "updated_at"];

/// Which variables of a project.
#[derive(Clone, Debug, Default)]
pub struct EnvFilter {
    /// Empty is all.
    pub targets: Vec<EnvTarget>,
    /// Case-insensitive part of the name.
    pub query: Option<String>,
    /// One of [`SORTS`] and whether descending; newest first when `None`.
    pub sort: Option<(String, bool)>,
}

/// What a value is sealed for.
pub fn identity(project: &ProjectId, target: EnvTarget, key: &str) -> String {
    format!("env_vars/{project}/{}/{key}", target.as_str())
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredVar> {
    let variable = EnvVar {
        key: row.get(0)?,
        target: super::read::word(row, 1, EnvTarget::parse)?,
        sensitive: row.get(2)?,
        source: super::read::word(row, 3, EnvSource::parse)?,
        created_at: Timestamp(row.get(4)?),
        updated_at: Timestamp(row.get(5)?),
        updated_by: super::read::id(row, 6, UserId::parse)?,
        revision: row.get(7)?,
    };
    Ok(StoredVar { variable, sealed: row.get(8)? })
}

/// A page of the variables of a project.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    project: &ProjectId,
    filter: &EnvFilter,
    page: PageRequest,
) -> Result<Page<StoredVar>, DbError> {
    let mut conditions = Conditions::new("TRUE");
    conditions.one("e.project_id = ?", project.as_str());
    conditions.any("e.target", filter.targets.iter().map(|target| target.as_str()));
    if let Some(query) = &filter.query {
        conditions.one("instr(lower(e.key), lower(?)) > 0", query.as_str());
    }
    let (field, descending) = match &filter.sort {
        Some((field, descending)) => (field.as_str(), *descending),
        None => ("created_at", true),
    };
    let column = match field {
        "key" => "e.key",
        "updated_at" => "e.updated_at",
        _ => "e.created_at",
    };
    let direction = if descending { "DESC" } else { "ASC" };
    let (filter, mut values) = conditions.finish();
    let total: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM env_vars e WHERE {filter}"))?
        .query_row(params_from_iter(&values), |row| row.get(0))?;
    values.extend([Value::from(i64::from(page.limit)), page.offset().into()]);
    let items = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM env_vars e WHERE {filter}
             ORDER BY {column} {direction}, e.seq {direction} LIMIT ? OFFSET ?"
        ))?
        .query_map(params_from_iter(&values), read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total: u64::try_from(total).unwrap_or(0) })
}

/// All variables of a project. How many there can be is limited when they are set.
///
/// # Errors
/// The database cannot be read.
pub fn all(connection: &Connection, project: &ProjectId) -> Result<Vec<StoredVar>, DbError> {
    let items = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM env_vars e WHERE e.project_id = ?1 ORDER BY e.seq"
        ))?
        .query_map([project.as_str()], read)?
        .collect::<Result<_, _>>()?;
    Ok(items)
}

/// One variable.
///
/// # Errors
/// The database cannot be read.
pub fn find(
    connection: &Connection,
    project: &ProjectId,
    target: EnvTarget,
    key: &str,
) -> Result<Option<StoredVar>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM env_vars e WHERE e.project_id = ?1 AND e.key = ?2 AND e.target = ?3"
    );
    let values = params![project.as_str(), key, target.as_str()];
    Ok(connection.prepare_cached(&sql)?.query_row(values, read).optional()?)
}

/// Sets a variable, new or not; of one that is there, when it was made stays.
///
/// # Errors
/// The database cannot be written.
pub fn set(
    connection: &Connection,
    project: &ProjectId,
    stored: &StoredVar,
) -> Result<(), DbError> {
    let variable = &stored.variable;
    connection
        .prepare_cached(
            "INSERT INTO env_vars (project_id, key, target, sealed, sensitive, source, created_at, updated_at, updated_by, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (project_id, key, target) DO UPDATE SET sealed = excluded.sealed, sensitive = excluded.sensitive,
                source = excluded.source, updated_at = excluded.updated_at, updated_by = excluded.updated_by,
                revision = excluded.revision",
        )?
        .execute(params![
            project.as_str(), variable.key, variable.target.as_str(), stored.sealed, variable.sensitive,
            variable.source.as_str(), variable.created_at.0, variable.updated_at.0, variable.updated_by.as_str(),
            variable.revision,
        ])?;
    Ok(())
}

/// Removes a variable.
///
/// # Errors
/// `Stale` when there is none.
pub fn remove(
    connection: &Connection,
    project: &ProjectId,
    target: EnvTarget,
    key: &str,
) -> Result<(), DbError> {
    exactly_one(
        connection
            .prepare_cached(
                "DELETE FROM env_vars WHERE project_id = ?1 AND key = ?2 AND target = ?3",
            )?
            .execute(params![project.as_str(), key, target.as_str()])?,
    )
}

/// Counts a change. Answers the revision of what is changed, which no variable of the project had before.
///
/// # Errors
/// The database cannot be written.
pub fn count_change(
    connection: &Connection,
    project: &ProjectId,
    target: EnvTarget,
) -> Result<i64, DbError> {
    let production = target != EnvTarget::Preview;
    let preview = target != EnvTarget::Production;
    Ok(connection.query_row(
        "UPDATE projects SET env_revision = env_revision + ?2, preview_env_revision = preview_env_revision + ?3
         WHERE id = ?1 RETURNING env_revision + preview_env_revision",
        params![project.as_str(), production, preview],
        |row| row.get(0),
    )?)
}

/// What deployments of a target get: by name, where the value comes from and the sealed value.
pub(super) fn effective(
    connection: &Connection,
    project: &ProjectId,
    target: Target,
    untrusted: bool,
) -> Result<BTreeMap<String, (EnvTarget, Vec<u8>)>, DbError> {
    let mut found = BTreeMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT key, target, sealed, sensitive FROM env_vars WHERE project_id = ?1 AND target IN ('all', ?2)
         ORDER BY target <> 'all'",
    )?;
    let mut rows = statement.query(params![project.as_str(), target.as_str()])?;
    // Those of the target come after those of all, and take their place.
    while let Some(row) = rows.next()? {
        let from = super::read::word(row, 1, EnvTarget::parse)?;
        let (key, sensitive): (String, bool) = (row.get(0)?, row.get(3)?);
        if untrusted && sensitive {
            found.remove(&key);
        } else {
            found.insert(key, (from, row.get(2)?));
        }
    }
    Ok(found)
}
