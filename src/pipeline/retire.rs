//! The old deployment after a switch, or one that is paused by its owner: no new requests, finish the
//! old ones, rest. Its container, image and URL stay.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

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
            let Some(container) = deployment.container_id.filter(|_| runs && !used) else {
                return Ok(None);
            };
            db::transitions::record_run(c, &wanted, rest, Some(&container), None)?;
            let (project, _) =
                db::projects::find_any(c, &deployment.project_id)?.ok_or(DbError::NotFound)?;
            Ok(Some((ContainerId(container), project)))
        });
        let (container, leave) = match resting.await {
            Ok(Some((container, project))) => (container, self.leave_of(&project)),
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
        let last = {
            let draining = self.begin_draining(&container);
            // Whoever wants it back meanwhile does not wait for its old requests.
            drop(turn);
            self.drain(upstream, leave.drain).await;
            draining
        };
        failpoint::pass("drain.done").await;
        let _turn = lock.lock().await;
        if self.end_draining(&last) {
            self.come_to_rest(id, &container).await;
        }
    }

    /// Makes the engine do what the database says of a deployment that rests. Whoever calls holds its lock.
    pub(super) async fn come_to_rest(&self, id: &DeploymentId, container: &ContainerId) {
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
        let grace = found.as_ref().map(|(_, project)| self.leave_of(project).stop);
        let same = found.filter(|(now, _)| now.container_id.as_deref() == Some(&container.0));
        let rest = same.map_or(RunState::Stopped, |(now, _)| now.run_state);
        let rested = match rest {
            // Somebody took it back.
            RunState::Running => return,
            RunState::Paused => self.engine.pause(container).await,
            _ => self.engine.stop(container, grace.unwrap_or_default()).await,
        };
        if let Err(error) = rested {
            tracing::warn!(deployment = %id, %error, "the container could not be brought to rest");
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

    /// Containers that finish their requests.
    pub(super) fn draining(&self) -> HashSet<String> {
        let all = self.state.draining.lock().unwrap_or_else(PoisonError::into_inner);
        all.keys().cloned().collect()
    }

    fn begin_draining(&self, container: &ContainerId) -> String {
        let mut all = self.state.draining.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(container.0.clone()).or_default() += 1;
        container.0.clone()
    }

    /// Whether that was the last one that waited.
    fn end_draining(&self, container: &str) -> bool {
        let mut all = self.state.draining.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.get_mut(container).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            all.remove(container);
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
