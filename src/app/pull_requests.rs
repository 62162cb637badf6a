//! Pull and merge requests: each has a preview for as long as it is open.

use super::deployments::NewDeployment;
use super::pushes::Outcome;
use super::{App, AppError};
use crate::db;
use crate::db::push_hooks::StoredHook;
use crate::model::actor::Actor;
use crate::model::deployment::{Target, Trigger};
use crate::model::project::Project;
use crate::model::push::{self, Happened, Ignored, PullRequest, Rules};

impl App {
    /// Makes, renews or removes the preview of a request. What a fork wants to merge is a stranger's: it makes one only where
    /// the project allows it, and gets nothing that is secret.
    ///
    /// # Errors
    /// Whatever refuses a deployment.
    pub(super) async fn take_pull_request(
        &self,
        actor: &Actor,
        stored: &StoredHook,
        project: &Project,
        request: &PullRequest,
        delivery: Option<[u8; 32]>,
    ) -> Result<Outcome, AppError> {
        let hook = &stored.hook;
        if !hook.pull_requests {
            return Ok(Outcome::Ignored(Ignored::PullRequestsOff));
        }
        let branch = request.preview_branch();
        match request.what {
            Happened::Other => return Ok(Outcome::Ignored(Ignored::EventNotSupported)),
            Happened::Closed => {
                self.close_branch(actor, project, &branch).await?;
                return Ok(Outcome::Ignored(Ignored::PullRequestClosed));
            }
            Happened::Changed => {}
        }
        if request.fork {
            // Without the whole name of the commit it could not be found.
            if !project.source.fork_previews || request.commit.is_none() {
                return Ok(Outcome::Ignored(Ignored::Fork));
            }
        } else {
            let rules = Rules { previews: true, ..hook.rules() };
            let default = request.default_branch.as_deref();
            // Production is deployed by its pushes, also while somebody asks to merge it elsewhere.
            if push::target_of(rules, project, &branch, default) != Ok(Target::Preview) {
                return Ok(Outcome::Ignored(Ignored::BranchNotTracked));
            }
        }
        if let Some(known) = self.known_delivery(stored, delivery).await? {
            return Ok(Outcome::Duplicate(known));
        }
        if let Some(commit) = request.commit.clone() {
            let (id, branch) = (project.id.clone(), branch.clone());
            let known = move |c: &db::Connection| db::previews::of_commit(c, &id, &branch, &commit);
            // Its push was told of as well.
            if let Some(known) = self.db.read(known).await? {
                return Ok(Outcome::Duplicate(known));
            }
        }
        let new = NewDeployment {
            branch: Some(branch),
            commit_sha: request.commit.clone(),
            target: Some(Target::Preview.as_str().to_owned()),
            trigger: Some(Trigger::GitPush),
            untrusted: request.fork,
            ..NewDeployment::default()
        };
        self.accept_push(actor, stored, project, new, delivery).await
    }
}
