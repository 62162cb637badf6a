//! Canceling a deployment that is not finished. What runs is ended by the pipeline.

use std::time::Duration;

use serde_json::json;

use super::deployments::deed;
use super::journal::{self, Deed};
use super::may::Action;
use super::terms::Terms;
use super::{App, AppError};
use crate::db;
use crate::events::Change;
use crate::logs::LogName;
use crate::model::actor::Actor;
use crate::model::deployment::{CancelReason, Deployment};
use crate::model::event;
use crate::model::project::Project;
use crate::model::transition::State;

impl App {
    /// Cancels an unfinished deployment; the pipeline stops what runs. Already canceled is success.
    ///
    /// # Errors
    /// A conflict `deployment_not_cancelable`, or no such deployment.
    pub async fn cancel_deployment(
        &self,
        actor: &Actor,
        id: &str,
        terms: &Terms<Deployment>,
    ) -> Result<(Deployment, Project), AppError> {
        let (deployment, project) =
            self.deployment_for(actor, Action::DeploymentsWrite, id).await?;
        terms.admit(self, Some(deployment.revision)).await?;
        if deployment.state == State::Canceled {
            terms.settle_alone(self, &deployment).await?;
            return Ok((deployment, project));
        }
        let (id, owner, now) = (deployment.id.clone(), project.clone(), self.clock.now());
        let (app, actor_of, within) = (self.clone(), actor.clone(), terms.clone());
        let changed = self
            .db
            .write(move |c| {
                let current = db::deployments::find(c, &id)?
                    .ok_or_else(|| AppError::not_found("deployment", id.as_str()))?;
                match current.state {
                    State::Canceled => {}
                    // Nothing runs yet: it ends here. A later stage is ended by the pipeline.
                    State::Queued => {
                        let reason = CancelReason::User;
                        db::transitions::cancel(c, &id, current.state, reason, now)?;
                        let mut data = event::deployment(
                            &current,
                            "canceled",
                            &app.hosts.url_of(&current.hostname),
                        );
                        data["cancel_reason"] = reason.as_str().into();
                        let deed = deed("deployment.canceled", &current, &owner, data);
                        journal::write(c, &actor_of, deed, now)?;
                    }
                    state if state.unfinished() => {
                        let asked = db::transitions::requested_cancel(c, &id)?.is_some();
                        db::transitions::request_cancel(c, &id, CancelReason::User)?;
                        // The event comes with the end; that somebody asked for it is known now.
                        if !asked {
                            let deed = deed("deployment.canceled", &current, &owner, json!({}));
                            journal::write(c, &actor_of, Deed { data: None, ..deed }, now)?;
                        }
                    }
                    _ => {
                        return Err(AppError::Conflict {
                            reason: "deployment_not_cancelable",
                            message: "Only a deployment that is being built can be canceled."
                                .to_owned(),
                            details: json!({ "status": current.status().as_str() }),
                        });
                    }
                }
                let current = db::deployments::find(c, &id)?.unwrap_or(current);
                if !current.state.unfinished() {
                    within.settle(&app, c, &current)?;
                }
                Ok(current)
            })
            .await?;
        if changed.state == State::Canceled {
            // Nobody will write its log; without this end, whoever follows it would wait for the first line.
            let ended = self.logs.finish(LogName::Build(changed.id.clone())).await;
            if let Err(error) = ended {
                tracing::warn!(deployment = %changed.id, %error, "a log could not be ended");
            }
        }
        self.pipeline.wake();
        let (team, id) = (project.team_id.clone(), project.id.clone());
        self.bus.send(Change::Deployment(team, id, changed.id.clone()));
        if changed.state.unfinished() {
            // The pipeline needs a moment to stop the build; the answer shows the end where it can.
            let limit = Duration::from_secs(5);
            let found = self.wait_for_deployment(actor, changed.id.as_str(), limit).await?;
            // To ask once more would change nothing, so the answer may be stored after the effect.
            terms.settle_alone(self, &found.0).await?;
            return Ok(found);
        }
        Ok((changed, project))
    }
}
