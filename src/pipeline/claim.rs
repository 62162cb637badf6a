//! A container that was just started may have got the address of one that is gone. Nobody's requests go there then:
//! before the new application listens, the old one's route is taken away.

use super::Pipeline;
use crate::db;
use crate::docker::ContainerId;

impl Pipeline {
    /// Looks where a container is, and takes that address away from everybody else.
    pub(super) async fn claim_address(&self, container: &ContainerId) {
        // Without an answer there is no address to be claimed; whoever checks the container asks again.
        let Ok(Some(state)) = self.engine.inspect(container).await else { return };
        let Some(ip) = state.address else { return };
        let (id, address) = (container.0.clone(), format!("{ip}:0"));
        match self.db.write(move |c| db::replicas::leave_address(c, &id, &address)).await {
            Ok(left) if left.is_empty() => {}
            Ok(left) => {
                // Requests that are on their way there turn round.
                for upstream in left.iter().filter_map(|id| self.publisher.upstream(id)) {
                    upstream.lose(Some(ip));
                }
                self.publish().await;
            }
            Err(error) => {
                tracing::error!(container = container.0, %error, "its address could not be claimed");
            }
        }
    }
}
