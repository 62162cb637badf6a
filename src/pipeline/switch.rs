//! Stage 6: production traffic goes to the new deployment; the old one finishes what it has.

use super::job::Job;
use super::stop::Stop;
use crate::db::{self, DbError};
use crate::failpoint;
use crate::model::build_plan::BuildPlan;
use crate::model::deployment::{Deployment, Target};
use crate::model::event::{self, Event};
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;

impl Job {
    /// One transaction makes it ready, moves the project's pointer and records the event; then the routes are swapped.
    pub(super) async fn switch(&mut self, plan: Option<&BuildPlan>) -> Result<(), Stop> {
        self.stop_if_canceled()?;
        let previous = self.point(plan).await?;
        self.state = State::Ready;
        failpoint::pass("switch.after_commit").await;
        self.pipeline.publish().await;
        let (id, hosts) = (&self.deployment.id, &self.pipeline.hosts);
        let url = hosts.url_of(&self.deployment.hostname);
        self.say(if self.deployment.promote {
            format!("Live. {url}")
        } else {
            format!("Ready. {url}")
        });
        if let Some(previous) = previous.filter(|previous| previous != id) {
            let pipeline = self.pipeline.clone();
            self.pipeline.tasks.spawn(async move { pipeline.retire(&previous).await });
        }
        Ok(())
    }

    /// The transaction. Answers which deployment was live before.
    async fn point(&self, plan: Option<&BuildPlan>) -> Result<Option<DeploymentId>, Stop> {
        let (deployment, project) = (self.deployment.clone(), self.project.clone());
        let (from, now) = (self.state, self.pipeline.clock.now());
        let url = self.pipeline.hosts.url_of(&deployment.hostname);
        let framework = plan.map(|plan| plan.framework.clone());
        let versions = plan.map(|plan| plan.versions.clone());
        let previous = self
            .pipeline
            .db
            .write(move |c| -> Result<Option<DeploymentId>, DbError> {
                let id = &deployment.id;
                let (current, deleted) =
                    db::projects::find_any(c, &project.id)?.ok_or(DbError::NotFound)?;
                // Deleted meanwhile, or asked to cancel in the last moment: nothing is switched.
                if deleted || db::transitions::requested_cancel(c, id)?.is_some() {
                    return Err(DbError::Stale);
                }
                db::transitions::advance(c, id, from, State::Ready, now)?;
                link(c, &project.id, &deployment, now)?;
                // A preview may try other versions without a word in what production is built with.
                if let Some(versions) = versions.filter(|_| deployment.target == Target::Production)
                {
                    db::pins::replace(c, &project.id, &versions, id, now)?;
                }
                let mut previous = None;
                // A paused project's traffic stays where it is: the deployment ends staged.
                let promote = deployment.promote && current.paused_at.is_none();
                if promote {
                    previous = current.live_deployment_id;
                    let framework = framework.as_deref();
                    db::projects::point_at(c, &project.id, previous.as_ref(), id, framework, now)?;
                    db::transitions::record_live(c, id, now)?;
                }
                let status = if promote { "live" } else { "staged" };
                let mut data = event::deployment(&deployment, status, &url);
                data["duration_ms"] = now.millis_since(deployment.created_at).into();
                let random = crate::crypto::random::bytes();
                let event = Event::of_project(random, "deployment.succeeded", &project, data, now);
                db::events::append(c, &event)?;
                before_commit()?;
                Ok(previous)
            })
            .await;
        match previous {
            Ok(previous) => Ok(previous),
            Err(DbError::Stale) => Err(Stop::Canceled),
            Err(other) => Err(Stop::Lost(other)),
        }
    }
}

/// The last moment at which nothing has been switched.
pub(super) fn before_commit() -> Result<(), DbError> {
    let injected = failpoint::now("switch.before_commit");
    injected.map_err(|injected| DbError::Unwritable(injected.to_string()))
}

/// The first deployment that works says where a project's code is, unless somebody has said so already.
fn link(
    connection: &db::Connection,
    project: &ProjectId,
    deployment: &Deployment,
    now: Timestamp,
) -> Result<(), DbError> {
    let Some(mut project) = db::projects::find(connection, project)? else { return Ok(()) };
    if project.source.git_url.is_some() || deployment.git_url.is_empty() {
        return Ok(());
    }
    project.source.git_url = Some(deployment.git_url.clone());
    project.source.branch = deployment.branch.clone();
    project.updated_at = now;
    db::projects::update(connection, &project)
}
