//! A wish on its way: a deployment is started and checked, then it gets the traffic. Whatever goes
//! wrong before that, what served goes on serving.

use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;

use super::Pipeline;
use super::healthy::Subject;
use super::held::{self, Held};
use super::receipt::Seen;
use super::replicas::{self, Numbered, numbered};
use super::start::port_of;
use super::stop::Stop;
use crate::db::deployment_env::Snapshot;
use crate::db::{self, DbError};
use crate::docker::ContainerId;
use crate::logs::Redactor;
use crate::model::deployment::{Deployment, Phase, Replica, RunState};
use crate::model::failure::{Failure, FailureCode};
use crate::model::project::Project;
use crate::model::release::{Release, ReleaseKind};
use crate::model::transition::State;

/// How often a wish is begun before it counts as what takes Orbitra down.
const ATTEMPTS: u32 = 3;

/// A release under way.
pub(super) struct Run {
    pub pipeline: Pipeline,
    pub release: Release,
    pub deployment: Deployment,
    pub project: Project,
    pub environment: Vec<(String, String)>,
    /// Of a restart: what the deployment gets from its project with the new container.
    pub drawn: Option<Snapshot>,
    pub(super) redactor: Redactor,
    pub(super) cancel: CancellationToken,
    /// Requests wait for this one.
    pub held: Option<Held>,
}

impl Run {
    pub(super) async fn way(&mut self) -> Result<(), Stop> {
        if self.release.attempts > ATTEMPTS {
            let message = "Orbitra stopped in the middle of this several times.";
            return Err(Failure::new(FailureCode::EngineError, "starting", message).into());
        }
        match (self.release.kind, self.deployment.run_state) {
            (ReleaseKind::Restart, RunState::Files) => self.drop_wish().await,
            (ReleaseKind::Restart, _) => {
                if self.deployment.alone {
                    self.hold().await?;
                }
                let (containers, port) = self.start_beside().await?;
                let replicas = self.check(&containers, port).await?;
                self.enter(Phase::Switching).await?;
                self.replace(replicas).await
            }
            (_, RunState::Files) => {
                self.files_are_there().await?;
                self.enter(Phase::Switching).await?;
                self.switch(None).await
            }
            _ if self.release.is_beside() => {
                self.hold_if_needed().await?;
                let (containers, port) = self.start_beside().await?;
                let replicas = self.check(&containers, port).await?;
                self.enter(Phase::Switching).await?;
                self.switch(Some(replicas)).await
            }
            _ => {
                self.hold_if_needed().await?;
                if self.held.is_some() {
                    let (containers, port) = self.start_alone().await?;
                    let replicas = self.check(&containers, port).await?;
                    self.enter(Phase::Switching).await?;
                    return self.switch(Some(replicas)).await;
                }
                let containers = self.awake().await?;
                let port = self.pipeline.known_port(&self.deployment).unwrap_or(3000);
                let replicas = self.check(&containers, port).await?;
                self.all_serve(replicas).await?;
                self.enter(Phase::Switching).await?;
                self.switch(None).await
            }
        }
    }

    /// Stops what has the traffic when the two may not run side by side; its requests wait.
    async fn hold_if_needed(&mut self) -> Result<(), Stop> {
        let project = self.project.id.clone();
        let live = self.pipeline.db.read(move |c| db::deployments::live(c, &project)).await?;
        if held::is_exclusive(live.as_ref(), &self.deployment) {
            self.hold().await?;
        }
        Ok(())
    }

    async fn hold(&mut self) -> Result<(), Stop> {
        let (id, cancel) = (&self.deployment.id, &self.cancel);
        self.held = self.pipeline.hold(&self.project, id, cancel).await?;
        Ok(())
    }

    async fn enter(&mut self, phase: Phase) -> Result<(), Stop> {
        let release = self.release.clone();
        let entered = self.pipeline.db.write(move |c| db::releases::enter(c, &release, phase));
        match entered.await {
            Ok(()) => {}
            Err(DbError::Stale) => return Err(Stop::Canceled),
            Err(error) => return Err(error.into()),
        }
        self.pipeline.announce(&self.project, &self.deployment.id);
        Ok(())
    }

    async fn drop_wish(&self) -> Result<(), Stop> {
        let seq = self.release.seq;
        Ok(self.pipeline.db.write(move |c| db::releases::take(c, seq)).await?)
    }

    async fn files_are_there(&self) -> Result<(), Stop> {
        let site = self.pipeline.site_of(&self.deployment.id);
        let there = tokio::fs::metadata(site).await.is_ok_and(|found| found.is_dir());
        if there {
            return Ok(());
        }
        let message = "The files of this deployment are gone. Deploy it again.";
        Err(Failure::new(FailureCode::ImageNotFound, "starting", message).into())
    }

    /// The deployment's own containers, started if they sleep or have ended.
    async fn awake(&mut self) -> Result<Vec<Numbered>, Stop> {
        let id = self.deployment.id.clone();
        let pipeline = self.pipeline.clone();
        let lock = pipeline.lock_of(&id);
        let _turn = lock.lock().await;
        self.read_again().await?;
        if !matches!(self.deployment.state, State::Ready | State::Crashed) {
            return Err(Stop::Canceled);
        }
        if self.deployment.run_state != RunState::Running {
            pipeline.bring_up(&self.deployment, &self.project).await?;
            self.read_again().await?;
        }
        let mut containers = pipeline.containers_of(&self.deployment, &self.project).await?;
        let serves =
            |number| self.deployment.replicas.iter().any(|one| one.number == number && one.serves);
        for one in containers.iter_mut().filter(|one| !serves(one.0)) {
            *one = pipeline.start_again(&self.deployment, &self.project, one).await?;
        }
        Ok(containers)
    }

    async fn read_again(&mut self) -> Result<(), Stop> {
        let id = self.deployment.id.clone();
        let found = self.pipeline.db.read(move |c| db::deployments::find_any(c, &id)).await?;
        self.deployment = found.ok_or(Stop::Canceled)?;
        Ok(())
    }

    /// Lets requests go to all of them, also to those that were not awake until now.
    async fn all_serve(&self, replicas: Vec<Replica>) -> Result<(), Stop> {
        let id = self.deployment.id.clone();
        let written = self.pipeline.db.write(move |c| -> Result<(), DbError> {
            for replica in replicas {
                if let (Some(container), Some(address)) = (&replica.container, &replica.address) {
                    db::replicas::serve_again(c, &id, replica.number, container, address)?;
                }
            }
            Ok(())
        });
        Ok(written.await?)
    }

    /// The deployment's own containers, started while nothing else of its project runs. Until the switch the database
    /// calls it stopped, so that a crash leaves nothing behind that serves.
    async fn start_alone(&mut self) -> Result<(Vec<Numbered>, u16), Stop> {
        let failed = |error| Stop::engine("starting", &error);
        let (pipeline, id) = (self.pipeline.clone(), self.deployment.id.clone());
        let lock = pipeline.lock_of(&id);
        let _turn = lock.lock().await;
        let containers = pipeline.containers_of(&self.deployment, &self.project).await?;
        let row = id.clone();
        let stopped =
            move |c: &db::Connection| db::transitions::record_run(c, &row, RunState::Stopped);
        pipeline.db.write(stopped).await?;
        for (number, container) in &containers {
            pipeline.engine.start(container).await.map_err(failed)?;
            let redactor = Some(self.redactor.clone());
            pipeline.capture(&id, *number, container, false, None, redactor);
        }
        let (project, deployment) = (&self.project, &self.deployment);
        Ok((containers, pipeline.told_port(project, deployment, &self.environment, &[])))
    }

    /// Name of the first of the new containers of a restart: known before it is made.
    fn name_beside(&self) -> String {
        format!("orbitra-{}-{}", self.deployment.id, self.release.seq)
    }

    async fn start_beside(&mut self) -> Result<(Vec<Numbered>, u16), Stop> {
        let failed = |error| Stop::engine("starting", &error);
        let gone = || {
            let message = "The image of this deployment is gone. Deploy it again.";
            Stop::Failed(Failure::new(FailureCode::ImageNotFound, "starting", message))
        };
        let (engine, pipeline) = (self.pipeline.engine.clone(), self.pipeline.clone());
        let image = self.deployment.image.clone().ok_or_else(gone)?;
        let info = engine.image(&image).await.map_err(failed)?.ok_or_else(gone)?;
        let network = pipeline.network_of(&self.project, &self.deployment).await?;
        let port = port_of(
            &self.project,
            &self.environment,
            &info.exposed_ports,
            self.deployment.plan.as_ref().and_then(|plan| plan.port),
        );
        let environment = self.environment.clone();
        let mut spec = pipeline.container_spec(
            &self.project,
            &self.deployment,
            &image,
            network,
            environment,
            port,
        );
        spec.name = self.name_beside();
        let mut containers = Vec::new();
        for number in 1..=self.project.runtime.replicas() {
            let container =
                engine.create(replicas::spec_of(&spec, number)).await.map_err(failed)?;
            containers.push((number, container));
        }
        let starts = containers.iter().map(|(number, container)| async {
            engine.start(container).await.map_err(failed)?;
            pipeline.claim_address(container).await;
            let redactor = Some(self.redactor.clone());
            pipeline.capture(&self.deployment.id, *number, container, true, None, redactor);
            Ok::<_, Stop>(())
        });
        try_join_all(starts).await?;
        Ok((containers, port))
    }

    async fn check(&mut self, containers: &[Numbered], told: u16) -> Result<Vec<Replica>, Stop> {
        self.enter(Phase::Checking).await?;
        let subject = Subject {
            pipeline: &self.pipeline,
            project: &self.project,
            deployment: &self.deployment,
            redactor: &self.redactor,
            cancel: &self.cancel,
            seen: &Seen::default(),
            spent: std::time::Duration::ZERO,
        };
        Ok(subject.all_healthy(containers, told).await?.0)
    }

    /// Writes the failure down; what was begun is taken back.
    pub(super) async fn fail(&mut self, mut failure: Failure) -> Result<(), DbError> {
        failure.each_text(|text| self.redactor.mask(text));
        let (seq, id) = (self.release.seq, self.deployment.id.clone());
        let now = self.pipeline.clock.now();
        let written = self.pipeline.db.write(move |c| -> Result<(), DbError> {
            db::releases::take(c, seq)?;
            let current = db::deployments::find_any(c, &id)?.ok_or(DbError::Stale)?;
            if failure.code == FailureCode::ImageNotFound && !current.is_live {
                db::transitions::remove(c, &id, current.state, now)?;
            }
            db::transitions::record_failure(c, &id, Some(&failure))
        });
        let written = match written.await {
            Err(DbError::Stale) => Ok(()),
            other => other,
        };
        self.take_back().await;
        written
    }

    /// Somebody wants something else: what was begun is taken back.
    pub(super) async fn give_way(&mut self) -> Result<(), DbError> {
        let (seq, later) = (self.release.seq, self.cancel.is_cancelled());
        let written = self.pipeline.db.write(move |c| {
            // A restart that made room for a switch comes after it; all else is over.
            if later { db::releases::give_way(c, seq) } else { db::releases::take(c, seq) }
        });
        let written = match written.await {
            Err(DbError::Stale) => Ok(()),
            other => other,
        };
        self.take_back().await;
        written
    }

    async fn take_back(&mut self) {
        self.clear().await;
        if let Some(held) = self.held.take() {
            self.pipeline.unhold(held).await;
        }
    }

    async fn clear(&self) {
        if self.release.is_beside() {
            for number in 1..=self.project.runtime.replicas() {
                let container = ContainerId(numbered(&self.name_beside(), number));
                if let Err(error) = self.pipeline.engine.remove(&container).await {
                    tracing::warn!(release = self.release.seq, %error, "a container could not be removed");
                }
            }
            return;
        }
        let id = &self.deployment.id;
        if self.held.is_some() {
            return self.pipeline.settle(id).await;
        }
        self.pipeline.forget_woken(id);
        if self.deployment.live_at.is_some() {
            self.pipeline.retire(id).await;
            self.pipeline.settle(id).await;
        }
    }
}
