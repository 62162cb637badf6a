//! What the proxy needs to know, derived in one query.

use std::time::Duration;

use rusqlite::Connection;

use super::DbError;
use crate::model::deployment::{RunState, Target};
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::project::Protocol;
use crate::model::proxy_settings::ProxySettings;
use crate::model::timestamp::Timestamp;
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
    pub is_live: bool,
    pub paused: bool,
    /// It may not run beside another deployment, and has none of the traffic: nothing wakes it.
    pub rests: bool,
    /// Its files answer a path without a file with `index.html`.
    pub fallback: bool,
    pub protocol: Protocol,
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
    /// Crawlers and monitors wake what sleeps.
    pub crawlers: bool,
    pub proxy: ProxySettings,
}

/// A deployment whose traffic went to another one.
#[derive(Clone, Debug)]
pub struct Replaced {
    pub id: DeploymentId,
    pub project: ProjectId,
    pub at: Timestamp,
}

/// Every deployment of every project.
///
/// # Errors
/// The database cannot be read.
pub fn deployments(connection: &Connection) -> Result<Vec<DeploymentRoute>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id, d.project_id, d.hostname, d.state, d.target, d.run_state, p.live_deployment_id IS d.id,
            p.paused_at IS NOT NULL,
            d.run_state = 'files' AND coalesce(json_extract(d.plan, '$.output.fallback'), 0),
            d.alone AND p.live_deployment_id IS NOT d.id, d.protocol
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
                is_live: row.get(6)?,
                paused: row.get(7)?,
                fallback: row.get(8)?,
                rests: row.get(9)?,
                protocol: super::read::word(row, 10, Protocol::parse)?,
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
            p.paused_at IS NOT NULL, coalesce(json_extract(p.runtime, '$.sleep.crawlers'), 0),
            json_extract(p.runtime, '$.proxy')
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
                crawlers: row.get(5)?,
                proxy: super::read::optional_json(row, 6)?.unwrap_or_default(),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Deployments that lost their traffic within this time and can answer, asleep or not, the last one first.
///
/// # Errors
/// The database cannot be read.
pub fn replaced(connection: &Connection, within: Duration) -> Result<Vec<Replaced>, DbError> {
    if within.is_zero() {
        return Ok(Vec::new());
    }
    let seconds = i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "SELECT d.id, d.project_id, d.superseded_at FROM deployments d
         WHERE d.superseded_at > (unixepoch() - ?1) * 1000 AND d.run_state IN ('files', 'running', 'paused', 'stopped')
            AND d.state = 'ready' AND d.deleted_at IS NULL
         ORDER BY d.superseded_at DESC",
    )?;
    let rows = statement
        .query_map([seconds], |row| {
            Ok(Replaced {
                id: super::read::id(row, 0, DeploymentId::parse)?,
                project: super::read::id(row, 1, ProjectId::parse)?,
                at: Timestamp(row.get(2)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
