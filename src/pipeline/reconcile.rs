//! Looks whether what should run does: containers that stopped, came back, moved or are not paused as
//! they should be.

use std::collections::HashSet;
use std::sync::PoisonError;

use super::Pipeline;
use crate::db::{self, DbError};
use crate::docker::{ContainerId, ContainerState};
use crate::events::Change;
use crate::model::deployment::{Deployment, RunState};
use crate::model::ids::DeploymentId;
use crate::model::log_line::LogLevel;
use crate::model::transition::{State, Step};

/// Looks (15 s apart) after which a crashed live deployment is tried again.
const RETRY_LOOKS: u32 = 20;

impl Pipeline {
    /// One look at every deployment that has a process.
    pub(super) async fn reconcile(&self) {
        let found = self.db.read(|c| -> Result<_, DbError> {
            Ok((db::deployments::awake(c)?, db::sleep::crashed(c)?))
        });
        let (awake, crashed) = match found.await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "deployments could not be read");
                return;
            }
        };
        if awake.is_empty() && crashed.is_empty() {
            return;
        }
        // One question instead of one for every deployment: an engine that hangs answers each only after its deadline.
        if let Err(error) = self.engine.info().await {
            tracing::warn!(%error, "the engine does not answer; what runs, runs on");
            return;
        }
        // A crashed one is tried again, soon and then now and then: what it missed may be back.
        for id in crashed {
            if self.is_due(&id) {
                self.routes.want(&id);
            }
        }
        for deployment in awake {
            if let Err(error) = self.reconcile_one(&deployment).await {
                tracing::error!(deployment = %deployment.id, %error, "it could not be looked after");
            }
        }
    }

    pub(super) async fn reconcile_one(&self, deployment: &Deployment) -> Result<(), DbError> {
        let Some(container) = deployment.container_id.clone().map(ContainerId) else {
            return Ok(());
        };
        let state = match self.engine.inspect(&container).await {
            Ok(state) => state,
            // The engine does not answer: what runs, runs on.
            Err(error) => {
                tracing::warn!(%error, "the engine does not answer");
                return Ok(());
            }
        };
        let running = state.filter(|state| state.running);
        match (running, deployment.run_state) {
            (Some(state), RunState::Running) if !state.paused => {
                self.still_runs(deployment, &container, state).await
            }
            (Some(state), RunState::Paused) if state.paused => Ok(()),
            _ => self.put_right(&deployment.id, &container).await,
        }
    }

    /// Engine and database say different things of a container. Looked at once more, because somebody may have started,
    /// paused or stopped it while this one waited for its lock.
    async fn put_right(&self, id: &DeploymentId, container: &ContainerId) -> Result<(), DbError> {
        let lock = self.lock_of(id);
        let _turn = lock.lock().await;
        let wanted = id.clone();
        let found = self.db.read(move |c| db::deployments::find_any(c, &wanted)).await?;
        let same = found.filter(|now| now.container_id.as_deref() == Some(&container.0));
        let Some(deployment) = same else { return Ok(()) };
        let Ok(state) = self.engine.inspect(container).await else { return Ok(()) };
        let running = state.filter(|state| state.running);
        match (running, deployment.run_state) {
            (Some(state), RunState::Running) if state.paused => {
                // Somebody else paused it, or we did and were cut off before we wrote it down.
                if let Err(error) = self.engine.unpause(container).await {
                    tracing::warn!(deployment = %id, %error, "the container could not go on");
                }
            }
            // It finishes its requests.
            (Some(_), RunState::Paused) if self.draining().contains(&container.0) => {}
            (Some(state), RunState::Paused) if !state.paused => {
                self.come_to_rest(id, container).await;
            }
            // Stopped, or removed behind our back: it sleeps. A live one is woken at once and not by its next visitor.
            (None, RunState::Running) => {
                self.sleeps(&deployment, container).await?;
                let message = "It has stopped. The next request starts it again.";
                self.tell(&deployment, LogLevel::Warn, message.to_owned()).await;
                if deployment.is_live && !deployment.project_paused {
                    self.routes.want(id);
                }
            }
            // What the engine lost with its memory is only asleep more deeply.
            (None, RunState::Paused) => self.sleeps(&deployment, container).await?,
            _ => {}
        }
        Ok(())
    }

    /// It runs: is it where we think, has it recovered, does anybody use it?
    async fn still_runs(
        &self,
        deployment: &Deployment,
        container: &ContainerId,
        state: ContainerState,
    ) -> Result<(), DbError> {
        if deployment.state == State::Crashed {
            return self.change_state(deployment, Step::Recover, "deployment.recovered").await;
        }
        let known =
            deployment.address.as_ref().and_then(|text| text.parse::<std::net::SocketAddr>().ok());
        if let (Some(known), Some(now)) = (known, state.address)
            && known.ip() != now
        {
            let moved = std::net::SocketAddr::new(now, known.port()).to_string();
            let (id, container) = (deployment.id.clone(), container.0.clone());
            self.db
                .write(move |c| {
                    let (container, address) = (Some(container.as_str()), Some(moved.as_str()));
                    db::transitions::record_run(c, &id, RunState::Running, container, address)
                })
                .await?;
            self.publish().await;
        }
        let captured = &self.state.captured;
        if !captured.lock().unwrap_or_else(PoisonError::into_inner).contains(&container.0) {
            self.capture(&deployment.id, container, false, None, None);
        }
        // One that was live and is not any more was cut off before it could rest.
        let left_over = deployment.live_at.is_some()
            && !deployment.is_live
            && !self.is_in(&self.state.woken, &deployment.id);
        if left_over {
            self.retire(&deployment.id).await;
        }
        Ok(())
    }

    /// Nothing runs for it: the next request wakes it.
    async fn sleeps(
        &self,
        deployment: &Deployment,
        container: &ContainerId,
    ) -> Result<(), DbError> {
        let (id, container) = (deployment.id.clone(), container.0.clone());
        self.db
            .write(move |c| {
                db::transitions::record_run(c, &id, RunState::Stopped, Some(&container), None)
            })
            .await?;
        self.publish().await;
        Ok(())
    }

    /// Writes down that it crashed or recovered.
    pub(super) async fn change_state(
        &self,
        deployment: &Deployment,
        step: Step,
        event: &'static str,
    ) -> Result<(), DbError> {
        let (row, now) = (deployment.clone(), self.clock.now());
        let url = self.hosts.url_of(&row.hostname);
        let container = row.container_id.clone().map(ContainerId);
        let seen = match &container {
            Some(container) => self.engine.inspect(container).await.ok().flatten(),
            None => None,
        };
        let project = self
            .db
            .write(move |c| -> Result<_, DbError> {
                let (project, _) =
                    db::projects::find_any(c, &row.project_id)?.ok_or(DbError::NotFound)?;
                db::transitions::crash_or_recover(c, &row.id, row.state, step, now)?;
                let status = if step == Step::Crash { "crashed" } else { "live" };
                let mut data = crate::model::event::deployment(&row, status, &url);
                data["exit_code"] = seen.as_ref().and_then(|seen| seen.exit_code).into();
                data["restarts"] = seen.as_ref().map_or(0, |seen| seen.restarts).into();
                let random = crate::crypto::random::bytes();
                let event =
                    crate::model::event::Event::of_project(random, event, &project, data, now);
                db::events::append(c, &event)?;
                Ok(project)
            })
            .await?;
        self.publish().await;
        let (team, id) = (project.team_id, project.id);
        self.bus.send(Change::Deployment(team.clone(), id.clone(), deployment.id.clone()));
        self.bus.send(Change::Project(team, id));
        Ok(())
    }

    fn is_in(&self, set: &std::sync::Mutex<HashSet<DeploymentId>>, id: &DeploymentId) -> bool {
        set.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Remembers that a request has woken a deployment, so that it is not taken for a leftover.
    pub(super) fn note_woken(&self, id: &DeploymentId) {
        self.state.woken.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
    }

    /// It sleeps again.
    pub(super) fn forget_woken(&self, id: &DeploymentId) {
        self.state.woken.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Whether a crashed deployment is to be tried again: at the first look, then every so many.
    fn is_due(&self, id: &DeploymentId) -> bool {
        let mut looks = self.state.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let count = looks.entry(id.clone()).or_insert(RETRY_LOOKS);
        *count += 1;
        let due = *count > RETRY_LOOKS;
        if due {
            *count = 0;
        }
        due
    }
}
