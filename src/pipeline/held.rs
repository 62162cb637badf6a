//! A switch between deployments that cannot run side by side: requests wait in the proxy while the old one stops and the
//! new one starts. Whatever happens, one of the two serves in the end: the old one comes back unless the pointer has moved.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::Pipeline;
use super::replicas;
use super::stop::Stop;
use crate::db::holds::Hold;
use crate::db::{self, DbError};
use crate::docker::ContainerId;
use crate::failpoint;
use crate::model::deployment::{Deployment, RunState};
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::project::Project;

/// Longest time for the requests in flight: all others wait meanwhile, and not for longer than 30 s.
const LONGEST_DRAIN: Duration = Duration::from_secs(10);
/// How often the pointer may move away before it is given up.
const TRIES: u32 = 5;

/// A project whose requests wait. Dropped without a word, the next round lets them go on.
pub(super) struct Held {
    project: ProjectId,
    _turn: OwnedMutexGuard<()>,
}

impl Pipeline {
    /// Lets the requests of a project wait and stops what has the traffic, for `to`. `None` when nothing has it that
    /// would have to stop.
    pub(super) async fn hold(
        &self,
        project: &Project,
        to: &DeploymentId,
        cancel: &CancellationToken,
    ) -> Result<Option<Held>, Stop> {
        let stopping = self.tasks.stopping();
        let turn = tokio::select! {
            turn = self.hold_of(&project.id).lock_owned() => turn,
            () = cancel.cancelled() => return Err(Stop::Canceled),
            () = stopping.cancelled() => return Err(Stop::Interrupted),
        };
        let held = Held { project: project.id.clone(), _turn: turn };
        for _ in 0..TRIES {
            let id = project.id.clone();
            let found = self.db.read(move |c| db::projects::find_any(c, &id)).await?;
            let live = found.and_then(|(project, _)| project.live_deployment_id);
            let Some(live) = live else { return Ok(None) };
            // Nobody starts it from here on: who wakes it looks for the hold under this lock.
            let lock = self.lock_of(&live);
            let _turn = lock.lock().await;
            let upstream = self.publisher.upstream(&live);
            let hold = Hold { project: project.id.clone(), from: live.clone(), to: to.clone() };
            let now = self.clock.now();
            let containers = match self.db.write(move |c| begin(c, &hold, now)).await {
                Ok(Some(containers)) => containers,
                Ok(None) => return Ok(None),
                Err(DbError::Stale) => continue,
                Err(error) => return Err(error.into()),
            };
            failpoint::pass("hold.recorded").await;
            self.forget_woken(&live);
            self.publish().await;
            let leave = self.leave_of(project);
            let ended = tokio::select! {
                () = self.drain(upstream, leave.drain.min(LONGEST_DRAIN)) => Ok(()),
                () = cancel.cancelled() => Err(Stop::Canceled),
                () = stopping.cancelled() => Err(Stop::Interrupted),
            };
            let ended = match ended {
                Ok(()) => {
                    failpoint::pass("hold.drained").await;
                    let stops = containers.iter().map(|one| self.engine.stop(one, leave.stop));
                    let stopped = join_all(stops).await;
                    failpoint::pass("hold.stopped").await;
                    let stopped: Result<(), _> = stopped.into_iter().collect();
                    stopped.map_err(|error| Stop::engine("starting", &error))
                }
                Err(stop) => Err(stop),
            };
            return match ended {
                Ok(()) => Ok(Some(held)),
                Err(stop) => {
                    self.unhold(held).await;
                    Err(stop)
                }
            };
        }
        Err(Stop::Canceled)
    }

    /// It came to nothing: what had the traffic is started again and gets the requests that wait.
    pub(super) async fn unhold(&self, held: Held) {
        self.end_hold(&held.project).await;
    }

    /// Ends every hold that nobody is at any more. Comes before anything is begun again.
    pub(super) async fn end_lost_holds(&self) {
        let holds = match self.db.read(db::holds::all).await {
            Ok(holds) => holds,
            Err(error) => {
                tracing::error!(%error, "holds could not be read");
                return;
            }
        };
        for hold in holds {
            let Ok(_turn) = self.hold_of(&hold.project).try_lock_owned() else { continue };
            let id = hold.project.clone();
            // Whoever was at it has ended it since it was read.
            if !matches!(self.db.read(move |c| db::holds::is_held(c, &id)).await, Ok(true)) {
                continue;
            }
            if hold.to != hold.from && !self.is_stopped(&hold.to).await {
                continue;
            }
            tracing::info!(project = %hold.project, "a switch was cut off; what served before comes back");
            self.end_hold(&hold.project).await;
        }
    }

    async fn end_hold(&self, project: &ProjectId) {
        let id = project.clone();
        let ended = self.db.write(move |c| -> Result<_, DbError> {
            db::holds::end(c, &id)?;
            Ok(db::projects::find_any(c, &id)?.and_then(|(project, _)| project.live_deployment_id))
        });
        let live = match ended.await {
            Ok(live) => live,
            Err(error) => {
                // The next round tries again.
                tracing::error!(%project, %error, "a hold could not be ended");
                return;
            }
        };
        self.publish().await;
        if let Some(live) = live {
            self.routes.want(&live);
        }
    }

    /// Stops what was to take over, so that the other one may start. Answers whether it does not run.
    async fn is_stopped(&self, id: &DeploymentId) -> bool {
        let lock = self.lock_of(id);
        let _turn = lock.lock().await;
        let wanted = id.clone();
        let found = self.db.read(move |c| db::deployments::find_any(c, &wanted)).await;
        let deployment = match found {
            Ok(Some(deployment)) => deployment,
            Ok(None) => return true,
            Err(_) => return false,
        };
        if deployment.is_live || deployment.run_state == RunState::Running {
            return true;
        }
        let known = replicas::known(&deployment);
        let stops = known.iter().map(|one| self.engine.stop(one, Duration::ZERO));
        let stopped: Result<(), _> = join_all(stops).await.into_iter().collect();
        if let Err(error) = &stopped {
            tracing::warn!(deployment = %id, %error, "the container could not be stopped");
        }
        stopped.is_ok()
    }

    /// The lock under which requests of a project wait.
    fn hold_of(&self, project: &ProjectId) -> Arc<tokio::sync::Mutex<()>> {
        let mut holds = self.state.holds.lock().unwrap_or_else(PoisonError::into_inner);
        holds.retain(|_, hold| Arc::strong_count(hold) > 1);
        holds.entry(project.clone()).or_default().clone()
    }
}

/// Whether `to` gets the traffic only after `live` has stopped. One that has a process already, and files, take nothing away.
pub(super) fn is_exclusive(live: Option<&Deployment>, to: &Deployment) -> bool {
    let runs = matches!(to.run_state, RunState::Running | RunState::Paused | RunState::Files);
    !runs && (to.alone || live.is_some_and(|live| live.alone))
}

/// Writes down that requests wait and that what serves stops, before either happens. Answers its containers.
fn begin(
    connection: &db::Connection,
    hold: &Hold,
    now: crate::model::timestamp::Timestamp,
) -> Result<Option<Vec<ContainerId>>, DbError> {
    let (project, deleted) =
        db::projects::find_any(connection, &hold.project)?.ok_or(DbError::Stale)?;
    if deleted || project.live_deployment_id.as_ref() != Some(&hold.from) {
        return Err(DbError::Stale);
    }
    let live = db::deployments::find_any(connection, &hold.from)?.ok_or(DbError::Stale)?;
    let runs = !matches!(live.run_state, RunState::None | RunState::Files);
    let containers: Vec<_> =
        live.containers().map(|one| ContainerId(one.to_owned())).filter(|_| runs).collect();
    if containers.is_empty() {
        return Ok(None);
    }
    db::holds::begin(connection, hold, now)?;
    db::transitions::record_run(connection, &hold.from, RunState::Stopped)?;
    Ok(Some(containers))
}
