//! Table `deployments`: reading and adding. What moves a deployment on is in `transitions`.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

use super::DbError;
use super::filter::Conditions;
use super::page::{Page, PageRequest};
use crate::model::deployment::{
    CancelReason, Commit, Deployment, Phase, Replica, RunState, Status, Target, Trigger,
};
use crate::model::ids::{DeploymentId, ProjectId, TeamId, UploadId};
use crate::model::project::Protocol;
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;

const SELECT: &str = "SELECT d.id, d.project_id, d.seq, d.state, d.target, d.trigger, d.promote, d.message, d.git_url, d.branch,
    d.wanted_commit, d.root_dir, d.clear_cache, d.commit_sha, d.commit_message, d.commit_author, d.plan, d.hostname, d.image,
    (SELECT json_group_array(json_array(c.number, c.container_id, c.address, c.serves)) FROM replicas c
        WHERE c.deployment_id = d.id), d.run_state, d.failure, d.cancel_reason, d.cancel_requested, d.created_by, d.created_at,
    d.started_at, d.built_at, d.live_at, d.finished_at, d.revision, p.live_deployment_id IS d.id,
    (SELECT json_group_array(e.key) FROM deployment_env e WHERE e.deployment_id = d.id), d.source_deployment_id,
    (SELECT r.phase FROM releases r WHERE r.deployment_id = d.id ORDER BY r.seq LIMIT 1), p.paused_at IS NOT NULL,
    CASE WHEN d.state = 'queued' THEN d.waiting END,
    d.upload_id, d.image_reference, d.image_pin,
    (SELECT b.label FROM branch_hosts b WHERE b.project_id = d.project_id AND b.branch = d.branch), d.alone, d.untrusted,
    CASE WHEN d.state = 'queued' THEN d.checks_until END, d.protocol
    FROM deployments d JOIN projects p ON p.id = d.project_id";

fn read(row: &Row<'_>) -> rusqlite::Result<Deployment> {
    let at = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp));
    let commit = match row.get::<_, Option<String>>(13)? {
        None => None,
        Some(sha) => Some(Commit {
            sha,
            message: row.get::<_, Option<String>>(14)?.unwrap_or_default(),
            author: row.get::<_, Option<String>>(15)?.unwrap_or_default(),
        }),
    };
    Ok(Deployment {
        id: super::read::id(row, 0, DeploymentId::parse)?,
        project_id: super::read::id(row, 1, ProjectId::parse)?,
        seq: row.get(2)?,
        state: super::read::word(row, 3, State::parse)?,
        target: super::read::word(row, 4, Target::parse)?,
        trigger: super::read::word(row, 5, Trigger::parse)?,
        promote: row.get(6)?,
        message: row.get(7)?,
        git_url: row.get(8)?,
        branch: row.get(9)?,
        wanted_commit: row.get(10)?,
        root_dir: row.get(11)?,
        clear_cache: row.get(12)?,
        commit,
        plan: super::read::optional_json(row, 16)?,
        hostname: row.get(17)?,
        image: row.get(18)?,
        replicas: replicas(row, 19)?,
        run_state: super::read::word(row, 20, RunState::parse)?,
        failure: super::read::optional_json(row, 21)?,
        cancel_reason: super::read::optional(row, 22, CancelReason::parse)?,
        cancel_requested: row.get::<_, Option<String>>(23)?.is_some(),
        created_by: super::read::json(row, 24)?,
        created_at: Timestamp(row.get(25)?),
        started_at: at(26)?,
        built_at: at(27)?,
        live_at: at(28)?,
        finished_at: at(29)?,
        revision: row.get(30)?,
        is_live: row.get(31)?,
        environment_keys: super::read::json(row, 32)?,
        source_deployment_id: super::read::optional(row, 33, DeploymentId::parse)?,
        release: super::read::optional(row, 34, Phase::parse)?,
        project_paused: row.get(35)?,
        waiting: row.get(36)?,
        upload_id: super::read::optional(row, 37, UploadId::parse)?,
        image_reference: row.get(38)?,
        image_pin: row.get(39)?,
        branch_label: row.get(40)?,
        alone: row.get(41)?,
        untrusted: row.get(42)?,
        checks_until: at(43)?,
        protocol: super::read::word(row, 44, Protocol::parse)?,
    })
}

fn replicas(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<Replica>> {
    let all: Vec<(u32, Option<String>, Option<String>, u8)> = super::read::json(row, index)?;
    let replica = |(number, container, address, serves)| Replica {
        number,
        container,
        address,
        serves: serves != 0,
    };
    let mut all: Vec<_> = all.into_iter().map(replica).collect();
    all.sort_by_key(|replica| replica.number);
    Ok(all)
}

/// Adds a deployment; `seq`, `revision` and everything the pipeline finds out are set by the database.
///
/// # Errors
/// `Unique("deployments.hostname")` when the start of the id gives a host name that exists: try another id.
pub fn insert(connection: &Connection, deployment: &Deployment) -> Result<(), DbError> {
    let created_by = serde_json::to_string(&deployment.created_by)
        .map_err(|error| DbError::Broken(error.to_string()))?;
    connection.execute(
        "INSERT INTO deployments (id, project_id, state, target, trigger, promote, message, git_url, branch, wanted_commit,
            root_dir, clear_cache, hostname, created_by, created_at, source_deployment_id,
            upload_id, image_reference, image_pin, untrusted, checks_until, waiting)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
        params![
            deployment.id.as_str(), deployment.project_id.as_str(), deployment.state.as_str(),
            deployment.target.as_str(), deployment.trigger.as_str(), deployment.promote, deployment.message,
            deployment.git_url, deployment.branch, deployment.wanted_commit, deployment.root_dir,
            deployment.clear_cache, deployment.hostname, created_by, deployment.created_at.0,
            deployment.source_deployment_id.as_ref().map(DeploymentId::as_str),
            deployment.upload_id.as_ref().map(UploadId::as_str), deployment.image_reference, deployment.image_pin,
            deployment.untrusted, deployment.checks_until.map(|at| at.0), deployment.waiting,
        ],
    )?;
    Ok(())
}

/// Finds a deployment of a project that is not deleted.
///
/// # Errors
/// The database cannot be read.
pub fn find(connection: &Connection, id: &DeploymentId) -> Result<Option<Deployment>, DbError> {
    let sql = format!("{SELECT} WHERE d.id = ?1 AND p.deleted_at IS NULL AND d.deleted_at IS NULL");
    Ok(connection.prepare_cached(&sql)?.query_row([id.as_str()], read).optional()?)
}

/// Unfinished deployments in the order they were accepted, those of deleted projects too.
///
/// # Errors
/// The database cannot be read.
pub fn unfinished(connection: &Connection) -> Result<Vec<Deployment>, DbError> {
    let sql = format!(
        "{SELECT} WHERE d.state IN ('queued', 'cloning', 'detecting', 'building', 'starting', 'checking') ORDER BY d.seq"
    );
    collect(connection, &sql, &[])
}

/// Deployments that have a container or files that serve, and every other deployment of one project when `project` is given.
///
/// # Errors
/// The database cannot be read.
pub fn of_project(
    connection: &Connection,
    project: &ProjectId,
) -> Result<Vec<Deployment>, DbError> {
    collect(
        connection,
        &format!("{SELECT} WHERE d.project_id = ? ORDER BY d.seq DESC"),
        &[project.as_str().to_owned().into()],
    )
}

/// Every deployment with its state, also what is being deleted.
///
/// # Errors
/// The database cannot be read.
pub fn all_states(connection: &Connection) -> Result<Vec<(DeploymentId, State)>, DbError> {
    let mut statement = connection.prepare_cached("SELECT id, state FROM deployments")?;
    let read = |row: &Row<'_>| {
        Ok((
            super::read::id(row, 0, DeploymentId::parse)?,
            super::read::word(row, 1, State::parse)?,
        ))
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// The deployment a project points at.
///
/// # Errors
/// The database cannot be read.
pub fn live(connection: &Connection, project: &ProjectId) -> Result<Option<Deployment>, DbError> {
    let sql = format!("{SELECT} WHERE p.id = ?1 AND d.id = p.live_deployment_id");
    Ok(connection.prepare_cached(&sql)?.query_row([project.as_str()], read).optional()?)
}

/// Deployments that have a process now, running or paused, in the order they were accepted.
///
/// # Errors
/// The database cannot be read.
pub fn awake(connection: &Connection) -> Result<Vec<Deployment>, DbError> {
    collect(
        connection,
        &format!(
            "{SELECT} WHERE d.run_state IN ('running', 'paused') AND d.state IN ('ready', 'crashed')
                AND p.deleted_at IS NULL AND d.deleted_at IS NULL ORDER BY d.seq"
        ),
        &[],
    )
}

/// The deployment that runs in this container, alone or among others, or is thought to.
///
/// # Errors
/// The database cannot be read.
pub fn running_in(connection: &Connection, container: &str) -> Result<Option<Deployment>, DbError> {
    let sql = format!(
        "{SELECT} WHERE d.id IN (SELECT deployment_id FROM replicas WHERE container_id = ?1) AND d.run_state IN ('running', 'paused') AND d.state IN ('ready', 'crashed')
            AND p.deleted_at IS NULL AND d.deleted_at IS NULL"
    );
    Ok(connection.prepare_cached(&sql)?.query_row([container], read).optional()?)
}

/// Whether a deployment exists and is not finished, whatever its project is: the pipeline's own view.
///
/// # Errors
/// The database cannot be read.
pub fn find_any(connection: &Connection, id: &DeploymentId) -> Result<Option<Deployment>, DbError> {
    let sql = format!("{SELECT} WHERE d.id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id.as_str()], read).optional()?)
}

/// The deployment that cleared its project's cache last, up to this one.
///
/// # Errors
/// The database cannot be read.
pub fn last_clearing(
    connection: &Connection,
    deployment: &Deployment,
) -> Result<Option<DeploymentId>, DbError> {
    let sql = "SELECT id FROM deployments WHERE project_id = ?1 AND clear_cache AND seq <= ?2
        ORDER BY seq DESC LIMIT 1";
    let given = params![deployment.project_id.as_str(), deployment.seq];
    let found = connection.prepare_cached(sql)?.query_row(given, |row| row.get::<_, String>(0));
    Ok(found.optional()?.and_then(|id| DeploymentId::parse(&id)))
}

/// How many wait before this one.
///
/// # Errors
/// The database cannot be read.
pub fn queue_position(connection: &Connection, deployment: &Deployment) -> Result<i64, DbError> {
    Ok(connection
        .prepare_cached(
            "SELECT count(*) + 1 FROM deployments WHERE state = 'queued' AND seq < ?1
             AND state IN ('queued', 'cloning', 'detecting', 'building', 'starting', 'checking')",
        )?
        .query_row([deployment.seq], |row| row.get(0))?)
}

/// The deployment that lost its traffic last and could have it again.
///
/// # Errors
/// The database cannot be read.
pub fn last_superseded(
    connection: &Connection,
    project: &ProjectId,
) -> Result<Option<Deployment>, DbError> {
    let sql = format!(
        "{SELECT} WHERE d.project_id = ?1 AND d.superseded_at IS NOT NULL AND d.state IN ('ready', 'crashed')
            AND d.deleted_at IS NULL AND p.live_deployment_id IS NOT d.id ORDER BY d.superseded_at DESC, d.seq DESC LIMIT 1"
    );
    Ok(connection.prepare_cached(&sql)?.query_row([project.as_str()], read).optional()?)
}

/// How long the newest successful deployments of a project took, in milliseconds.
///
/// # Errors
/// The database cannot be read.
pub fn recent_durations(
    connection: &Connection,
    project: &ProjectId,
    count: u32,
) -> Result<Vec<u64>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT max(finished_at - created_at, 0) FROM deployments
         WHERE project_id = ?1 AND deleted_at IS NULL AND state IN ('ready', 'crashed', 'removed') AND failure IS NULL AND finished_at IS NOT NULL
         ORDER BY seq DESC LIMIT ?2",
    )?;
    let rows = statement
        .query_map(params![project.as_str(), count], |row| row.get::<_, i64>(0))?
        .map(|millis| Ok(u64::try_from(millis?).unwrap_or(0)))
        .collect::<Result<_, rusqlite::Error>>()?;
    Ok(rows)
}

/// Fields a list can be sorted by.
pub const SORTS: [&str; 2] = ["created_at", "duration_ms"];

/// Which deployments of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeploymentFilter {
    /// Whose; `None` is everybody's.
    pub team: Option<TeamId>,
    /// Projects a key is limited to; empty is all.
    pub only_projects: Vec<ProjectId>,
    pub project: Option<ProjectId>,
    pub statuses: Vec<Status>,
    pub branches: Vec<String>,
    pub targets: Vec<Target>,
    pub triggers: Vec<Trigger>,
    pub commit_sha: Option<String>,
    /// Id of a user or a key.
    pub created_by: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// One of [`SORTS`] and whether descending; newest first when `None`.
    pub sort: Option<(String, bool)>,
}

impl DeploymentFilter {
    /// The length of the list where it is known without counting: of a team or of one of its projects.
    fn known_total(&self, connection: &Connection) -> Result<Option<u64>, DbError> {
        let whose = Self {
            team: self.team.clone(),
            project: self.project.clone(),
            sort: self.sort.clone(),
            ..Self::default()
        };
        if *self != whose {
            return Ok(None);
        }
        match &self.project {
            Some(project) => super::counts::of_project(connection, project).map(Some),
            None => super::counts::deployments(connection, self.team.as_ref()).map(Some),
        }
    }
}

const STATUS: &str = "CASE WHEN d.state = 'ready' THEN
        CASE WHEN p.live_deployment_id IS d.id THEN 'live' WHEN d.live_at IS NOT NULL THEN 'superseded' ELSE 'staged' END
    WHEN d.state = 'crashed' AND p.live_deployment_id IS NOT d.id AND d.live_at IS NOT NULL THEN 'superseded'
    WHEN d.state IN ('failed', 'canceled', 'crashed', 'removed') THEN d.state ELSE 'building' END";

/// A page of deployments.
///
/// # Errors
/// The database cannot be read.
pub fn list(
    connection: &Connection,
    filter: &DeploymentFilter,
    page: PageRequest,
) -> Result<Page<Deployment>, DbError> {
    let mut conditions = Conditions::new("p.deleted_at IS NULL AND d.deleted_at IS NULL");
    if let Some(team) = &filter.team {
        conditions.one("d.team_id = ?", team.as_str());
    }
    if let Some(project) = &filter.project {
        conditions.one("d.project_id = ?", project.as_str());
    }
    conditions.any("d.project_id", filter.only_projects.iter().map(ProjectId::as_str));
    conditions.any(STATUS, filter.statuses.iter().map(|word| word.as_str()));
    conditions.any("d.branch", filter.branches.iter().map(String::as_str));
    conditions.any("d.target", filter.targets.iter().map(|word| word.as_str()));
    conditions.any("d.trigger", filter.triggers.iter().map(|word| word.as_str()));
    if let Some(sha) = &filter.commit_sha {
        conditions.one("instr(d.commit_sha, ?) = 1", sha.as_str());
    }
    if let Some(by) = &filter.created_by {
        conditions.one("json_extract(d.created_by, '$.id') = ?", by.as_str());
    }
    conditions.between("d.created_at", filter.created_after, filter.created_before);
    let (column, descending) = match &filter.sort {
        Some((field, descending)) if field == "duration_ms" => {
            ("d.finished_at - d.created_at", *descending)
        }
        Some((_, descending)) => ("d.seq", *descending),
        None => ("d.seq", true),
    };
    let direction = if descending { "DESC" } else { "ASC" };
    let known = filter.known_total(connection)?;
    let (filter, mut values) = conditions.finish();
    let total = match known {
        Some(total) => total,
        None => super::page::count(
            connection,
            &format!("deployments d JOIN projects p ON p.id = d.project_id WHERE {filter}"),
            &values,
        )?,
    };
    values.extend([Value::from(i64::from(page.limit)), page.offset().into()]);
    let sql = format!(
        "{SELECT} WHERE {filter} ORDER BY {column} {direction}, d.seq {direction} LIMIT ? OFFSET ?"
    );
    let items = collect(connection, &sql, &values)?;
    Ok(Page { items, total })
}

fn collect(
    connection: &Connection,
    sql: &str,
    values: &[Value],
) -> Result<Vec<Deployment>, DbError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(values), read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}
