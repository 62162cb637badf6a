//! A request came for a deployment that sleeps: let it go on or start it, once, and let the requests on.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use super::Pipeline;
use super::probe;
use super::replicas::Numbered;
use super::start::port_of;
use super::stop::Stop;
use crate::db;
use crate::docker::{ContainerId, EngineError};
use crate::failpoint;
use crate::model::deployment::{Deployment, RunState};
use crate::model::failure::{Failure, FailureCode};
use crate::model::ids::DeploymentId;
use crate::model::log_line::LogLevel;
use crate::model::project::Project;
use crate::model::transition::{State, Step};
use crate::routing::sleeper::Unwoken;

/// How long a woken application may take until it accepts connections.
const LIMIT: Duration = Duration::from_secs(60);
/// How long one that was paused may take to accept a connection; the kernel does it for it.
const ACCEPTS: Duration = Duration::from_secs(1);
/// Pause between looks.
const PAUSE: Duration = Duration::from_millis(20);

impl Pipeline {
    /// Starts waking everything that requests have asked for.
    pub(super) fn wake_wanted(&self) {
        for id in self.routes.take_wanted() {
            let pipeline = self.clone();
            self.tasks.spawn(async move {
                if let Err(stop) = pipeline.wake(&id).await {
                    tracing::warn!(deployment = %id, ?stop, "the deployment did not wake");
                }
            });
        }
    }

    /// Lets a paused deployment go on or starts a stopped one, and routes to it. Safe to repeat. A live one that does not
    /// come up has crashed.
    pub(super) async fn wake(&self, id: &DeploymentId) -> Result<(), Stop> {
        let lock = self.lock_of(id);
        let _turn = lock.lock().await;
        let wanted = id.clone();
        let found = self
            .db
            .read(move |c| -> Result<_, db::DbError> {
                let Some(deployment) = db::deployments::find(c, &wanted)? else { return Ok(None) };
                // Another one starts in its place.
                if db::holds::is_held(c, &deployment.project_id)? {
                    return Ok(None);
                }
                let project = db::projects::find(c, &deployment.project_id)?;
                Ok(project.map(|project| (deployment, project)))
            })
            .await?;
        let Some((deployment, project)) = found else { return Ok(()) };
        let may_wake = matches!(deployment.state, State::Ready | State::Crashed)
            && matches!(deployment.run_state, RunState::Stopped | RunState::Paused)
            && !deployment.project_paused
            && (deployment.is_live || !deployment.alone);
        if !may_wake {
            self.publish().await;
            return Ok(());
        }
        let woken = self.bring_up(&deployment, &project).await;
        // Before the next publication, which is when those who wait look.
        if let (Err(stop), Some(sleeper)) = (&woken, self.publisher.sleeper(id)) {
            sleeper.fail(match stop {
                Stop::Failed(failure) if failure.code != FailureCode::EngineError => {
                    Unwoken::Broken
                }
                _ => Unwoken::Unavailable,
            });
        }
        match (&woken, deployment.state) {
            (Ok(()), State::Crashed) => {
                self.change_state(&deployment, Step::Recover, "deployment.recovered").await?;
            }
            // Only what the application did itself: an engine that is away says nothing about it.
            (Err(Stop::Failed(failure)), State::Ready)
                if deployment.is_live && failure.code != FailureCode::EngineError =>
            {
                self.change_state(&deployment, Step::Crash, "deployment.crashed").await?;
            }
            _ => {}
        }
        self.publish().await;
        match &woken {
            Ok(()) => self.tell(&deployment, LogLevel::Info, "Woken.".to_owned()).await,
            Err(Stop::Failed(failure)) => {
                let message = format!("It could not be woken: {}", failure.message);
                self.tell(&deployment, LogLevel::Error, message).await;
                // What was begun does not stay half awake, where nobody would look after it.
                if !deployment.is_live {
                    self.come_to_rest(id).await;
                }
            }
            Err(_) => {}
        }
        woken
    }

    pub(super) async fn bring_up(
        &self,
        deployment: &Deployment,
        project: &Project,
    ) -> Result<(), Stop> {
        failpoint::pass("wake.start").await;
        let paused = deployment.run_state == RunState::Paused;
        if paused && self.go_on(deployment).await? {
            return Ok(());
        }
        if paused {
            // The engine has lost them. Should the start fail, nothing may take them for something that can go on.
            let id = deployment.id.clone();
            let stopped =
                move |c: &db::Connection| db::transitions::record_run(c, &id, RunState::Stopped);
            self.db.write(stopped).await?;
        }
        let mut failed = None;
        let mut started = Vec::new();
        let numbers = self.containers_of(deployment, project).await?;
        let starts = numbers.iter().map(|one| self.start_again(deployment, project, one));
        for start in join_all(starts).await {
            match start {
                Ok(one) => started.push(one),
                Err(stop) => failed = failed.or(Some(stop)),
            }
        }
        self.note_woken(&deployment.id);
        self.note_used(&deployment.id, self.clock.now());
        // The first that answers is enough for those who wait; the others follow.
        let mut listening: FuturesUnordered<_> = started
            .iter()
            .map(|(number, container)| async move {
                let address = self.listening_address(deployment, container).await?;
                Ok::<_, Stop>((*number, container.clone(), address.to_string()))
            })
            .collect();
        let (number, container, address) = loop {
            match (listening.next().await, failed.take()) {
                (Some(Ok(first)), _) => break first,
                (Some(Err(stop)), before) => failed = before.or(Some(stop)),
                (None, Some(stop)) => return Err(stop),
                (None, None) => return Err(Stop::Canceled),
            }
        };
        drop(listening);
        // A container that was made again from its image is new to the engine.
        let supervised = self.engine.supervise(&container).await;
        supervised.map_err(|error| Stop::engine("starting", &error))?;
        let id = deployment.id.clone();
        let running = move |c: &db::Connection| {
            db::transitions::record_run(c, &id, RunState::Running)?;
            db::replicas::serve(c, &id, number, &container.0, &address)
        };
        self.db.write(running).await?;
        if numbers.len() > 1 {
            self.mend(&deployment.id);
        }
        Ok(())
    }

    /// Starts one of a deployment's containers, or one that takes its place. Whoever calls holds its lock.
    pub(super) async fn start_again(
        &self,
        deployment: &Deployment,
        project: &Project,
        (number, container): &Numbered,
    ) -> Result<Numbered, Stop> {
        let engine_error = |error| Stop::engine("starting", &error);
        let (number, mut container) = (*number, container.clone());
        let mut started = self.engine.start(&container).await;
        // While nothing ran in it somebody has tidied up. To the engine one of the same name is another network.
        if matches!(&started, Err(EngineError::NotFound(what)) if what.starts_with("network ")) {
            self.engine.remove(&container).await.map_err(engine_error)?;
            container = self.container_of(deployment, project, number).await?;
            started = self.engine.start(&container).await;
        }
        started.map_err(engine_error)?;
        self.claim_address(&container).await;
        failpoint::pass("wake.started").await;
        self.capture(&deployment.id, number, &container, false, None, None);
        Ok((number, container))
    }

    /// Lets paused containers go on where they were. `false` when none can: the engine has lost them, or they were
    /// started again behind our back.
    async fn go_on(&self, deployment: &Deployment) -> Result<bool, Stop> {
        let tries = deployment.replicas.iter().map(|replica| async move {
            let container = replica.container.clone().map(ContainerId).filter(|_| replica.serves);
            let address = replica.address.as_ref().and_then(|text| text.parse().ok());
            let (Some(container), Some(address)) = (container, address) else { return Ok(None) };
            let went_on = self.engine.unpause(&container).await;
            let went_on = went_on.map_err(|error| Stop::engine("starting", &error))?;
            let answers = went_on && probe::accepts(address, ACCEPTS).await;
            Ok::<_, Stop>(answers.then_some((replica.number, container)))
        });
        let (mut awake, mut failed) = (Vec::new(), None);
        for tried in join_all(tries).await {
            match tried {
                Ok(found) => awake.extend(found),
                Err(stop) => failed = failed.or(Some(stop)),
            }
        }
        if awake.is_empty() {
            return failed.map_or(Ok(false), Err);
        }
        self.note_woken(&deployment.id);
        self.note_used(&deployment.id, self.clock.now());
        let is_awake = |number| awake.iter().any(|(one, _)| *one == number);
        let numbers = deployment.replicas.iter().map(|replica| replica.number);
        let lost: Vec<u32> = numbers.filter(|number| !is_awake(*number)).collect();
        let (id, missing) = (deployment.id.clone(), !lost.is_empty());
        let running = move |c: &db::Connection| {
            for number in lost {
                db::replicas::out(c, &id, number)?;
            }
            db::transitions::record_run(c, &id, RunState::Running)
        };
        self.db.write(running).await?;
        for (number, container) in &awake {
            self.capture(&deployment.id, *number, container, false, None, None);
        }
        if missing {
            self.mend(&deployment.id);
        }
        Ok(true)
    }

    /// Port an application is told: the one it was found on or, when it was never checked, the one a new one gets.
    pub(super) fn told_port(
        &self,
        project: &Project,
        deployment: &Deployment,
        environment: &[(String, String)],
        exposed: &[u16],
    ) -> u16 {
        let framework = deployment.plan.as_ref().and_then(|plan| plan.port);
        let fresh = || port_of(project, environment, exposed, framework);
        self.known_port(deployment).unwrap_or_else(fresh)
    }

    /// Port the application was found on when it was checked.
    pub(super) fn known_port(&self, deployment: &Deployment) -> Option<u16> {
        let addresses = deployment.replicas.iter().filter_map(|one| one.address.as_ref());
        addresses
            .filter_map(|text| text.parse().ok())
            .map(|address: SocketAddr| address.port())
            .next()
    }

    /// Waits until the application accepts connections where it did before.
    async fn listening_address(
        &self,
        deployment: &Deployment,
        container: &ContainerId,
    ) -> Result<SocketAddr, Stop> {
        let port = self.known_port(deployment).unwrap_or(3000);
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let state = self.engine.inspect(container).await;
            let state = state.map_err(|error| Stop::engine("starting", &error))?;
            let running = state.filter(|state| state.running);
            let Some(running) = running else {
                let message = "The application stopped while it was woken.";
                return Err(Failure::new(FailureCode::StartFailed, "starting", message).into());
            };
            if let Some(ip) = running.address {
                let address = SocketAddr::new(ip, port);
                if probe::accepts(address, Duration::from_secs(1)).await {
                    return Ok(address);
                }
            }
            if tokio::time::Instant::now() >= deadline {
                let message = "The application did not listen in time after it was woken.";
                return Err(Failure::new(FailureCode::PortNotListening, "starting", message).into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
