//! What talks to the forges of projects.

use std::time::Duration;

use crate::app::App;
use crate::egress::{Client, EgressError};
use crate::forges::{Parts, Teller};
use crate::task::{Signal, Tasks};

/// Tells forges how the deployments of their commits stand.
pub(super) fn tell(app: &App, tasks: &Tasks) -> Result<(), EgressError> {
    let teller = Teller::new(Parts {
        db: app.db.clone(),
        clock: app.clock.clone(),
        secrets: app.secrets.clone(),
        hosts: app.config.hosts.clone(),
        egress: app.egress.clone(),
        client: Client::new(app.egress.clone())?,
        pipeline: app.pipeline.clone(),
    });
    let looker = teller.clone();
    tasks.periodic(Signal::default(), Duration::from_secs(2), move || {
        let teller = teller.clone();
        async move {
            if let Err(error) = teller.round().await {
                tracing::error!(%error, "forges could not be told");
            }
        }
    });
    tasks.periodic(Signal::default(), Duration::from_secs(2), move || {
        let looker = looker.clone();
        async move {
            if let Err(error) = looker.look().await {
                tracing::error!(%error, "checks could not be looked at");
            }
        }
    });
    Ok(())
}
