//! Deleting a deployment: hidden from everybody at once; the pipeline removes what is left of it.

use serde_json::json;

use super::deployments::deed;
use super::journal;
use super::may::Action;
use super::terms::Terms;
use super::{App, AppError};
use crate::db;
use crate::model::actor::Actor;

impl App {
    /// Deletes a deployment with its container, image, files and logs. Its URL answers 410 from now on.
    ///
    /// # Errors
    /// A conflict `deployment_is_live` (also while it is to become live) or `deployment_not_cancelable`
    /// while it is built, or no such deployment.
    pub async fn delete_deployment(
        &self,
        actor: &Actor,
        id: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        let (found, project) = self.deployment_for(actor, Action::DeploymentsWrite, id).await?;
        terms.admit(self, Some(found.revision)).await?;
        let (actor, terms, now) = (actor.clone(), terms.clone(), self.clock.now());
        let (id, owner) = (found.id.clone(), project.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                let current = db::deployments::find(c, &id)?
                    .ok_or_else(|| AppError::not_found("deployment", id.as_str()))?;
                terms.check(current.revision)?;
                let conflict = |reason, message: &str| AppError::Conflict {
                    reason,
                    message: message.to_owned(),
                    details: json!({ "status": current.status().as_str() }),
                };
                if current.is_live || db::releases::is_wanted(c, &id)? {
                    let message = "Visitors get this deployment. Promote another one first.";
                    return Err(conflict("deployment_is_live", message));
                }
                if current.state.unfinished() {
                    let message = "It is being built. Cancel it first.";
                    return Err(conflict("deployment_not_cancelable", message));
                }
                db::removals::mark(c, &current, now)?;
                let data = json!({ "deployment_id": current.id, "project_id": current.project_id });
                let deed = deed("deployment.deleted", &current, &owner, data);
                Ok(journal::write(c, &actor, deed, now)?)
            })
            .await?;
        self.released(&project, &found.id);
        self.routes.wake();
        Ok(())
    }
}
