//! At start: whatever was cut off is begun again, leftovers on the engine go.

use std::collections::{HashMap, HashSet};

use super::Pipeline;
use crate::db::{self, DbError};
use crate::docker::{ContainerId, ContainerState};
use crate::model::deployment::{Deployment, RunState};
use crate::model::failure::{Failure, FailureCode};
use crate::model::ids::DeploymentId;
use crate::model::project::Project;
use crate::model::transition::State;

/// How often a deployment begins again before it counts as the reason itself.
const RESTARTS: u32 = 3;

impl Pipeline {
    /// Takes up a deployment that was cut off: where its application was being checked and still runs, the check goes on,
    /// because the time it has goes on as well. Everything else begins again.
    pub(super) async fn take_up(&self, deployment: Deployment, project: Project) {
        if deployment.state != State::Checking || !self.still_there(&deployment).await {
            return self.restart(&deployment, &project).await;
        }
        let id = deployment.id.clone();
        match self.db.write(move |c| db::transitions::resume(c, &id)).await {
            Ok(restarts) if restarts > RESTARTS => self.restart(&deployment, &project).await,
            Ok(_) => self.begin(deployment, project),
            // It ended after it was read.
            Err(DbError::Stale) => {}
            Err(error) => {
                tracing::error!(deployment = %deployment.id, %error, "it could not be gone on with")
            }
        }
    }

    /// Whether all containers of a deployment run and can be reached. One that may not run beside another begins again, because requests do
    /// not wait for it any more.
    async fn still_there(&self, deployment: &Deployment) -> bool {
        if deployment.alone || deployment.replicas.is_empty() {
            return false;
        }
        for replica in &deployment.replicas {
            let Some(container) = replica.container.clone().map(ContainerId) else { return false };
            let state = self.engine.inspect(&container).await;
            // One without its network answers nobody, and its address may be somebody else's by now.
            let asked = |state: &ContainerState| state.running && !state.paused && state.in_network;
            if !matches!(&state, Ok(Some(state)) if asked(state)) {
                return false;
            }
        }
        true
    }

    /// Puts a deployment that was cut off back into the queue; what it had begun is removed.
    async fn restart(&self, deployment: &Deployment, project: &Project) {
        let (id, from, now) = (deployment.id.clone(), deployment.state, self.clock.now());
        let restarts = self.db.write(move |c| db::transitions::restart(c, &id, from, now)).await;
        match restarts {
            Ok(restarts) if restarts > RESTARTS => {
                self.discard(deployment).await;
                let message =
                    "Orbitra stopped in the middle of this deployment several times. Deploy again.";
                let failure = Failure::new(FailureCode::EngineError, from.as_str(), message);
                let receipt = self.receipt_of(deployment, project);
                let failed = self.fail(deployment, project, State::Queued, failure, receipt);
                if let Err(error) = failed.await {
                    tracing::error!(deployment = %deployment.id, %error, "it could not be failed");
                }
                self.ended(deployment, project).await;
            }
            Ok(_) => {
                self.discard(deployment).await;
                self.announce(project, &deployment.id);
                self.signal.wake();
            }
            // It ended after it was read: what it made is in use, and nothing here may touch it.
            Err(DbError::Stale) => {}
            Err(error) => {
                tracing::error!(deployment = %deployment.id, %error, "it could not begin again")
            }
        }
    }

    /// Removes what carries this instance's labels and belongs to nothing any more. Foreign objects are never listed.
    pub(super) async fn remove_leftovers(&self) {
        let owned = match self.engine.owned().await {
            Ok(owned) => owned,
            Err(error) => {
                tracing::warn!(%error, "the engine could not be asked for leftovers");
                return;
            }
        };
        let known = self.db.read(|c| -> Result<_, DbError> {
            let mut projects = HashSet::new();
            let mut deployments = HashMap::new();
            for project in db::routes::projects(c)? {
                projects.insert(project.id);
            }
            let mut containers = db::replicas::containers(c)?;
            for deployment in db::routes::deployments(c)? {
                // The check of one that is being checked goes on.
                if matches!(deployment.state, State::Checking | State::Ready | State::Crashed) {
                    let own = containers.remove(&deployment.id).unwrap_or_default();
                    deployments.insert(deployment.id, own);
                }
            }
            Ok((projects, deployments))
        });
        let Ok((projects, deployments)) = known.await else { return };
        let orphan = |deployment: &Option<_>| {
            deployment.as_ref().is_none_or(|deployment| !deployments.contains_key(deployment))
        };
        for container in owned.containers {
            let Some(owner) = &container.owner else { continue };
            // One that a restart replaced, or had begun to put in the place of another.
            let replaced = owner.deployment.as_ref().is_some_and(|id| {
                let recorded = deployments.get(id).filter(|recorded| !recorded.is_empty());
                recorded.is_some_and(|recorded| !recorded.contains(&container.id.0))
            });
            if let Some(id) = owner.deployment.clone().filter(|_| replaced) {
                self.remove_replaced(&id, &container.id).await;
            } else if orphan(&owner.deployment) {
                tracing::info!(container = container.id.0, "removing a leftover container");
                let _ = self.engine.remove(&container.id).await;
            } else if container.running
                && let Some(deployment) = &owner.deployment
            {
                // Nothing waits for the grace it is given.
                let (pipeline, id) = (self.clone(), deployment.clone());
                self.tasks.spawn(async move { pipeline.settle(&id).await });
            }
        }
        for image in owned.images {
            if orphan(&image.owner.deployment) {
                tracing::info!(image = image.name, "removing a leftover image");
                let _ = self.engine.remove_image(&image.id).await;
            }
        }
        for network in owned.networks {
            // One that a deployment has for itself goes with it.
            let own = network.owner.deployment.is_some() && orphan(&network.owner.deployment);
            if own || !projects.contains(&network.owner.project) {
                tracing::info!(network = network.name, "removing a leftover network");
                let _ = self.engine.remove_network(&network.name).await;
            }
        }
    }

    /// Removes a container that is not its deployment's any more, looked at under the deployment's lock.
    async fn remove_replaced(&self, id: &DeploymentId, container: &ContainerId) {
        let lock = self.lock_of(id);
        let _turn = lock.lock().await;
        let wanted = id.clone();
        let found = self.db.read(move |c| db::deployments::find_any(c, &wanted)).await;
        let Ok(Some(deployment)) = found else { return };
        if !deployment.containers().any(|own| own == container.0) {
            tracing::info!(container = container.0, "removing a container that was replaced");
            if let Err(error) = self.engine.remove(container).await {
                tracing::warn!(deployment = %id, %error, "the container could not be removed");
            }
        }
    }

    /// Brings containers to rest that were still finishing their requests when the process was cut off: the database has
    /// called them paused or stopped since the switch.
    pub(super) async fn settle(&self, id: &DeploymentId) {
        let lock = self.lock_of(id);
        let _turn = lock.lock().await;
        let wanted = id.clone();
        let found = self.db.read(move |c| db::deployments::find_any(c, &wanted)).await;
        let Ok(Some(deployment)) = found else { return };
        let rests = matches!(deployment.run_state, RunState::Paused | RunState::Stopped);
        // A live one that sleeps is woken, unless its project is paused.
        let awake = deployment.is_live && !deployment.project_paused;
        if rests && !awake && !self.draining().contains(id) {
            self.come_to_rest(id).await;
        }
    }
}
