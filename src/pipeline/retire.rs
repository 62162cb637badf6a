//! The old deployment after a switch, or one that is paused: no new requests, finish the old ones,
//! stop. Its container, image and URL stay.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Pipeline;
use crate::db;
use crate::docker::ContainerId;
use crate::failpoint;
use crate::model::deployment::RunState;
use crate::model::ids::DeploymentId;
use crate::model::transition::State;
use crate::routing::upstream::Upstream;

/// From SIGTERM to SIGKILL.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(10);

impl Pipeline {
    /// Stops a ready deployment that nobody points at or whose project is paused. Safe to repeat; a live
    /// one, and one that is about to be, is left alone.
    pub(super) async fn retire(&self, id: &DeploymentId) {
        let lock = self.lock_of(id);
        let turn = lock.lock().await;
        // Before the row changes: whoever publishes next forgets an upstream that has no row.
        let upstream = self.publisher.upstream(id);
        let wanted = id.clone();
        let stopped = self
            .db
            .write(move |c| -> Result<_, db::DbError> {
                let Some(deployment) = db::deployments::find_any(c, &wanted)? else {
                    return Ok(None);
                };
                let used = (deployment.is_live || db::releases::is_wanted(c, &wanted)?)
                    && !deployment.project_paused;
                let runs = matches!(deployment.state, State::Ready | State::Crashed)
                    && deployment.run_state == RunState::Running
                    && !used;
                let Some(container) = deployment.container_id.filter(|_| runs) else {
                    return Ok(None);
                };
                db::transitions::record_run(c, &wanted, RunState::Stopped, Some(&container), None)?;
                Ok(Some(ContainerId(container)))
            })
            .await;
        let container = match stopped {
            Ok(Some(container)) => container,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(deployment = %id, %error, "the deployment could not be retired");
                return;
            }
        };
        failpoint::pass("drain.start").await;
        self.forget_woken(id);
        self.publish().await;
        let last = {
            let draining = self.begin_draining(&container);
            // Whoever wants it back meanwhile does not wait for its old requests.
            drop(turn);
            self.drain(upstream).await;
            draining
        };
        failpoint::pass("drain.done").await;
        let _turn = lock.lock().await;
        if !self.end_draining(&last) {
            return;
        }
        let wanted = id.clone();
        let found = self.db.read(move |c| db::deployments::find_any(c, &wanted)).await;
        let taken_back = matches!(&found, Ok(Some(now)) if now.run_state == RunState::Running
            && now.container_id.as_deref() == Some(&container.0));
        if taken_back {
            return;
        }
        if let Err(error) = self.engine.stop(&container, STOP_GRACE).await {
            tracing::warn!(deployment = %id, %error, "the container could not be stopped");
        }
    }

    /// No new requests; those in flight are finished, or cut at the limit.
    pub(super) async fn drain(&self, upstream: Option<Arc<Upstream>>) {
        let Some(upstream) = upstream else { return };
        upstream.retire();
        if tokio::time::timeout(self.drain, upstream.drained()).await.is_err() {
            upstream.cut();
        }
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
