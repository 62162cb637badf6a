//! Deployments: accepted, listed, awaited. The pipeline does the rest.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::journal::Deed;
use super::may::{Action, Decision, Resource, may, require_scope};
use super::terms::Terms;
use super::{App, AppError};
use crate::db::deployments::DeploymentFilter;
use crate::db::page::{Page, PageRequest};
use crate::db::{self, Connection, DbError};
use crate::events::Change;
use crate::model::actor::{Actor, Via};
use crate::model::audit::Party;
use crate::model::deployment::{Deployment, PhaseTiming, Trigger};
use crate::model::env_var::Environment;
use crate::model::hostname;
use crate::model::ids::DeploymentId;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;

/// The longest that somebody waits for the routes once a deployment is live.
const ROUTED_WITHIN: Duration = Duration::from_secs(2);

/// A deployment to make. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Debug, Default)]
pub struct NewDeployment {
    pub git_url: Option<String>,
    pub branch: Option<String>,
    pub commit_sha: Option<String>,
    pub root_dir: Option<String>,
    pub environment: Environment,
    pub target: Option<String>,
    pub promote: Option<bool>,
    pub message: Option<String>,
    pub clear_cache: bool,
    pub upload_id: Option<String>,
    pub image: Option<String>,
    /// The image with its digest, when it is known.
    pub image_pin: Option<String>,
    pub trigger: Option<Trigger>,
    /// Whether the code is a stranger's.
    pub untrusted: bool,
    /// Until when it waits for the checks of its forge.
    pub checks_until: Option<Timestamp>,
    /// The deployment this one repeats.
    pub source: Option<DeploymentId>,
}

impl App {
    /// Accepts a deployment: one transaction, nothing slow.
    ///
    /// # Errors
    /// `Invalid`, or no such project.
    pub async fn create_deployment(
        &self,
        actor: &Actor,
        project: &str,
        new: NewDeployment,
        problems: Problems,
        terms: &Terms<Deployment>,
    ) -> Result<Deployment, AppError> {
        let project = self.project_for(actor, Action::DeploymentsWrite, project).await?;
        terms.admit(self, None).await?;
        let (app, settled) = (self.clone(), terms.clone());
        let within =
            Arc::new(move |c: &Connection, stored: &Deployment| settled.settle(&app, c, stored));
        self.accept_deployment(actor, project, new, problems, within).await
    }

    /// A page of deployments this actor sees, of one project (id or name) or of all.
    ///
    /// # Errors
    /// No such project, or the key lacks `deployments:read`.
    pub async fn deployments(
        &self,
        actor: &Actor,
        project: Option<&str>,
        mut filter: DeploymentFilter,
        page: PageRequest,
    ) -> Result<Page<Deployment>, AppError> {
        require_scope(actor, Action::DeploymentsRead)?;
        if let Some(project) = project {
            filter.project =
                Some(self.project_for(actor, Action::DeploymentsRead, project).await?.id);
        }
        filter.team = (!actor.instance_admin).then(|| actor.team_id.clone());
        if let Via::ApiKey { project_ids, .. } = &actor.via {
            filter.only_projects = project_ids.clone();
        }
        self.db.read(move |c| Ok(db::deployments::list(c, &filter, page)?)).await
    }

    /// A deployment and its project.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `deployments:read`.
    pub async fn deployment(
        &self,
        actor: &Actor,
        id: &str,
    ) -> Result<(Deployment, Project), AppError> {
        self.deployment_for(actor, Action::DeploymentsRead, id).await
    }

    pub(super) async fn deployment_for(
        &self,
        actor: &Actor,
        action: Action,
        id: &str,
    ) -> Result<(Deployment, Project), AppError> {
        require_scope(actor, action)?;
        let missing = || AppError::not_found("deployment", id);
        let wanted = DeploymentId::parse(id).ok_or_else(missing)?;
        let found = self
            .db
            .read(move |c| -> Result<_, DbError> {
                let Some(deployment) = db::deployments::find(c, &wanted)? else { return Ok(None) };
                let project = db::projects::find(c, &deployment.project_id)?;
                Ok(project.map(|project| (deployment, project)))
            })
            .await?;
        found
            .filter(|(_, project)| {
                let resource = Resource::Project { team: &project.team_id, id: &project.id };
                may(actor, action, resource) == Decision::Allow
            })
            .ok_or_else(missing)
    }

    /// The deployment once it is finished, or as it is after `limit`.
    ///
    /// # Errors
    /// As [`App::deployment`].
    pub async fn wait_for_deployment(
        &self,
        actor: &Actor,
        id: &str,
        limit: Duration,
    ) -> Result<(Deployment, Project), AppError> {
        let deadline = Instant::now() + limit;
        let mut changes = self.bus.subscribe();
        loop {
            let (deployment, project) = self.deployment(actor, id).await?;
            if !deployment.state.unfinished() && deployment.release.is_none() {
                self.until_routed(&deployment, &project, deadline).await;
                return Ok((deployment, project));
            }
            let ours = |change: &Change| matches!(change, Change::Deployment(_, _, id) if *id == deployment.id);
            loop {
                let change = tokio::select! {
                    change = changes.recv() => change,
                    () = tokio::time::sleep_until(deadline) => return Ok((deployment, project)),
                    () = self.stopping.cancelled() => return Ok((deployment, project)),
                };
                // A receiver that fell behind looks again as well.
                if change.as_ref().map_or(true, ours) {
                    break;
                }
            }
        }
    }

    /// Waits until visitors get what is live: the routes follow the commit by a moment, and longer when the database is busy.
    async fn until_routed(&self, deployment: &Deployment, project: &Project, deadline: Instant) {
        let Some(routes) = self.memory().routes.get() else { return };
        if !deployment.is_live || deployment.project_paused || deployment.state != State::Ready {
            return;
        }
        let host = hostname::of_project(&project.name, self.hosts.base_domain());
        let deadline = deadline.min(Instant::now() + ROUTED_WITHIN);
        let mut changes = routes.changes();
        loop {
            let is_routed = {
                let table = routes.load();
                let of = table.get(&host).and_then(|entry| entry.application.as_ref());
                of.is_some_and(|application| application.deployment == deployment.id)
            };
            if is_routed {
                return;
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(deadline) => return,
                () = self.stopping.cancelled() => return,
            }
        }
    }

    /// How many are queued up to this one; `None` once it has begun.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn queue_position(&self, deployment: &Deployment) -> Result<Option<i64>, AppError> {
        if deployment.state != State::Queued {
            return Ok(None);
        }
        let deployment = deployment.clone();
        self.db.read(move |c| Ok(Some(db::deployments::queue_position(c, &deployment)?))).await
    }

    /// When each step began and ended.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn deployment_phases(&self, id: &DeploymentId) -> Result<Vec<PhaseTiming>, AppError> {
        let id = id.clone();
        self.db.read(move |c| Ok(db::deployment_phases::list(c, &id)?)).await
    }
}

/// Something done to a deployment.
pub(super) fn deed<'a>(
    action: &'static str,
    deployment: &Deployment,
    project: &'a Project,
    data: serde_json::Value,
) -> Deed<'a> {
    let target = Party::unnamed("deployment", &deployment.id);
    Deed { target, ..Deed::to_project(action, project, data) }
}
