//! The end of a release: one transaction takes the wish out and moves the pointer or the container,
//! then the routes are swapped, then the old one finishes its requests.

use std::sync::Arc;

use futures_util::future::join_all;

use super::receipt;
use super::release::Run;
use super::stop::Stop;
use super::switch::before_commit;
use super::watch;
use crate::db::{self, Connection, DbError};
use crate::docker::ContainerId;
use crate::failpoint;
use crate::model::deployment::{Deployment, Replica, RunState};
use crate::model::event::{self, Event};
use crate::model::ids::DeploymentId;
use crate::model::project::Project;
use crate::model::release::{Release, ReleaseKind};
use crate::model::timestamp::Timestamp;
use crate::model::transition::{State, Step};
use crate::routing::upstream::Upstream;

/// Takes the wish out and reads what it is about once more.
///
/// # Errors
/// `Stale` when it is not wanted any more, or the project is paused or deleted.
fn settle(
    connection: &Connection,
    release: &Release,
    now: Timestamp,
) -> Result<(Deployment, Project), DbError> {
    db::releases::take(connection, release.seq)?;
    let (project, deleted) =
        db::projects::find_any(connection, &release.project_id)?.ok_or(DbError::Stale)?;
    let id = &release.deployment_id;
    let deployment = db::deployments::find_any(connection, id)?.ok_or(DbError::Stale)?;
    if deleted || project.paused_at.is_some() {
        return Err(DbError::Stale);
    }
    match deployment.state {
        State::Ready => {}
        State::Crashed => {
            db::transitions::crash_or_recover(connection, id, State::Crashed, Step::Recover, now)?;
        }
        _ => return Err(DbError::Stale),
    }
    db::transitions::record_failure(connection, id, None)?;
    Ok((deployment, project))
}

fn given_up(error: DbError) -> Stop {
    match error {
        DbError::Stale => Stop::Canceled,
        other => Stop::Lost(other),
    }
}

impl Run {
    /// The deployment gets the traffic, in these containers when they are others than those that are written down.
    pub(super) async fn switch(&mut self, runs: Option<Vec<Replica>>) -> Result<(), Stop> {
        let id = self.deployment.id.clone();
        let lock = self.pipeline.lock_of(&id);
        let turn = lock.lock().await;
        let upstream = self.pipeline.publisher.upstream(&id);
        let (release, now) = (self.release.clone(), self.pipeline.clock.now());
        let (drawn, taken) = (self.drawn.clone(), runs.clone());
        let url = self.pipeline.hosts.url_of(&self.deployment.hostname);
        let pipeline = self.pipeline.clone();
        let switched = self.pipeline.db.write(move |c| -> Result<_, DbError> {
            let (deployment, project) = settle(c, &release, now)?;
            let previous = project.live_deployment_id.clone();
            // Traffic that goes back by itself comes from the deployment that fails, and from no other.
            if release.from.is_some() && release.from != previous {
                return Err(DbError::Stale);
            }
            if let Some(replicas) = &taken {
                if let Some(drawn) = drawn {
                    db::deployment_env::put(c, &deployment.id, &drawn)?;
                }
                db::replicas::replace(c, &deployment.id, replicas)?;
                db::transitions::record_run(c, &deployment.id, RunState::Running)?;
            }
            let framework = deployment.plan.as_ref().map(|plan| plan.framework.clone());
            let (from, to) = (previous.as_ref(), &deployment.id);
            db::projects::point_at(c, &project.id, from, to, framework.as_deref(), now)?;
            db::transitions::record_live(c, to, now)?;
            db::holds::end(c, &project.id)?;
            let mut data = event::deployment(&deployment, "live", &url);
            data["previous_deployment_id"] = serde_json::json!(previous);
            let back = release.kind != ReleaseKind::Promote;
            db::projects::pause_release(c, &project.id, back.then_some(now))?;
            if back {
                db::watches::end(c, &project.id)?;
            } else {
                let failed = previous.as_ref().is_some_and(|previous| pipeline.fails(previous));
                watch::begin(c, &project, to, from, failed, now)?;
            }
            let name = if back { "deployment.rolled_back" } else { "deployment.promoted" };
            let random = crate::crypto::random::bytes();
            db::events::append(c, &Event::of_project(random, name, &project, data, now))?;
            before_commit()?;
            Ok((previous, deployment.replicas))
        });
        let switched: Result<(Option<DeploymentId>, Vec<Replica>), _> = switched.await;
        let (previous, before) = switched.map_err(given_up)?;
        failpoint::pass("switch.after_commit").await;
        self.held = None;
        self.pipeline.forget_woken(&id);
        self.pipeline.publish().await;
        drop(turn);
        if let Some(previous) = previous.filter(|previous| *previous != id) {
            self.pipeline.announce(&self.project, &previous);
            let pipeline = self.pipeline.clone();
            self.pipeline.tasks.spawn(async move { pipeline.retire(&previous).await });
        }
        if let Some(now) = runs {
            self.remove_replaced_containers(&before, &now, upstream);
        }
        Ok(())
    }

    /// Lets containers that were replaced finish their requests, and removes them.
    fn remove_replaced_containers(
        &self,
        before: &[Replica],
        now: &[Replica],
        upstream: Option<Arc<Upstream>>,
    ) {
        let stays = |old: &String| now.iter().any(|one| one.container.as_ref() == Some(old));
        let old = before.iter().filter_map(|one| one.container.clone());
        let old: Vec<_> = old.filter(|old| !stays(old)).map(ContainerId).collect();
        if old.is_empty() {
            return;
        }
        let (pipeline, leave) = (self.pipeline.clone(), self.pipeline.leave_of(&self.project));
        self.pipeline.tasks.spawn(async move {
            pipeline.drain(upstream, leave.drain).await;
            join_all(old.iter().map(|old| async {
                let stopped = pipeline.engine.stop(old, leave.stop).await;
                let removed = pipeline.engine.remove(old).await;
                if let Err(error) = stopped.and(removed) {
                    tracing::warn!(container = old.0, %error, "a replaced container could not be removed");
                }
            }))
            .await;
        });
    }

    /// The new containers take the place of the old ones.
    pub(super) async fn replace(&mut self, replicas: Vec<Replica>) -> Result<(), Stop> {
        let id = &self.deployment.id;
        let lock = self.pipeline.lock_of(id);
        let turn = lock.lock().await;
        let upstream = self.pipeline.publisher.upstream(id);
        let (release, now) = (self.release.clone(), self.pipeline.clock.now());
        let now_there = replicas.clone();
        let drawn = self.drawn.clone();
        let variables =
            receipt::variables(&self.pipeline.secrets, &self.project.id, &self.environment);
        let url = self.pipeline.hosts.url_of(&self.deployment.hostname);
        let old = self.pipeline.db.write(move |c| -> Result<_, DbError> {
            let (deployment, project) = settle(c, &release, now)?;
            // Another one went live meanwhile, with variables as new as these.
            if !deployment.is_live {
                return Err(DbError::Stale);
            }
            if let Some(drawn) = drawn {
                db::deployment_env::put(c, &deployment.id, &drawn)?;
                db::receipts::put_variables(c, &deployment.id, &variables)?;
            }
            db::replicas::replace(c, &deployment.id, &now_there)?;
            db::transitions::record_run(c, &deployment.id, RunState::Running)?;
            db::holds::end(c, &project.id)?;
            if deployment.state == State::Crashed {
                let mut data = event::deployment(&deployment, "live", &url);
                (data["exit_code"], data["restarts"]) = (serde_json::Value::Null, 0.into());
                let (random, name) = (crate::crypto::random::bytes(), "deployment.recovered");
                db::events::append(c, &Event::of_project(random, name, &project, data, now))?;
            }
            let project = db::projects::find(c, &project.id)?.ok_or(DbError::Stale)?;
            let data = event::project_changed::<&str>(&project, &[]);
            let (random, name) = (crate::crypto::random::bytes(), "project.restarted");
            db::events::append(c, &Event::of_project(random, name, &project, data, now))?;
            before_commit()?;
            Ok(deployment.replicas)
        });
        let before: Vec<Replica> = old.await.map_err(given_up)?;
        failpoint::pass("switch.after_commit").await;
        self.held = None;
        self.pipeline.publish().await;
        drop(turn);
        self.remove_replaced_containers(&before, &replicas, upstream);
        Ok(())
    }
}
