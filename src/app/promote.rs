//! Giving a deployment the production traffic, and giving it back. Only the wish is written here: the
//! pipeline starts and checks the deployment and then moves the pointer.

use serde_json::{Value, json};

use super::deployments::deed;
use super::journal;
use super::may::Action;
use super::terms::Terms;
use super::{App, AppError};
use crate::db::{self, Connection};
use crate::events::Change;
use crate::model::actor::Actor;
use crate::model::deployment::{Deployment, Status};
use crate::model::event;
use crate::model::ids::DeploymentId;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::release::{ReleaseKind, Variables};

/// What a rollback goes back to. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Debug, Default)]
pub struct RollbackTo {
    /// The deployment that last lost the traffic when `None`.
    pub deployment: Option<String>,
    /// Whether pushes are deployed from now on; as before when `None`.
    pub auto_deploy: Option<bool>,
    /// Which variables it comes back with.
    pub variables: Variables,
}

/// The conflict of whatever a paused project does not do.
pub(super) fn paused() -> AppError {
    AppError::conflict("project_paused", "The project is paused. Resume it first.")
}

fn refused(deployment: &Deployment) -> AppError {
    let (reason, message) = match deployment.status() {
        Status::Removed => ("image_removed", "Its image was removed. Deploy it again instead."),
        _ => ("deployment_not_promotable", "This deployment cannot get the production traffic."),
    };
    let details = json!({ "deployment_id": deployment.id, "status": deployment.status().as_str() });
    AppError::Conflict { reason, message: message.to_owned(), details }
}

impl App {
    /// Wants a staged or superseded deployment to get the traffic. The live one stays as it is; when releases are paused
    /// since a rollback, they go on.
    ///
    /// # Errors
    /// A conflict `deployment_not_promotable`, `image_removed` or `project_paused`, or no such deployment.
    pub async fn promote_deployment(
        &self,
        actor: &Actor,
        id: &str,
        terms: &Terms<Deployment>,
    ) -> Result<Deployment, AppError> {
        let (found, project) = self.deployment_for(actor, Action::DeploymentsWrite, id).await?;
        terms.admit(self, Some(found.revision)).await?;
        let (app, actor, terms) = (self.clone(), actor.clone(), terms.clone());
        let (id, now) = (found.id.clone(), self.clock.now());
        let wanted = self
            .db
            .write(move |c| -> Result<Deployment, AppError> {
                let current = deployment_again(c, &id)?;
                terms.check(current.revision)?;
                let project = project_again(c, &current)?;
                match current.status() {
                    Status::Live if project.release_paused_at.is_none() => {
                        terms.settle(&app, c, &current)?;
                        return Ok(current);
                    }
                    // What serves is meant to stay: from now on newer ones follow it by themselves again.
                    Status::Live => {
                        db::projects::pause_release(c, &project.id, None)?;
                        let after = project_again(c, &current)?;
                        let data = event::project_changed(&after, &["release_paused_at"]);
                        let changes = json!({ "release_paused_at": { "from": project.release_paused_at, "to": null } });
                        let deed = journal::Deed::to_project("project.updated", &after, data);
                        journal::write(c, &actor, deed.changing(changes), now)?;
                        let current = deployment_again(c, &id)?;
                        terms.settle(&app, c, &current)?;
                        return Ok(current);
                    }
                    _ if project.paused_at.is_some() => return Err(paused()),
                    Status::Staged | Status::Superseded => {}
                    _ => return Err(refused(&current)),
                }
                db::releases::request(c, &project.id, &id, ReleaseKind::Promote, Variables::Own, now)?;
                let deed = deed("deployment.promoted", &current, &project, Value::Null);
                let deed = journal::Deed { data: None, ..deed };
                journal::write(c, &actor, deed.changing(moves(&project, &id)), now)?;
                let wanted = deployment_again(c, &id)?;
                terms.settle(&app, c, &wanted)?;
                Ok(wanted)
            })
            .await?;
        self.released(&project, &wanted.id);
        Ok(wanted)
    }

    /// Wants a superseded deployment to get the traffic back: the one that lost it last, or the one named.
    ///
    /// # Errors
    /// A conflict `no_rollback_target`, `deployment_not_promotable`, `image_removed` or `project_paused`;
    /// no such project, or no such deployment in it.
    pub async fn rollback(
        &self,
        actor: &Actor,
        project: &str,
        to: RollbackTo,
        problems: Problems,
        terms: &Terms<Deployment>,
    ) -> Result<Deployment, AppError> {
        let project = self.project_for(actor, Action::DeploymentsWrite, project).await?;
        terms.admit(self, Some(project.revision)).await?;
        AppError::check(problems)?;
        let named = match &to.deployment {
            None => None,
            Some(id) => {
                let missing = || AppError::not_found("deployment", id);
                Some(DeploymentId::parse(id).ok_or_else(missing)?)
            }
        };
        let (app, actor, terms, now) =
            (self.clone(), actor.clone(), terms.clone(), self.clock.now());
        let owner = project.id.clone();
        let wanted = self
            .db
            .write(move |c| -> Result<Deployment, AppError> {
                let project = db::projects::find(c, &owner)?
                    .ok_or_else(|| AppError::not_found("project", owner.as_str()))?;
                terms.check(project.revision)?;
                let target = match &named {
                    Some(id) => db::deployments::find(c, id)?
                        .filter(|found| found.project_id == project.id)
                        .ok_or_else(|| AppError::not_found("deployment", id.as_str()))?,
                    None => db::deployments::last_superseded(c, &project.id)?.ok_or_else(|| {
                        AppError::conflict(
                            "no_rollback_target",
                            "No earlier deployment is left to go back to.",
                        )
                    })?,
                };
                if project.paused_at.is_some() {
                    return Err(paused());
                }
                if target.status() != Status::Superseded {
                    return Err(refused(&target));
                }
                let mut changes = moves(&project, &target.id);
                if let Some(auto) = to.auto_deploy.filter(|auto| *auto != project.auto_deploy) {
                    changes["auto_deploy"] = json!({ "from": project.auto_deploy, "to": auto });
                    let (auto_deploy, updated_at) = (auto, now);
                    let changed = Project { auto_deploy, updated_at, ..project.clone() };
                    db::projects::update(c, &changed)?;
                }
                let kind = ReleaseKind::Rollback;
                db::releases::request(c, &project.id, &target.id, kind, to.variables, now)?;
                let deed = deed("deployment.rolled_back", &target, &project, Value::Null);
                let deed = journal::Deed { data: None, ..deed };
                journal::write(c, &actor, deed.changing(changes), now)?;
                let wanted = deployment_again(c, &target.id)?;
                terms.settle(&app, c, &wanted)?;
                Ok(wanted)
            })
            .await?;
        self.released(&project, &wanted.id);
        Ok(wanted)
    }

    /// Wakes the pipeline and tells everybody who watches.
    pub(super) fn released(&self, project: &Project, deployment: &DeploymentId) {
        self.pipeline.wake();
        let (team, id) = (project.team_id.clone(), project.id.clone());
        self.bus.send(Change::Deployment(team.clone(), id.clone(), deployment.clone()));
        self.bus.send(Change::Project(team, id));
    }
}

fn deployment_again(connection: &Connection, id: &DeploymentId) -> Result<Deployment, AppError> {
    db::deployments::find(connection, id)?
        .ok_or_else(|| AppError::not_found("deployment", id.as_str()))
}

fn project_again(connection: &Connection, deployment: &Deployment) -> Result<Project, AppError> {
    db::projects::find(connection, &deployment.project_id)?
        .ok_or_else(|| AppError::not_found("deployment", deployment.id.as_str()))
}

fn moves(project: &Project, to: &DeploymentId) -> Value {
    json!({ "live_deployment_id": { "from": project.live_deployment_id, "to": to } })
}
