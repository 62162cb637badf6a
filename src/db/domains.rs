//! Table `domains`: host names of visitors' own choosing. Lists also have the name that every project has under the base
//! domain; it has no row, and its id is made of the project's.

use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::DbError;
use super::error::exactly_one;
use super::filter::Conditions;
use super::page::{Page, PageRequest};
use crate::model::domain::{DnsRecord, Domain, DomainCertificate, DomainStatus};
use crate::model::ids::{DomainId, ProjectId, TeamId};
use crate::model::timestamp::Timestamp;

/// All domains with their project; the first parameter is the base domain.
const FROM: &str = "(
        SELECT d.id, d.hostname, d.project_id, d.status AS stored, d.redirect_to, d.redirect_code, d.found, d.checked_at,
            0 AS managed, d.created_at, d.verified_at, d.revision, d.seq,
            d.contested_at IS NOT NULL AND d.verified_at IS NULL AS contested FROM domains d
        UNION ALL
        SELECT 'dom_' || substr(id, 5), name || '.' || ?, id, 'active', NULL, 308, '[]', NULL,
            1, created_at, created_at, revision, 0, 0 FROM projects
    ) a JOIN projects p ON p.id = a.project_id AND p.deleted_at IS NULL";
const STATUS: &str = "CASE WHEN p.paused_at IS NOT NULL THEN 'disabled' ELSE a.stored END";
/// The certificate of the name itself, or else of the wildcard above it.
const CERTIFICATE: &str = "LEFT JOIN certificates c ON c.hostname = coalesce(
        (SELECT hostname FROM certificates WHERE hostname = a.hostname),
        '*.' || substr(a.hostname, instr(a.hostname, '.') + 1))
    LEFT JOIN certificate_orders o ON o.hostname = a.hostname";

fn columns() -> String {
    format!(
        "a.id, a.project_id, p.team_id, a.hostname, {STATUS}, a.redirect_to, a.redirect_code, a.found, a.checked_at,
            a.managed, a.created_at, a.verified_at, a.revision, c.issuer, c.not_after, o.error,
            a.contested, c.revoked_at IS NOT NULL"
    )
}

fn moment(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Domain> {
    let (issuer, not_after): (Option<String>, _) = (row.get(13)?, moment(row, 14)?);
    let (certificate, revoked) = (issuer.zip(not_after), row.get(17)?);
    Ok(Domain {
        id: super::read::id(row, 0, DomainId::parse)?,
        project_id: super::read::id(row, 1, ProjectId::parse)?,
        team_id: super::read::id(row, 2, TeamId::parse)?,
        hostname: row.get(3)?,
        status: super::read::word(row, 4, DomainStatus::parse)?,
        redirect_to: row.get(5)?,
        redirect_code: row.get(6)?,
        found: super::read::json(row, 7)?,
        checked_at: moment(row, 8)?,
        managed: row.get(9)?,
        created_at: Timestamp(row.get(10)?),
        verified_at: moment(row, 11)?,
        revision: row.get(12)?,
        certificate: certificate.map(|(issuer, not_after)| DomainCertificate {
            issuer,
            not_after,
            revoked,
        }),
        refused: row.get(15)?,
        contested: row.get(16)?,
    })
}

/// Fields a list can be sorted by.
pub const SORTS: [&str; 2] = ["created_at", "hostname"];

/// Which domains of a list.
#[derive(Clone, Debug, Default)]
pub struct DomainFilter {
    /// Whose; `None` is everybody's.
    pub team: Option<TeamId>,
    /// Of these projects; empty is all.
    pub projects: Vec<ProjectId>,
    pub statuses: Vec<DomainStatus>,
    /// Case-insensitive part of the host name.
    pub query: Option<String>,
    /// One of [`SORTS`] and whether descending; newest first when `None`.
    pub sort: Option<(String, bool)>,
}

/// A page of domains.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    base: &str,
    filter: &DomainFilter,
    page: PageRequest,
) -> Result<Page<Domain>, DbError> {
    let mut conditions = Conditions::new("TRUE");
    conditions.bind(base);
    if let Some(team) = &filter.team {
        conditions.one("p.team_id = ?", team.as_str());
    }
    conditions.any("a.project_id", filter.projects.iter().map(ProjectId::as_str));
    conditions.any(STATUS, filter.statuses.iter().map(|status| status.as_str()));
    if let Some(query) = &filter.query {
        conditions.one("instr(a.hostname, lower(?)) > 0", query.as_str());
    }
    let (field, descending) = match &filter.sort {
        Some((field, descending)) => (field.as_str(), *descending),
        None => ("created_at", true),
    };
    let column = if field == "hostname" { "a.hostname" } else { "a.created_at" };
    let direction = if descending { "DESC" } else { "ASC" };
    let (filter, mut values) = conditions.finish();
    let total = super::page::count(connection, &format!("{FROM} WHERE {filter}"), &values)?;
    values.extend([Value::from(i64::from(page.limit)), page.offset().into()]);
    let sql = format!(
        "SELECT {} FROM {FROM} {CERTIFICATE} WHERE {filter}
         ORDER BY {column} {direction}, a.seq {direction}, a.hostname LIMIT ? OFFSET ?",
        columns()
    );
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total })
}

/// One domain, by id or host name.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, base: &str, named: &str) -> Result<Option<Domain>, DbError> {
    let column = if DomainId::parse(named).is_some() { "a.id" } else { "a.hostname" };
    let sql = format!("SELECT {} FROM {FROM} {CERTIFICATE} WHERE {column} = ?", columns());
    Ok(connection.prepare_cached(&sql)?.query_row([base, named], read).optional()?)
}

/// Somebody's host name that stands in the way of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub id: DomainId,
    pub project: ProjectId,
    pub team: TeamId,
    pub hostname: String,
    /// It has led here once.
    pub verified: bool,
    pub revision: i64,
}

/// Whose a host name is: who has it, and other teams' that it overlaps with. Nobody's when there are none.
///
/// # Errors
/// The database cannot be read.
pub fn holders(
    connection: &Connection,
    hostname: &str,
    team: &TeamId,
) -> Result<Vec<Holder>, DbError> {
    let parent = hostname.split_once('.').map_or("", |(_, parent)| parent);
    let is_wildcard = hostname.starts_with("*.");
    let read = |row: &Row<'_>| {
        Ok(Holder {
            id: super::read::id(row, 0, DomainId::parse)?,
            project: super::read::id(row, 1, ProjectId::parse)?,
            team: super::read::id(row, 2, TeamId::parse)?,
            hostname: row.get(3)?,
            verified: row.get(4)?,
            revision: row.get(5)?,
        })
    };
    let found = connection
        .prepare_cached(
            "SELECT d.id, d.project_id, p.team_id, d.hostname, d.verified_at IS NOT NULL, d.revision
             FROM domains d JOIN projects p ON p.id = d.project_id
             WHERE d.hostname = ?1 OR (p.team_id <> ?2 AND (
                d.hostname = '*.' || ?3
                OR (?4 AND substr(d.hostname, instr(d.hostname, '.') + 1) = ?3)))
             ORDER BY d.seq",
        )?
        .query_map(params![hostname, team.as_str(), parent, is_wildcard], read)?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// Somebody else says that these are theirs: those that have not led here yet have to show from now on whose they are.
///
/// # Errors
/// The database cannot be written.
pub fn contest(connection: &Connection, holders: &[Holder], now: Timestamp) -> Result<(), DbError> {
    let mut statement = connection.prepare_cached(
        "UPDATE domains SET contested_at = ?2, revision = revision + 1
         WHERE id = ?1 AND verified_at IS NULL AND contested_at IS NULL",
    )?;
    for holder in holders {
        statement.execute(params![holder.id.as_str(), now.0])?;
    }
    Ok(())
}

/// How many a project has of its own.
///
/// # Errors
/// The database cannot be read.
pub fn count(connection: &Connection, project: &ProjectId) -> Result<u32, DbError> {
    let sql = "SELECT count(*) FROM domains WHERE project_id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([project.as_str()], |row| row.get(0))?)
}

/// Adds a domain. The DNS is asked at once.
///
/// # Errors
/// `Unique` when the host name is there.
pub fn insert(connection: &Connection, domain: &Domain) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO domains (id, project_id, hostname, status, redirect_to, redirect_code, created_at, look_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        params![
            domain.id.as_str(),
            domain.project_id.as_str(),
            domain.hostname,
            domain.status.as_str(),
            domain.redirect_to,
            domain.redirect_code,
            domain.created_at.0,
        ],
    )?;
    Ok(())
}

/// Where its requests go on to.
///
/// # Errors
/// `Stale` when it was changed meanwhile or is gone.
pub fn redirect(connection: &Connection, domain: &Domain) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE domains SET redirect_to = ?3, redirect_code = ?4, revision = revision + 1 WHERE id = ?1 AND revision = ?2",
        params![domain.id.as_str(), domain.revision, domain.redirect_to, domain.redirect_code],
    )?)
}

/// Counts a change that is not in the domain's own row.
///
/// # Errors
/// `Stale` when it is gone.
pub fn touch(connection: &Connection, id: &DomainId) -> Result<(), DbError> {
    let sql = "UPDATE domains SET revision = revision + 1 WHERE id = ?1";
    exactly_one(connection.execute(sql, [id.as_str()])?)
}

/// Removes a domain with its certificate.
///
/// # Errors
/// `Stale` when it is gone.
pub fn delete(connection: &Connection, domain: &Domain) -> Result<(), DbError> {
    super::certificates::delete(connection, &domain.hostname)?;
    super::issuance::forget(connection, &domain.hostname)?;
    let sql = "DELETE FROM domains WHERE id = ?1";
    exactly_one(connection.execute(sql, [domain.id.as_str()])?)
}

/// A deleted project has no domains.
///
/// # Errors
/// The database cannot be written.
pub fn drop_of_project(connection: &Connection, project: &ProjectId) -> Result<(), DbError> {
    connection.execute(
        "DELETE FROM certificates WHERE hostname IN (SELECT hostname FROM domains WHERE project_id = ?1)",
        [project.as_str()],
    )?;
    connection.execute(
        "DELETE FROM certificate_orders WHERE hostname IN (SELECT hostname FROM domains WHERE project_id = ?1)",
        [project.as_str()],
    )?;
    connection.execute("DELETE FROM domains WHERE project_id = ?1", [project.as_str()])?;
    Ok(())
}

/// Asks for a look at a domain's records.
///
/// # Errors
/// The database cannot be written.
pub fn look_soon(connection: &Connection, id: &DomainId, now: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE domains SET look_at = ?2 WHERE id = ?1";
    connection.execute(sql, params![id.as_str(), now.0])?;
    Ok(())
}

/// Domains whose records are to be looked at now, those that wait the longest first.
///
/// # Errors
/// The database cannot be read.
pub fn due(
    connection: &Connection,
    base: &str,
    now: Timestamp,
    most: u32,
) -> Result<Vec<Domain>, DbError> {
    let sql = format!(
        "SELECT {} FROM {FROM} {CERTIFICATE} JOIN domains l ON l.id = a.id WHERE l.look_at <= ? ORDER BY l.look_at LIMIT ?",
        columns()
    );
    let rows = connection
        .prepare_cached(&sql)?
        .query_map(params![base, now.0, most], read)?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// A look that came to nothing: the resolver did not answer. There will be another.
///
/// # Errors
/// The database cannot be written.
pub fn record_failed_look(
    connection: &Connection,
    id: &DomainId,
    next: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE domains SET look_at = ?2 WHERE id = ?1";
    connection.execute(sql, params![id.as_str(), next.0])?;
    Ok(())
}

/// What a look at a domain's records gave.
#[derive(Clone, Debug)]
pub struct Look {
    pub status: DomainStatus,
    pub found: Vec<DnsRecord>,
    pub at: Timestamp,
    /// How long until the next one.
    pub next: Duration,
}

/// Writes a look down.
///
/// # Errors
/// `Stale` when the domain is gone.
pub fn record_look(connection: &Connection, id: &DomainId, look: &Look) -> Result<(), DbError> {
    let found =
        serde_json::to_string(&look.found).map_err(|error| DbError::Broken(error.to_string()))?;
    exactly_one(connection.execute(
        "UPDATE domains SET revision = revision + (status <> ?2 OR found <> ?3), status = ?2, found = ?3,
            checked_at = ?4, look_at = ?5,
            verified_at = coalesce(verified_at, CASE WHEN ?2 = 'active' THEN ?4 END)
         WHERE id = ?1",
        params![
            id.as_str(),
            look.status.as_str(),
            found,
            look.at.0,
            look.at.plus(look.next).0,
        ],
    )?)
}

/// Domains that are served, with the names under the base domain.
///
/// # Errors
/// The database cannot be read.
pub fn active(connection: &Connection, base: &str) -> Result<Vec<Domain>, DbError> {
    let sql = format!("SELECT {} FROM {FROM} {CERTIFICATE} WHERE a.stored = 'active'", columns());
    let rows =
        connection.prepare_cached(&sql)?.query_map([base], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// A domain as the proxy sees it.
#[derive(Clone, Debug)]
pub struct DomainRoute {
    pub hostname: String,
    pub project: ProjectId,
    pub redirect_to: Option<String>,
    pub redirect_code: u16,
}

/// Every domain that has led here. One whose records are broken now goes on to be served: those who still reach it see
/// no worse.
///
/// # Errors
/// The database cannot be read.
pub fn routes(connection: &Connection) -> Result<Vec<DomainRoute>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.hostname, d.project_id, d.redirect_to, d.redirect_code FROM domains d
         JOIN projects p ON p.id = d.project_id WHERE d.verified_at IS NOT NULL AND p.deleted_at IS NULL",
    )?;
    let rows = statement
        .query_map([], |row| {
            Ok(DomainRoute {
                hostname: row.get(0)?,
                project: super::read::id(row, 1, ProjectId::parse)?,
                redirect_to: row.get(2)?,
                redirect_code: row.get(3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
