//! What the proxy needs to know, derived in one query.

use rusqlite::Connection;

use super::DbError;
use crate::model::deployment::{RunState, Target};
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::transition::State;

/// A deployment as the proxy sees it.
#[derive(Clone, Debug)]
pub struct DeploymentRoute {
    pub id: DeploymentId,
    pub project: ProjectId,
    pub hostname: String,
    pub state: State,
    pub target: Target,
    pub run_state: RunState,
    pub address: Option<String>,
    pub container_id: Option<String>,
    pub is_live: bool,
    pub paused: bool,
    /// Its files answer a path without a file with `index.html`.
    pub fallback: bool,
}

/// A project as the proxy sees it.
#[derive(Clone, Debug)]
pub struct ProjectRoute {
    pub id: ProjectId,
    pub name: String,
    pub live: Option<DeploymentId>,
    /// State of the newest deployment, for the page of a project that has never been live.
    pub latest: Option<State>,
    pub paused: bool,
}

/// Every deployment of every project.
///
/// # Errors
/// The database cannot be read.
pub fn deployments(connection: &Connection) -> Result<Vec<DeploymentRoute>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id, d.project_id, d.hostname, d.state, d.target, d.run_state, d.address, p.live_deployment_id IS d.id,
            p.paused_at IS NOT NULL, d.container_id,
            d.run_state = 'files' AND coalesce(json_extract(d.plan, '$.output.fallback'), 0)
         FROM deployments d JOIN projects p ON p.id = d.project_id WHERE p.deleted_at IS NULL AND d.deleted_at IS NULL",
    )?;
    let rows = statement
        .query_map([], |row| {
            Ok(DeploymentRoute {
                id: super::read::id(row, 0, DeploymentId::parse)?,
                project: super::read::id(row, 1, ProjectId::parse)?,
                hostname: row.get(2)?,
                state: super::read::word(row, 3, State::parse)?,
                target: super::read::word(row, 4, Target::parse)?,
                run_state: super::read::word(row, 5, RunState::parse)?,
                address: row.get(6)?,
                is_live: row.get(7)?,
                paused: row.get(8)?,
                container_id: row.get(9)?,
                fallback: row.get(10)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Every project.
///
/// # Errors
/// The database cannot be read.
pub fn projects(connection: &Connection) -> Result<Vec<ProjectRoute>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT p.id, p.name, p.live_deployment_id,
            (SELECT d.state FROM deployments d WHERE d.project_id = p.id AND d.deleted_at IS NULL ORDER BY d.seq DESC LIMIT 1),
            p.paused_at IS NOT NULL
         FROM projects p WHERE p.deleted_at IS NULL",
    )?;
    let rows = statement
        .query_map([], |row| {
            Ok(ProjectRoute {
                id: super::read::id(row, 0, ProjectId::parse)?,
                name: row.get(1)?,
                live: super::read::optional(row, 2, DeploymentId::parse)?,
                latest: super::read::optional(row, 3, State::parse)?,
                paused: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
