//! What could not be removed from the engine when its deployment ended, because the engine was away or slow, is
//! removed as soon as it can be.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Pipeline;
use crate::db::{self, DbError};
use crate::docker::EngineError;
use crate::model::deployment::Deployment;
use crate::model::transition::State;

/// The longest that whoever waits for a deployment's end waits for its removal.
const PATIENCE: Duration = Duration::from_secs(20);

impl Pipeline {
    /// Removes container, image and files of a deployment; its record and its log stay. Absent is fine. Answers whether
    /// nothing is left; what is left goes later.
    pub(super) async fn discard(&self, deployment: &Deployment) -> bool {
        let removed = tokio::time::timeout(PATIENCE, self.remove_objects(deployment)).await;
        let clean = removed.unwrap_or(false);
        if !clean {
            self.state.untidy.store(true, Ordering::SeqCst);
        }
        clean
    }

    /// Looks again at what deployments have left behind that are over, when there is something.
    pub(super) async fn tidy(&self) {
        if !self.state.untidy.swap(false, Ordering::SeqCst) {
            return;
        }
        if let Err(error) = self.remove_what_is_over().await {
            tracing::warn!(%error, "leftovers could not be removed yet");
            self.state.untidy.store(true, Ordering::SeqCst);
        }
    }

    async fn remove_what_is_over(&self) -> Result<(), EngineError> {
        // Asked before the rows are read: whatever begins in between is not in the list.
        let owned = self.engine.owned().await?;
        let wanted = self.db.read(|c| -> Result<HashSet<_>, DbError> {
            Ok(db::deployments::all_states(c)?
                .into_iter()
                .filter(|(_, state)| {
                    !matches!(state, State::Failed | State::Canceled | State::Removed)
                })
                .map(|(id, _)| id)
                .collect())
        });
        let Ok(wanted) = wanted.await else {
            self.state.untidy.store(true, Ordering::SeqCst);
            return Ok(());
        };
        for container in owned.containers {
            let owner = container.owner.and_then(|owner| owner.deployment);
            if owner.is_some_and(|id| !wanted.contains(&id)) {
                tracing::info!(container = container.id.0, "removing a container that was left");
                self.engine.remove(&container.id).await?;
            }
        }
        for image in owned.images {
            if image.owner.deployment.is_some_and(|id| !wanted.contains(&id)) {
                tracing::info!(image = image.name, "removing an image that was left");
                self.engine.remove_image(&image.id).await?;
            }
        }
        for network in owned.networks {
            if network.owner.deployment.is_some_and(|id| !wanted.contains(&id)) {
                tracing::info!(network = network.name, "removing a network that was left");
                self.engine.remove_network(&network.name).await?;
            }
        }
        Ok(())
    }
}
