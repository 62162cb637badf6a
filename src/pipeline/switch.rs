//! Stage 6: production traffic goes to the new deployment; the old one finishes what it has.

use super::job::Job;
use super::stop::Stop;
use super::watch;
use crate::crypto::digest::Sha256;
use crate::crypto::token;
use crate::db::{self, DbError};
use crate::failpoint;
use crate::model::build_plan::BuildPlan;
use crate::model::deployment::{Deployment, RunState, Target, Trigger};
use crate::model::event::{self, Event};
use crate::model::hostname;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::project::Project;
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;

/// Hashes that are tried for the name of one branch.
const HASHES: u8 = 8;

impl Job {
    /// One transaction makes it ready, moves the project's pointer and records the event; then the routes are swapped.
    pub(super) async fn switch(&mut self, plan: Option<&BuildPlan>) -> Result<(), Stop> {
        self.stop_if_canceled()?;
        let Pointed { live, previous, rests } = self.point(plan).await?;
        self.state = State::Ready;
        failpoint::pass("switch.after_commit").await;
        self.pipeline.publish().await;
        let (id, hosts) = (&self.deployment.id, &self.pipeline.hosts);
        let url = hosts.url_of(&self.deployment.hostname);
        self.say(match (live, self.deployment.promote) {
            (true, _) => format!("Live. {url}"),
            (false, true) => {
                format!("Ready. Visitors stay where they are until it is promoted. {url}")
            }
            (false, false) => format!("Ready. {url}"),
        });
        if let Some(previous) = previous.filter(|previous| previous != id) {
            let pipeline = self.pipeline.clone();
            self.pipeline.tasks.spawn(async move { pipeline.retire(&previous).await });
        }
        if rests {
            self.pipeline.settle(id).await;
        }
        if let Some(held) = self.held.take().filter(|_| !live) {
            self.pipeline.unhold(held).await;
        }
        Ok(())
    }

    /// Whether it gets the traffic when it is ready, as things stand.
    pub(super) async fn gets_the_traffic(&self) -> Result<bool, Stop> {
        let id = self.project.id.clone();
        let found = self.pipeline.db.read(move |c| db::projects::find_any(c, &id)).await?;
        Ok(found.is_some_and(|(project, _)| gets_the_traffic(&project, &self.deployment)))
    }

    /// The transaction.
    async fn point(&self, plan: Option<&BuildPlan>) -> Result<Pointed, Stop> {
        let (deployment, project) = (self.deployment.clone(), self.project.clone());
        let (from, now) = (self.state, self.pipeline.clock.now());
        let url = self.pipeline.hosts.url_of(&deployment.hostname);
        let receipt = self.receipt();
        let framework = plan.map(|plan| plan.framework.clone());
        let versions = plan.map(|plan| plan.versions.clone());
        let pipeline = self.pipeline.clone();
        let pointed = self
            .pipeline
            .db
            .write(move |c| -> Result<Pointed, DbError> {
                let id = &deployment.id;
                let (current, deleted) =
                    db::projects::find_any(c, &project.id)?.ok_or(DbError::NotFound)?;
                // Deleted meanwhile, or asked to cancel in the last moment: nothing is switched.
                if deleted || db::transitions::requested_cancel(c, id)?.is_some() {
                    return Err(DbError::Stale);
                }
                db::transitions::advance(c, id, from, State::Ready, now)?;
                db::receipts::put(c, id, &receipt, &[], now)?;
                link(c, &project.id, &deployment, now)?;
                if let Some(branch) = &deployment.branch {
                    // The name it has now, which may be another than at the start of the deployment.
                    let labels = branch_labels(&current.name, branch);
                    db::branch_hosts::follow(c, &project.id, branch, id, &labels)?;
                }
                // A preview may try other versions without a word in what production is built with.
                if let Some(versions) = versions.filter(|_| deployment.target == Target::Production)
                {
                    db::pins::replace(c, &project.id, &versions, id, now)?;
                }
                let live = gets_the_traffic(&current, &deployment);
                let mut previous = None;
                let rests = deployment.alone && !live;
                if live {
                    previous = current.live_deployment_id.clone();
                    let framework = framework.as_deref();
                    db::projects::point_at(c, &project.id, previous.as_ref(), id, framework, now)?;
                    db::transitions::record_live(c, id, now)?;
                    db::projects::pause_release(c, &project.id, None)?;
                    db::holds::end(c, &project.id)?;
                    let failed = previous.as_ref().is_some_and(|previous| pipeline.fails(previous));
                    watch::begin(c, &current, id, previous.as_ref(), failed, now)?;
                } else if rests {
                    db::transitions::record_run(c, id, RunState::Stopped)?;
                }
                let status = if live { "live" } else { "staged" };
                let mut data = event::deployment(&deployment, status, &url);
                data["duration_ms"] = now.millis_since(deployment.created_at).into();
                let random = crate::crypto::random::bytes();
                let event = Event::of_project(random, "deployment.succeeded", &project, data, now);
                db::events::append(c, &event)?;
                before_commit()?;
                Ok(Pointed { live, previous, rests })
            })
            .await;
        match pointed {
            Ok(pointed) => Ok(pointed),
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

/// How the transaction ended.
struct Pointed {
    /// It has the traffic now.
    live: bool,
    /// What had it before.
    previous: Option<DeploymentId>,
    /// It may not run beside what has the traffic.
    rests: bool,
}

/// Whether a deployment that is ready gets the traffic. In a project that is paused the traffic stays where it is. After a
/// rollback it does as well, until somebody promotes: what comes by itself waits, and so does what was asked for before the
/// rollback, because it would undo it. What somebody asks for afterwards is a promotion.
fn gets_the_traffic(project: &Project, deployment: &Deployment) -> bool {
    let by_itself = matches!(deployment.trigger, Trigger::GitPush | Trigger::DeployHook);
    let released = match project.release_paused_at {
        None => true,
        Some(since) => !by_itself && deployment.created_at >= since,
    };
    deployment.promote && project.paused_at.is_none() && released
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

/// Names for a branch's own address, the best one first. The others are for the case that it is taken.
fn branch_labels(project: &str, branch: &str) -> Vec<String> {
    let hashes = (0..HASHES).map(|number: u8| {
        let mut hash = Sha256::default();
        hash.update(branch.as_bytes());
        hash.update(&[0, number]);
        token::hex(&hash.finish()[..4])
    });
    let hashed = hashes.filter_map(|hash| hostname::branch_label(project, branch, Some(&hash)));
    hostname::branch_label(project, branch, None).into_iter().chain(hashed).collect()
}
