//! The old deployment after a switch, or one that is paused by its owner: no new requests, finish the
//! old ones, rest. Its containers, image and URL stay.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use super::Pipeline;
use crate::db::{self, DbError};
use crate::docker::ContainerId;
use crate::failpoint;
use crate::model::deployment::{Deployment, RunState};
use crate::model::ids::DeploymentId;
use crate::model::project::{Project, Strategy};
use crate::model::transition::State;
use crate::routing::upstream::Upstream;

/// How long the containers of a project may take to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leave {
    /// To finish their requests.
    pub drain: Duration,
    /// From SIGTERM to SIGKILL.
    pub stop: Duration,
}

impl Pipeline {
    /// What a project allows.
    pub(super) fn leave_of(&self, project: &Project) -> Leave {
        let release = &project.runtime.release;
        let own = release.drain_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let stop = Duration::from_secs(release.stop_seconds.into());
        Leave { drain: own.unwrap_or(self.drain), stop }
    }

    /// Takes the traffic from a ready deployment that nobody points at or whose project is paused. The first is paused, so
    /// that the way back is short, and stopped when nobody has gone it for a while; the second is stopped. Safe to repeat;
    /// a live one, and one that is about to be, is left alone.
    pub(super) async fn retire(&self, id: &DeploymentId) {
        let lock = self.lock_of(id);
        let turn = lock.lock().await;
        // Before the row changes: whoever publishes next forgets an upstream that has no row.
        let upstream = self.publisher.upstream(id);
        let (wanted, pauses) = (id.clone(), self.idle.pauses());
        let resting = self.db.write(move |c| -> Result<_, DbError> {
            let Some(deployment) = db::deployments::find_any(c, &wanted)? else { return Ok(None) };
            let rest = if pauses { rest_of(c, &deployment)? } else { RunState::Stopped };
            let used = (deployment.is_live || db::releases::is_wanted(c, &wanted)?)
                && !deployment.project_paused;
            let has_process = match deployment.run_state {
                RunState::Running => true,
                RunState::Paused => rest == RunState::Stopped,
                _ => false,
            };
            let runs = matches!(deployment.state, State::Ready | State::Crashed) && has_process;
            if !runs || used || deployment.containers().next().is_none() {
                return Ok(None);
            }
            db::transitions::record_run(c, &wanted, rest)?;
            let (project, _) =
                db::projects::find_any(c, &deployment.project_id)?.ok_or(DbError::NotFound)?;
            Ok(Some(project))
        });
        let leave = match resting.await {
            Ok(Some(project)) => self.leave_of(&project),
            Ok(None) => return,
            Err(error) => {
                tracing::error!(deployment = %id, %error, "the deployment could not be retired");
                return;
            }
        };
        failpoint::pass("drain.start").await;
        self.forget_woken(id);
        // Until now it was of use.
        self.note_used(id, self.clock.now());
        self.publish().await;
        self.begin_draining(id);
        // Whoever wants it back meanwhile does not wait for its old requests.
        drop(turn);
        self.drain(upstream, leave.drain).await;
        failpoint::pass("drain.done").await;
        let _turn = lock.lock().await;
        if self.end_draining(id) {
            self.come_to_rest(id).await;
        }
    }

    /// Makes the engine do what the database says of a deployment that rests. Whoever calls holds its lock.
    pub(super) async fn come_to_rest(&self, id: &DeploymentId) {
        let wanted = id.clone();
        let found = self.db.read(move |c| -> Result<_, DbError> {
            let Some(deployment) = db::deployments::find_any(c, &wanted)? else { return Ok(None) };
            let project = db::projects::find_any(c, &deployment.project_id)?;
            Ok(project.map(|(project, _)| (deployment, project)))
        });
        let found = match found.await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(deployment = %id, %error, "it could not be read how it is to rest");
                return;
            }
        };
        let Some((now, project)) = found else { return };
        let grace = self.leave_of(&project).stop;
        let rest = now.run_state;
        let rests = now.containers().map(|container| async move {
            let container = ContainerId(container.to_owned());
            match rest {
                // Somebody took it back.
                RunState::Running => Ok(()),
                RunState::Paused => self.engine.pause(&container).await,
                _ => self.engine.stop(&container, grace).await,
            }
        });
        for error in join_all(rests).await.into_iter().filter_map(Result::err) {
            tracing::warn!(deployment = %id, %error, "a container could not be brought to rest");
        }
    }

    /// No new requests; those in flight are finished, or cut at the limit.
    pub(super) async fn drain(&self, upstream: Option<Arc<Upstream>>, limit: Duration) {
        let Some(upstream) = upstream else { return };
        upstream.retire();
        if tokio::time::timeout(limit, upstream.drained()).await.is_err() {
            upstream.cut();
        }
    }

    /// Deployments that finish their requests.
    pub(super) fn draining(&self) -> HashSet<DeploymentId> {
        let all = self.state.draining.lock().unwrap_or_else(PoisonError::into_inner);
        all.keys().cloned().collect()
    }

    fn begin_draining(&self, id: &DeploymentId) {
        let mut all = self.state.draining.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(id.clone()).or_default() += 1;
    }

    /// Whether that was the last one that waited.
    fn end_draining(&self, id: &DeploymentId) -> bool {
        let mut all = self.state.draining.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.get_mut(id).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            all.remove(id);
        }
        left == 0
    }
}

/// How a deployment rests that is not needed: what must not run twice, what does not work and what its owner paused
/// keeps no process.
fn rest_of(connection: &db::Connection, deployment: &Deployment) -> Result<RunState, DbError> {
    let project = db::projects::find_any(connection, &deployment.project_id)?;
    let rolling =
        project.is_some_and(|(project, _)| project.runtime.release.strategy == Strategy::Rolling);
    let works = deployment.state == State::Ready && !deployment.project_paused;
    let keeps = rolling && works && !deployment.alone;
    Ok(if keeps { RunState::Paused } else { RunState::Stopped })
}
