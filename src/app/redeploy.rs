//! Deploying again what was deployed before, with the project's variables of today.

use super::deployments::NewDeployment;
use super::may::Action;
use super::terms::Terms;
use super::{App, AppError};
use crate::model::actor::Actor;
use crate::model::deployment::{Deployment, Trigger};
use crate::model::env_var::Environment;
use crate::model::problems::Problems;
use crate::model::project::Project;

/// What of a repeated deployment is different.
#[derive(Clone, Debug, Default)]
pub struct Again {
    pub clear_cache: bool,
    /// Over the project's variables.
    pub environment: Environment,
}

impl App {
    /// Makes a deployment of the same commit, archive or image as an earlier one. What was only that one's own environment
    /// is not copied.
    ///
    /// # Errors
    /// `Invalid`, a conflict `project_paused`, or no such deployment.
    pub async fn redeploy(
        &self,
        actor: &Actor,
        id: &str,
        again: Again,
        problems: Problems,
        terms: &Terms<Deployment>,
    ) -> Result<Deployment, AppError> {
        let (from, project) = self.deployment_for(actor, Action::DeploymentsWrite, id).await?;
        terms.admit(self, Some(from.revision)).await?;
        let commit = from.commit.as_ref().map(|commit| commit.sha.clone());
        let new = NewDeployment {
            commit_sha: commit.or_else(|| from.wanted_commit.clone()),
            environment: again.environment,
            clear_cache: again.clear_cache,
            image_pin: from.image_pin.clone(),
            ..like(&from, &project)
        };
        self.create_deployment(actor, project.id.as_str(), new, problems, terms).await
    }

    /// Makes a deployment like an earlier one of the project with the newest commit of its branch.
    /// Without `from` it is like the last one.
    ///
    /// # Errors
    /// No such project or deployment, a conflict `project_paused`, or the project has no source yet.
    pub async fn deploy_newest(
        &self,
        actor: &Actor,
        project: &str,
        from: Option<&str>,
    ) -> Result<Deployment, AppError> {
        let action = Action::DeploymentsWrite;
        let project = self.project_for(actor, action, project).await?;
        let latest = project.latest_deployment_id.as_ref();
        let named = from.is_some();
        let new = match from.or(latest.map(|id| id.as_str())) {
            None => NewDeployment::default(),
            Some(id) => {
                let (from, owner) = self.deployment_for(actor, action, id).await?;
                // Its own id was in the request; of another project it is as unknown as any other.
                if owner.id != project.id {
                    return Err(AppError::not_found("deployment", id));
                }
                // Of a source that was set anew since, nothing of the last deployment is meant.
                let own = project.source.git_url.as_ref().is_some_and(|url| *url != from.git_url);
                if own && !named { NewDeployment::default() } else { like(&from, &project) }
            }
        };
        self.create_deployment(actor, project.id.as_str(), new, Problems::default(), &Terms::none())
            .await
    }
}

fn like(from: &Deployment, project: &Project) -> NewDeployment {
    NewDeployment {
        // What is the project's own is left to the project, so that its settings of today count.
        git_url: Some(from.git_url.clone())
            .filter(|url| !url.is_empty() && Some(url) != project.source.git_url.as_ref()),
        upload_id: from.upload_id.as_ref().map(ToString::to_string),
        image: from.image_reference.clone(),
        branch: from.branch.clone(),
        commit_sha: from.wanted_commit.clone(),
        root_dir: from.image_reference.is_none().then(|| from.root_dir.clone()),
        target: Some(from.target.as_str().to_owned()),
        promote: Some(from.promote),
        trigger: Some(Trigger::Redeploy),
        source: Some(from.id.clone()),
        untrusted: from.untrusted,
        ..NewDeployment::default()
    }
}
