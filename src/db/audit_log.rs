//! Table `audit_log`: who did what, written in the transaction of the change.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

use super::DbError;
use super::filter::Conditions;
use super::page::{Page, PageRequest};
use crate::model::actor::Origin;
use crate::model::audit::{AuditEntry, Party};
use crate::model::ids::{AuditId, ProjectId, RequestId, TeamId, UserId};
use crate::model::timestamp::Timestamp;

const COLUMNS: &str = "id, action, actor_type, actor_id, actor_name, user_id, target_type, target_id, target_name, team_id,
    project_id, ip, user_agent, request_id, client_request_id, changes, created_at, seq";

/// Appends an entry.
///
/// # Errors
/// The database cannot be written.
pub fn append(connection: &Connection, entry: &AuditEntry) -> Result<(), DbError> {
    connection
        .prepare_cached(
            "INSERT INTO audit_log (id, action, actor_type, actor_id, actor_name, user_id, target_type, target_id,
                target_name, team_id, project_id, ip, user_agent, request_id, client_request_id, changes, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?
        .execute(params![
            entry.id.as_str(), entry.action, entry.actor.kind, entry.actor.id, entry.actor.name,
            entry.user_id.as_str(), entry.target.kind, entry.target.id, entry.target.name, entry.team_id.as_str(),
            entry.project_id.as_ref().map(ProjectId::as_str), entry.origin.ip.map(|ip| ip.to_string()),
            entry.origin.user_agent, entry.origin.request_id.as_ref().map(RequestId::as_str),
            entry.origin.client_request_id, entry.changes.to_string(), entry.created_at.0,
        ])?;
    Ok(())
}

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Whose; `None` is everybody's.
    pub team: Option<TeamId>,
    /// Projects a key is limited to; empty is all, and what belongs to no project.
    pub only_projects: Vec<ProjectId>,
    /// Names, or beginnings of names that end with `.*`; empty is all.
    pub actions: Vec<String>,
    pub actor_id: Option<String>,
    pub target_id: Option<String>,
    pub project: Option<ProjectId>,
    pub ip: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// Only what comes after this place, oldest first.
    pub after: Option<i64>,
}

impl AuditFilter {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::new("1");
        let named = [
            ("team_id = ?", self.team.as_ref().map(TeamId::as_str)),
            ("project_id = ?", self.project.as_ref().map(ProjectId::as_str)),
            ("actor_id = ?", self.actor_id.as_deref()),
            ("target_id = ?", self.target_id.as_deref()),
            ("ip = ?", self.ip.as_deref()),
        ];
        for (condition, value) in named {
            if let Some(value) = value {
                conditions.one(condition, value);
            }
        }
        conditions.any("project_id", self.only_projects.iter().map(ProjectId::as_str));
        conditions.names("action", &self.actions);
        conditions.between("created_at", self.created_after, self.created_before);
        if let Some(place) = self.after {
            conditions.one("seq > ?", place);
        }
        conditions
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let party = |at: usize| -> rusqlite::Result<Party> {
        Ok(Party { kind: row.get(at)?, id: row.get(at + 1)?, name: row.get(at + 2)? })
    };
    Ok(AuditEntry {
        id: super::read::id(row, 0, AuditId::parse)?,
        action: row.get(1)?,
        actor: party(2)?,
        user_id: super::read::id(row, 5, UserId::parse)?,
        target: party(6)?,
        team_id: super::read::id(row, 9, TeamId::parse)?,
        project_id: super::read::optional(row, 10, ProjectId::parse)?,
        origin: Origin {
            ip: super::read::optional(row, 11, |text| text.parse().ok())?,
            user_agent: row.get(12)?,
            request_id: super::read::optional(row, 13, RequestId::parse)?,
            client_request_id: row.get(14)?,
        },
        changes: super::read::json(row, 15)?,
        created_at: Timestamp(row.get(16)?),
    })
}

/// A page of entries, newest first, or after a place oldest first.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    filter: &AuditFilter,
    page: PageRequest,
) -> Result<Page<AuditEntry>, DbError> {
    let (conditions, mut values) = filter.conditions().finish();
    let total = super::page::count(connection, &format!("audit_log WHERE {conditions}"), &values)?;
    values.extend([Value::from(i64::from(page.limit)), page.offset().into()]);
    let direction = if filter.after.is_some() { "ASC" } else { "DESC" };
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_log WHERE {conditions} ORDER BY seq {direction} LIMIT ? OFFSET ?"
    );
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total })
}

/// Entries oldest first, each with its place.
///
/// # Errors
/// The database cannot be read.
pub fn forward(
    connection: &Connection,
    filter: &AuditFilter,
    limit: u32,
) -> Result<Vec<(i64, AuditEntry)>, DbError> {
    let (conditions, mut values) = filter.conditions().finish();
    values.push(i64::from(limit).into());
    let sql = format!("SELECT {COLUMNS} FROM audit_log WHERE {conditions} ORDER BY seq LIMIT ?");
    let entries = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), |row| Ok((row.get(17)?, read(row)?)))?
        .collect::<Result<_, _>>()?;
    Ok(entries)
}

/// The place of an entry in the log.
///
/// # Errors
/// The database cannot be read.
pub fn place(connection: &Connection, id: &AuditId) -> Result<Option<i64>, DbError> {
    let mut statement = connection.prepare_cached("SELECT seq FROM audit_log WHERE id = ?1")?;
    Ok(statement.query_row([id.as_str()], |row| row.get(0)).optional()?)
}

/// Removes entries that were written until `until`.
///
/// # Errors
/// The database cannot be written.
pub fn delete_until(connection: &Connection, until: Timestamp) -> Result<(), DbError> {
    connection.execute("DELETE FROM audit_log WHERE created_at <= ?1", [until.0])?;
    Ok(())
}
