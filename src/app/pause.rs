//! Pausing, resuming and restarting a project. What already is as wanted is success and no event.

use serde_json::json;

use super::journal::{self, Deed};
use super::may::Action;
use super::terms::Terms;
use super::{App, AppError};
use crate::db;
use crate::events::Change;
use crate::model::actor::Actor;
use crate::model::audit;
use crate::model::deployment::RunState;
use crate::model::event;
use crate::model::project::Project;
use crate::model::release::{ReleaseKind, Variables};

impl App {
    /// Pauses a project: nothing of it serves or wakes. Builds under way are finished and end staged;
    /// what was to be released is not.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `deployments:write`.
    pub async fn pause_project(
        &self,
        actor: &Actor,
        project: &str,
        terms: &Terms<Project>,
    ) -> Result<Project, AppError> {
        self.set_paused(actor, project, true, terms).await
    }

    /// Ends a pause; the live deployment starts again.
    ///
    /// # Errors
    /// As [`App::pause_project`].
    pub async fn resume_project(
        &self,
        actor: &Actor,
        project: &str,
        terms: &Terms<Project>,
    ) -> Result<Project, AppError> {
        self.set_paused(actor, project, false, terms).await
    }

    async fn set_paused(
        &self,
        actor: &Actor,
        project: &str,
        pause: bool,
        terms: &Terms<Project>,
    ) -> Result<Project, AppError> {
        let found = self.project_for(actor, Action::DeploymentsWrite, project).await?;
        terms.admit(self, Some(found.revision)).await?;
        let (app, actor, terms, now) =
            (self.clone(), actor.clone(), terms.clone(), self.clock.now());
        let id = found.id;
        let project = self
            .db
            .write(move |c| -> Result<Project, AppError> {
                let missing = || AppError::not_found("project", id.as_str());
                let before = db::projects::find(c, &id)?.ok_or_else(missing)?;
                terms.check(before.revision)?;
                if before.paused_at.is_some() == pause {
                    terms.settle(&app, c, &before)?;
                    return Ok(before);
                }
                let action = if pause {
                    db::pauses::pause(c, &id, now)?;
                    "project.paused"
                } else {
                    db::pauses::resume(c, &id, now)?;
                    "project.resumed"
                };
                let after = db::projects::find(c, &id)?.ok_or_else(missing)?;
                let data = event::project_changed(&after, &["status"]);
                let status = |project: &Project| json!({ "status": project.status().as_str() });
                let changes = audit::changes(&status(&before), &status(&after));
                let deed = Deed::to_project(action, &after, data).changing(changes);
                journal::write(c, &actor, deed, now)?;
                terms.settle(&app, c, &after)?;
                Ok(after)
            })
            .await?;
        self.moved(&project);
        Ok(project)
    }

    /// Wants a new container in the place of the live deployment's, without a request lost. A project
    /// that is paused, has nothing live or serves only files has none to restart.
    ///
    /// # Errors
    /// As [`App::pause_project`].
    pub async fn restart_project(
        &self,
        actor: &Actor,
        project: &str,
        terms: &Terms<Project>,
    ) -> Result<Project, AppError> {
        let found = self.project_for(actor, Action::DeploymentsWrite, project).await?;
        terms.admit(self, Some(found.revision)).await?;
        let (app, actor, terms, now) =
            (self.clone(), actor.clone(), terms.clone(), self.clock.now());
        let id = found.id;
        let project = self
            .db
            .write(move |c| -> Result<Project, AppError> {
                let project = db::projects::find(c, &id)?
                    .ok_or_else(|| AppError::not_found("project", id.as_str()))?;
                terms.check(project.revision)?;
                let live = match &project.live_deployment_id {
                    Some(live) if project.paused_at.is_none() => db::deployments::find(c, live)?,
                    _ => None,
                };
                if let Some(live) = live.filter(|live| live.run_state != RunState::Files) {
                    db::releases::request(
                        c,
                        &id,
                        &live.id,
                        ReleaseKind::Restart,
                        Variables::Current,
                        now,
                    )?;
                    // The event follows when the new container has taken over.
                    let deed = Deed::to_project("project.restarted", &project, json!(null));
                    journal::write(c, &actor, Deed { data: None, ..deed }, now)?;
                }
                terms.settle(&app, c, &project)?;
                Ok(project)
            })
            .await?;
        self.moved(&project);
        Ok(project)
    }

    fn moved(&self, project: &Project) {
        self.bus.send(Change::Project(project.team_id.clone(), project.id.clone()));
        self.bus.send(Change::Team(project.team_id.clone()));
        self.routes.wake();
        self.pipeline.wake();
    }
}
