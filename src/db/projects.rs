//! Table `projects`. Deleted ones stay until nothing of them is left on the engine; only
//! [`deleted`] and [`purge`] see them.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

use super::DbError;
use super::error::exactly_one;
use super::page::{Page, PageRequest};
use crate::model::ids::{DeploymentId, ProjectId, TeamId};
use crate::model::project::{Project, ProjectStatus};
use crate::model::timestamp::Timestamp;

const SELECT: &str = "SELECT p.id, p.team_id, p.name, p.region, p.framework, p.description, p.source, p.build, p.runtime,
    p.auto_deploy, p.preview_deployments, p.keep_images, p.live_deployment_id,
    (SELECT d.id FROM deployments d WHERE d.project_id = p.id AND d.deleted_at IS NULL ORDER BY d.seq DESC LIMIT 1),
    coalesce((SELECT d.state = 'crashed' FROM deployments d WHERE d.id = p.live_deployment_id), 0),
    p.network_index, p.created_at, p.updated_at, p.revision, p.paused_at,
    coalesce((SELECT d.env_revision < CASE d.target WHEN 'preview' THEN p.preview_env_revision ELSE p.env_revision END
        FROM deployments d WHERE d.id = p.live_deployment_id), 0), p.release_paused_at
    FROM projects p";

fn read(row: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project {
        id: super::read::id(row, 0, ProjectId::parse)?,
        team_id: super::read::id(row, 1, TeamId::parse)?,
        name: row.get(2)?,
        region: row.get(3)?,
        framework: row.get(4)?,
        description: row.get(5)?,
        source: super::read::json(row, 6)?,
        build: super::read::json(row, 7)?,
        runtime: super::read::json(row, 8)?,
        auto_deploy: row.get(9)?,
        preview_deployments: row.get(10)?,
        keep_images: row.get(11)?,
        live_deployment_id: super::read::optional(row, 12, DeploymentId::parse)?,
        latest_deployment_id: super::read::optional(row, 13, DeploymentId::parse)?,
        live_crashed: row.get(14)?,
        network_index: row.get(15)?,
        created_at: Timestamp(row.get(16)?),
        updated_at: Timestamp(row.get(17)?),
        revision: row.get(18)?,
        paused_at: row.get::<_, Option<i64>>(19)?.map(Timestamp),
        pending_redeploy: row.get(20)?,
        release_paused_at: row.get::<_, Option<i64>>(21)?.map(Timestamp),
    })
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbError::Broken(error.to_string()))
}

/// Adds a project and gives it the lowest free subnet.
///
/// # Errors
/// `Unique` when the name is taken.
pub fn insert(connection: &Connection, project: &Project) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO projects (id, team_id, name, region, framework, description, source, build, runtime, auto_deploy,
            preview_deployments, keep_images, network_index, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
            CASE WHEN NOT EXISTS (SELECT 1 FROM projects WHERE network_index = 0) THEN 0
                 ELSE (SELECT min(a.network_index) + 1 FROM projects a
                       WHERE NOT EXISTS (SELECT 1 FROM projects b WHERE b.network_index = a.network_index + 1)) END,
            ?13, ?14)",
        params![
            project.id.as_str(), project.team_id.as_str(), project.name, project.region, project.framework,
            project.description, to_json(&project.source)?, to_json(&project.build)?, to_json(&project.runtime)?,
            project.auto_deploy, project.preview_deployments, project.keep_images, project.created_at.0,
            project.updated_at.0,
        ],
    )?;
    Ok(())
}

/// Finds a project by id.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, id: &ProjectId) -> Result<Option<Project>, DbError> {
    let sql = format!("{SELECT} WHERE p.id = ?1 AND p.deleted_at IS NULL");
    Ok(connection.prepare_cached(&sql)?.query_row([id.as_str()], read).optional()?)
}

/// Finds a project by name.
///
/// # Errors
/// The database cannot be read.
pub fn find_by_name(connection: &Connection, name: &str) -> Result<Option<Project>, DbError> {
    let sql = format!("{SELECT} WHERE p.name = ?1 AND p.deleted_at IS NULL");
    Ok(connection.prepare_cached(&sql)?.query_row([name], read).optional()?)
}

/// Fields a list can be sorted by.
pub const SORTS: [&str; 4] = ["created_at", "name", "status", "updated_at"];

/// Which projects of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProjectFilter {
    /// Whose; `None` is everybody's.
    pub team: Option<TeamId>,
    /// Empty is all.
    pub only: Vec<ProjectId>,
    pub statuses: Vec<ProjectStatus>,
    pub regions: Vec<String>,
    pub frameworks: Vec<String>,
    /// Case-insensitive part of the name.
    pub query: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// One of [`SORTS`] and whether descending; newest first when `None`.
    pub sort: Option<(String, bool)>,
}

impl ProjectFilter {
    /// The length of the list where it is known without counting: of a team.
    fn known_total(&self, connection: &Connection) -> Result<Option<u64>, DbError> {
        let whose = Self { team: self.team.clone(), sort: self.sort.clone(), ..Self::default() };
        if *self != whose {
            return Ok(None);
        }
        super::counts::projects(connection, self.team.as_ref()).map(Some)
    }
}

const STATUS: &str = "CASE WHEN p.paused_at IS NOT NULL THEN 'paused' WHEN p.live_deployment_id IS NULL THEN 'pending'
    WHEN (SELECT d.state FROM deployments d WHERE d.id = p.live_deployment_id) = 'crashed' THEN 'degraded' ELSE 'active' END";

/// A page of projects.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    filter: &ProjectFilter,
    page: PageRequest,
) -> Result<Page<Project>, DbError> {
    let mut conditions = super::filter::Conditions::new("p.deleted_at IS NULL");
    if let Some(team) = &filter.team {
        conditions.one("p.team_id = ?", team.as_str());
    }
    conditions.any("p.id", filter.only.iter().map(ProjectId::as_str));
    conditions.any(STATUS, filter.statuses.iter().map(|status| status.as_str()));
    conditions.any("p.region", filter.regions.iter().map(String::as_str));
    conditions.any("p.framework", filter.frameworks.iter().map(String::as_str));
    if let Some(query) = &filter.query {
        conditions.one("instr(p.name, lower(?)) > 0", query.as_str());
    }
    conditions.between("p.created_at", filter.created_after, filter.created_before);
    let (field, descending) = match &filter.sort {
        Some((field, descending)) => (field.as_str(), *descending),
        None => ("created_at", true),
    };
    let column = match field {
        "name" => "p.name",
        "updated_at" => "p.updated_at",
        "status" => STATUS,
        _ => "p.seq",
    };
    let direction = if descending { "DESC" } else { "ASC" };
    let known = filter.known_total(connection)?;
    let (filter, mut values) = conditions.finish();
    let total = match known {
        Some(total) => total,
        None => super::page::count(connection, &format!("projects p WHERE {filter}"), &values)?,
    };
    values.extend([Value::from(i64::from(page.limit)), page.offset().into()]);
    let sql = format!(
        "{SELECT} WHERE {filter} ORDER BY {column} {direction}, p.seq {direction} LIMIT ? OFFSET ?"
    );
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&values), read)?
        .collect::<Result<_, _>>()?;
    Ok(Page { items, total })
}

/// Writes every setting of a project back; guarded by the revision that was read.
///
/// # Errors
/// `Stale` when somebody changed it meanwhile, `Unique` when the new name is taken.
pub fn update(connection: &Connection, project: &Project) -> Result<(), DbError> {
    exactly_one(connection.execute(
        "UPDATE projects SET name = ?3, framework = ?4, description = ?5, source = ?6, build = ?7, runtime = ?8,
            auto_deploy = ?9, preview_deployments = ?10, keep_images = ?11, updated_at = ?12, revision = revision + 1
         WHERE id = ?1 AND revision = ?2 AND deleted_at IS NULL",
        params![
            project.id.as_str(), project.revision, project.name, project.framework, project.description,
            to_json(&project.source)?, to_json(&project.build)?, to_json(&project.runtime)?, project.auto_deploy,
            project.preview_deployments, project.keep_images, project.updated_at.0,
        ],
    )?)
}

/// Points a project at a deployment, guarded by the pointer that was read.
///
/// # Errors
/// `Stale` when the pointer moved or the project was deleted meanwhile.
pub fn point_at(
    connection: &Connection,
    project: &ProjectId,
    from: Option<&DeploymentId>,
    to: &DeploymentId,
    framework: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    if let Some(from) = from.filter(|from| *from != to) {
        connection.execute(
            "UPDATE deployments SET superseded_at = ?2, revision = revision + 1 WHERE id = ?1",
            params![from.as_str(), now.0],
        )?;
    }
    exactly_one(connection.execute(
        "UPDATE projects SET live_deployment_id = ?3, framework = coalesce(framework, ?4), updated_at = ?5, revision = revision + 1
         WHERE id = ?1 AND live_deployment_id IS ?2 AND deleted_at IS NULL",
        params![project.as_str(), from.map(DeploymentId::as_str), to.as_str(), framework, now.0],
    )?)
}

/// From this moment on new deployments wait until somebody promotes one, or (`None`) do not wait any more.
///
/// # Errors
/// The database cannot be written.
pub fn pause_release(
    connection: &Connection,
    project: &ProjectId,
    since: Option<Timestamp>,
) -> Result<(), DbError> {
    connection.execute(
        "UPDATE projects SET release_paused_at = ?2, revision = revision + 1 WHERE id = ?1 AND release_paused_at IS NOT ?2",
        params![project.as_str(), since.map(|since| since.0)],
    )?;
    Ok(())
}

/// Marks a project as deleted: nobody sees it any more, its name is free at once.
///
/// # Errors
/// `Stale` when it is already deleted.
pub fn mark_deleted(
    connection: &Connection,
    id: &ProjectId,
    now: Timestamp,
) -> Result<(), DbError> {
    super::releases::drop_of_project(connection, id)?;
    super::branch_hosts::drop_of_project(connection, id)?;
    super::domains::drop_of_project(connection, id)?;
    exactly_one(connection.execute(
        "UPDATE projects SET deleted_at = ?2, live_deployment_id = NULL WHERE id = ?1 AND deleted_at IS NULL",
        params![id.as_str(), now.0],
    )?)
}

/// Projects that are deleted but not gone.
///
/// # Errors
/// The database cannot be read.
pub fn deleted(connection: &Connection) -> Result<Vec<ProjectId>, DbError> {
    let mut statement =
        connection.prepare_cached("SELECT id FROM projects WHERE deleted_at IS NOT NULL")?;
    let ids = statement
        .query_map([], |row| super::read::id(row, 0, ProjectId::parse))?
        .collect::<Result<_, _>>()?;
    Ok(ids)
}

/// Removes a deleted project and everything that hangs on it.
///
/// # Errors
/// The database cannot be written.
pub fn purge(connection: &Connection, id: &ProjectId) -> Result<(), DbError> {
    connection
        .execute("DELETE FROM projects WHERE id = ?1 AND deleted_at IS NOT NULL", [id.as_str()])?;
    Ok(())
}

/// Gives a project another subnet, after its own turned out to be in use on this machine.
///
/// # Errors
/// The database cannot be written.
pub fn move_network(connection: &Connection, id: &ProjectId) -> Result<u32, DbError> {
    Ok(connection.query_row(
        "UPDATE projects SET network_index = (SELECT max(network_index) + 1 FROM projects) WHERE id = ?1
         RETURNING network_index",
        [id.as_str()],
        |row| row.get(0),
    )?)
}

/// A project whatever its fate, with whether it is deleted: the pipeline's own view.
///
/// # Errors
/// The database cannot be read.
pub fn find_any(
    connection: &Connection,
    id: &ProjectId,
) -> Result<Option<(Project, bool)>, DbError> {
    let deleted: Option<bool> = connection
        .prepare_cached("SELECT deleted_at IS NOT NULL FROM projects WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(deleted) = deleted else { return Ok(None) };
    let project = connection
        .prepare_cached(&format!("{SELECT} WHERE p.id = ?1"))?
        .query_row([id.as_str()], read)?;
    Ok(Some((project, deleted)))
}
