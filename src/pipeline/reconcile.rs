//! Looks whether what should run does: containers that stopped, came back, moved or are not paused as
//! they should be.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::PoisonError;

use super::Pipeline;
use crate::db::{self, DbError};
use crate::docker::{ContainerId, ContainerState};
use crate::events::Change;
use crate::model::deployment::{Deployment, Replica, RunState};
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
            self.mend_when_due(&deployment);
        }
    }

    pub(super) async fn reconcile_one(&self, deployment: &Deployment) -> Result<(), DbError> {
        let Some(states) = self.states_of(deployment).await else { return Ok(()) };
        let right = |(replica, state): (&Replica, &Option<ContainerState>)| {
            let running = state.as_ref().filter(|state| state.running);
            match deployment.run_state {
                RunState::Running => {
                    !replica.serves
                        || running.is_some_and(|state| !state.paused && state.in_network)
                }
                // One that is to rest and runs, whatever is known of it.
                _ => running.map_or(!replica.serves, |state| state.paused && state.in_network),
            }
        };
        let serves = deployment.replicas.iter().any(|replica| replica.serves);
        if !serves || !deployment.replicas.iter().zip(&states).all(right) {
            return self.put_right(&deployment.id).await;
        }
        match deployment.run_state {
            RunState::Running => self.still_runs(deployment, &states).await,
            _ => Ok(()),
        }
    }

    /// What the engine says of each of a deployment's containers; `None` when it does not answer: what runs, runs on.
    async fn states_of(&self, deployment: &Deployment) -> Option<Vec<Option<ContainerState>>> {
        let mut states = Vec::new();
        for replica in &deployment.replicas {
            let Some(container) = replica.container.clone().map(ContainerId) else {
                states.push(None);
                continue;
            };
            match self.engine.inspect(&container).await {
                Ok(state) => states.push(state),
                Err(error) => {
                    tracing::warn!(%error, "the engine does not answer");
                    return None;
                }
            }
        }
        Some(states)
    }

    /// Engine and database say different things of containers. Looked at once more, because somebody may have started,
    /// paused or stopped them while this one waited for its lock.
    async fn put_right(&self, id: &DeploymentId) -> Result<(), DbError> {
        let lock = self.lock_of(id);
        let _turn = lock.lock().await;
        let wanted = id.clone();
        let found = self.db.read(move |c| db::deployments::find_any(c, &wanted)).await?;
        let Some(deployment) = found else { return Ok(()) };
        let Some(states) = self.states_of(&deployment).await else { return Ok(()) };
        let mut lost = Vec::new();
        let mut restless = false;
        for (replica, state) in deployment.replicas.iter().zip(states) {
            // One that was taken out of its network is as good as gone: nobody reaches it.
            let there = state.filter(|state| state.running && state.in_network);
            match (there, deployment.run_state) {
                (Some(state), RunState::Running) if state.paused => {
                    // Somebody else paused it, or we did and were cut off before we wrote it down.
                    if let Err(error) = self.engine.unpause(&state.id).await {
                        tracing::warn!(deployment = %id, %error, "a container could not go on");
                    }
                }
                (Some(state), RunState::Paused) => restless |= !state.paused,
                (None, RunState::Running | RunState::Paused) if replica.serves => {
                    lost.push(replica.number);
                }
                _ => {}
            }
        }
        // Otherwise it finishes its requests.
        if restless && !self.draining().contains(id) {
            self.come_to_rest(id).await;
        }
        let awake = matches!(deployment.run_state, RunState::Running | RunState::Paused);
        let serves = deployment.replicas.iter().any(|replica| replica.serves);
        if !awake || (serves && lost.is_empty()) {
            return Ok(());
        }
        self.lose(&deployment, &lost).await
    }

    /// Containers stopped, or were removed behind our back. When others are left they serve, and what is missing is
    /// brought back. Otherwise the deployment sleeps; a live one is woken at once and not by its next visitor.
    async fn lose(&self, deployment: &Deployment, lost: &[u32]) -> Result<(), DbError> {
        let id = &deployment.id;
        let left = deployment.replicas.iter().any(|one| one.serves && !lost.contains(&one.number));
        let (row, numbers) = (id.clone(), lost.to_vec());
        let written = self.db.write(move |c| -> Result<(), DbError> {
            for number in numbers {
                db::replicas::out(c, &row, number)?;
            }
            if left { Ok(()) } else { db::transitions::record_run(c, &row, RunState::Stopped) }
        });
        written.await?;
        if let Some(upstream) = self.publisher.upstream(id).filter(|_| !left) {
            upstream.lose(None);
        }
        self.publish().await;
        // What the engine lost with its memory is only asleep more deeply.
        if deployment.run_state != RunState::Running {
            return Ok(());
        }
        if left {
            for number in lost {
                let message =
                    format!("Replica {number} has stopped. The others serve; it is started again.");
                self.tell(deployment, LogLevel::Warn, message).await;
            }
            self.mend(id);
            return Ok(());
        }
        let message = "It has stopped. The next request starts it again.";
        self.tell(deployment, LogLevel::Warn, message.to_owned()).await;
        if deployment.is_live && !deployment.project_paused {
            self.routes.want(id);
        }
        Ok(())
    }

    /// It runs: is it where we think, has it recovered, does anybody use it?
    async fn still_runs(
        &self,
        deployment: &Deployment,
        states: &[Option<ContainerState>],
    ) -> Result<(), DbError> {
        if deployment.state == State::Crashed {
            return self.change_state(deployment, Step::Recover, "deployment.recovered").await;
        }
        let mut moved = false;
        for (replica, state) in deployment.replicas.iter().zip(states) {
            let Some(state) = state.as_ref().filter(|_| replica.serves) else { continue };
            let known = replica.address.as_ref().and_then(|text| text.parse::<SocketAddr>().ok());
            if let (Some(known), Some(now)) = (known, state.address)
                && known.ip() != now
            {
                let (id, number) = (deployment.id.clone(), replica.number);
                let container = state.id.0.clone();
                let address = SocketAddr::new(now, known.port()).to_string();
                let written = self.db.write(move |c| {
                    db::replicas::serve_again(c, &id, number, &container, &address)
                });
                moved |= written.await?;
            }
            let captured = &self.state.captured;
            if !captured.lock().unwrap_or_else(PoisonError::into_inner).contains(&state.id.0) {
                self.capture(&deployment.id, replica.number, &state.id, false, None, None);
            }
        }
        if moved {
            self.publish().await;
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

    /// Writes down that it crashed or recovered.
    pub(super) async fn change_state(
        &self,
        deployment: &Deployment,
        step: Step,
        event: &'static str,
    ) -> Result<(), DbError> {
        let (row, now) = (deployment.clone(), self.clock.now());
        let url = self.hosts.url_of(&row.hostname);
        let states = self.states_of(deployment).await.unwrap_or_default();
        let mut seen: Vec<_> = states.into_iter().flatten().collect();
        // One that ended says more than one that runs.
        seen.sort_by_key(|state| state.running);
        let seen = seen.into_iter().next();
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

    /// All that was missing of it is back: the next time it is tried at once.
    pub(super) fn forget_tries(&self, id: &DeploymentId) {
        self.state.tried.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Whether a crashed deployment, or what it has lost, is to be tried again: at the first look, then every so many.
    pub(super) fn is_due(&self, id: &DeploymentId) -> bool {
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
