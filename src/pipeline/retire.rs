//! The old deployment after a switch: no new requests, finish the old ones, stop. Its container,
//! image and URL stay.

use std::time::Duration;

use super::Pipeline;
use crate::db;
use crate::docker::ContainerId;
use crate::model::deployment::RunState;
use crate::model::ids::DeploymentId;
use crate::model::transition::State;

/// From SIGTERM to SIGKILL.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(10);

impl Pipeline {
    /// Stops a ready deployment that nobody points at. Safe to repeat; a live one is left alone.
    pub(super) async fn retire(&self, id: &DeploymentId) {
        let lock = self.lock_of(id);
        let _turn = lock.lock().await;
        // Before the row changes: whoever publishes next forgets an upstream that has no row.
        let upstream = self.publisher.upstream(id);
        let wanted = id.clone();
        let stopped = self
            .db
            .write(move |c| -> Result<_, db::DbError> {
                let Some(deployment) = db::deployments::find_any(c, &wanted)? else {
                    return Ok(None);
                };
                let runs = deployment.state == State::Ready
                    && deployment.run_state == RunState::Running
                    && !deployment.is_live;
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
        self.forget_woken(id);
        self.publish().await;
        if let Some(upstream) = upstream {
            upstream.retire();
            if tokio::time::timeout(self.drain, upstream.drained()).await.is_err() {
                upstream.cut();
            }
        }
        if let Err(error) = self.engine.stop(&container, STOP_GRACE).await {
            tracing::warn!(deployment = %id, %error, "the container could not be stopped");
        }
    }
}
