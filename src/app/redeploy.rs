//! Deploying again what was deployed before, with the same variables.

use super::deployments::NewDeployment;
use super::may::Action;
use super::{App, AppError};
use crate::db::{self, DbError};
use crate::model::actor::Actor;
use crate::model::deployment::{Deployment, Trigger};
use crate::model::env_var::Environment;
use crate::model::ids::DeploymentId;
use crate::model::problems::Problems;

impl App {
    /// Makes a deployment like an earlier one of the project: the same source, branch and variables, the
    /// newest commit. Without `from` it is like the last one.
    ///
    /// # Errors
    /// No such project or deployment, or the project has no source yet.
    pub async fn redeploy(
        &self,
        actor: &Actor,
        project: &str,
        from: Option<&str>,
    ) -> Result<Deployment, AppError> {
        let project = self.project_for(actor, Action::DeploymentsWrite, project).await?;
        let from = match from {
            Some(id) => Some(self.deployment_for(actor, Action::DeploymentsWrite, id).await?.0),
            None => match &project.latest_deployment_id {
                Some(id) => {
                    let action = Action::DeploymentsWrite;
                    Some(self.deployment_for(actor, action, id.as_str()).await?.0)
                }
                None => None,
            },
        };
        let new = match from {
            // Its own id was in the request; of another project it is as unknown as any other.
            Some(from) if from.project_id != project.id => {
                return Err(AppError::not_found("deployment", from.id.as_str()));
            }
            Some(from) => NewDeployment {
                environment: self.environment_of(&from.id).await?,
                // What is the project's own is left to the project, so that its settings of today count.
                git_url: Some(from.git_url)
                    .filter(|url| Some(url) != project.source.git_url.as_ref()),
                branch: from.branch,
                commit_sha: from.wanted_commit,
                target: Some(from.target.as_str().to_owned()),
                promote: Some(from.promote),
                trigger: Some(Trigger::Redeploy),
                ..NewDeployment::default()
            },
            None => NewDeployment::default(),
        };
        self.create_deployment(actor, project.id.as_str(), new, Problems::default()).await
    }

    /// The variables of a deployment. They leave this module only sealed for another deployment.
    async fn environment_of(&self, deployment: &DeploymentId) -> Result<Environment, AppError> {
        let id = deployment.clone();
        let sealed = self
            .db
            .read(move |c| -> Result<_, DbError> { db::deployment_env::load(c, &id) })
            .await?;
        sealed
            .into_iter()
            .map(|(key, sealed)| {
                let identity = db::deployment_env::identity(deployment, &key);
                let plain = self.secrets.open(&identity, &sealed).ok();
                let value = plain.and_then(|plain| String::from_utf8(plain).ok());
                value.map(|value| (key.clone(), value)).ok_or_else(|| {
                    AppError::Internal(format!("the variable {key} of {deployment} does not open"))
                })
            })
            .collect()
    }
}
