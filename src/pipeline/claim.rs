//! A container that was just started may have got the address of one that is gone. Nobody's requests go there then:
//! before the new application listens, the old one's route is taken away.

use super::Pipeline;
use crate::db::{self, DbError};
use crate::docker::ContainerId;
use crate::model::ids::DeploymentId;

impl Pipeline {
    /// Looks where a deployment's container is, and takes that address away from everybody else.
    pub(super) async fn claim_address(&self, id: &DeploymentId, container: &ContainerId) {
        // Without an answer there is no address to be claimed; whoever checks the container asks again.
        let Ok(Some(state)) = self.engine.inspect(container).await else { return };
        let Some(address) = state.address.map(|ip| format!("{ip}:0")) else { return };
        let (id, ip) = (id.clone(), address);
        let left = self.db.write(move |c| -> Result<bool, DbError> {
            db::transitions::leave_address(c, &id, &ip)
        });
        match left.await {
            Ok(true) => self.publish().await,
            Ok(false) => {}
            Err(error) => {
                tracing::error!(container = container.0, %error, "its address could not be claimed");
            }
        }
    }
}
