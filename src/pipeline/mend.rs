//! Brings back the containers that a running deployment has lost: one that ended while others serve, or that took
//! longer to wake than the first.

use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::Pipeline;
use super::healthy::Subject;
use super::receipt::Seen;
use super::replicas::Numbered;
use super::stop::Stop;
use crate::db::{self, DbError};
use crate::model::deployment::{Deployment, RunState};
use crate::model::ids::DeploymentId;
use crate::model::log_line::LogLevel;
use crate::model::project::Project;
use crate::model::transition::State;

/// Pause between looks whether what is brought back is still wanted.
const LOOK: Duration = Duration::from_secs(1);

impl Pipeline {
    /// Begins to bring back what is missing of a deployment that runs, unless somebody is at it.
    pub(super) fn mend(&self, id: &DeploymentId) {
        if !self.mending().insert(id.clone()) {
            return;
        }
        let (pipeline, id) = (self.clone(), id.clone());
        self.tasks.spawn(async move {
            let inner = (pipeline.clone(), id.clone());
            // In a task of its own: whatever happens there, the next look tries again.
            let run = tokio::spawn(async move { inner.0.bring_back(&inner.1).await });
            match run.await {
                Ok(Ok(())) => {}
                Ok(Err(stop)) => {
                    tracing::warn!(deployment = %id, ?stop, "what is missing could not be brought back");
                }
                Err(error) => {
                    tracing::error!(deployment = %id, %error, "the task of a replica ended badly");
                }
            }
            pipeline.mending().remove(&id);
        });
    }

    /// Tries again what could not be brought back, at the first look and then now and then.
    pub(super) fn mend_when_due(&self, deployment: &Deployment) {
        let id = &deployment.id;
        let runs = deployment.state == State::Ready && deployment.run_state == RunState::Running;
        let missing = deployment.replicas.iter().any(|replica| !replica.serves);
        if runs && missing && !self.mending().contains(id) && self.is_due(id) {
            self.mend(id);
        }
    }

    fn mending(&self) -> std::sync::MutexGuard<'_, std::collections::HashSet<DeploymentId>> {
        self.state.mending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn bring_back(&self, id: &DeploymentId) -> Result<(), Stop> {
        let lock = self.lock_of(id);
        let turn = lock.lock().await;
        let wanted = id.clone();
        let found = self.db.read(move |c| -> Result<_, DbError> {
            let Some(deployment) = db::deployments::find(c, &wanted)? else { return Ok(None) };
            let project = db::projects::find(c, &deployment.project_id)?;
            Ok(project.map(|project| (deployment, project)))
        });
        let Some((deployment, mut project)) = found.await? else { return Ok(()) };
        let runs = deployment.state == State::Ready && deployment.run_state == RunState::Running;
        if !runs || deployment.project_paused {
            return Ok(());
        }
        if let Some(plan) = &deployment.plan {
            project.runtime.apply(&plan.repository);
        }
        let mut started = Vec::new();
        for replica in deployment.replicas.iter().filter(|one| !one.serves) {
            let number = replica.number;
            let container = self.container_of(&deployment, &project, number).await;
            let start = match container {
                Ok(container) => {
                    self.start_again(&deployment, &project, &(number, container)).await
                }
                Err(stop) => Err(stop),
            };
            match start {
                Ok(one) => started.push(one),
                Err(stop) => self.not_back(&deployment, number, stop).await,
            }
        }
        // Who lets it rest meanwhile does not wait: what is written down then is looked at once more.
        drop(turn);
        let checks = started.iter().map(|one| self.check_again(&deployment, &project, one));
        join_all(checks).await;
        Ok(())
    }

    /// Asks one until it is healthy, and lets requests go there.
    async fn check_again(
        &self,
        deployment: &Deployment,
        project: &Project,
        (number, container): &Numbered,
    ) {
        let Some(redactor) = self.redactor_of(deployment).await else { return };
        let subject = Subject {
            pipeline: self,
            project,
            deployment,
            redactor: &redactor,
            cancel: &CancellationToken::new(),
            seen: &Seen::default(),
            spent: Duration::ZERO,
        };
        let told = self.known_port(deployment).unwrap_or(3000);
        let healthy = tokio::select! {
            healthy = subject.healthy(container, told) => healthy,
            () = self.rests(&deployment.id, &container.0) => return,
        };
        let address = match healthy {
            Ok((address, _)) => address.to_string(),
            Err(stop) => return self.not_back(deployment, *number, stop).await,
        };
        if let Err(error) = self.engine.supervise(container).await {
            tracing::warn!(container = container.0, %error, "it is not started again when it fails");
        }
        let (id, own) = (deployment.id.clone(), (*number, container.0.clone()));
        let serves =
            self.db.write(move |c| db::replicas::serve_again(c, &id, own.0, &own.1, &address));
        match serves.await {
            Ok(true) => {
                self.forget_tries(&deployment.id);
                self.publish().await;
                let message = format!("Replica {number} serves.");
                self.tell(deployment, LogLevel::Info, message).await;
            }
            // It rests by now, and so does this one.
            Ok(false) => {}
            Err(error) => {
                tracing::error!(deployment = %deployment.id, %error, "a replica could not be written down");
            }
        }
    }

    /// Completes when a deployment does not run any more, or has another container.
    async fn rests(&self, id: &DeploymentId, container: &str) {
        loop {
            tokio::time::sleep(LOOK).await;
            let wanted = id.clone();
            let found = self.db.read(move |c| db::deployments::find(c, &wanted)).await;
            let runs = |now: Deployment| {
                now.run_state == RunState::Running && now.containers().any(|own| own == container)
            };
            if found.is_ok_and(|found| !found.is_some_and(runs)) {
                return;
            }
        }
    }

    async fn not_back(&self, deployment: &Deployment, number: u32, stop: Stop) {
        if let Stop::Failed(failure) = &stop {
            let message = format!("Replica {number} does not serve: {}", failure.message);
            self.tell(deployment, LogLevel::Error, message).await;
        } else {
            tracing::warn!(deployment = %deployment.id, number, ?stop, "a replica is not back");
        }
    }
}
