//! Stage 5: ask the application until it is healthy.

use std::time::Duration;

use super::healthy::Subject;
use super::job::Job;
use super::probe::Probe;
use super::start::{Started, port_of};
use super::stop::Stop;
use crate::db::{self, DbError};
use crate::docker::ContainerId;
use crate::model::deployment::{Phase, Replica, RunState};
use crate::model::receipt::Receipt;
use crate::model::transition::State;

impl Job {
    /// Waits until the application answers as the policy says, and remembers where it listens.
    pub(super) async fn check(&mut self, started: &Started) -> Result<(), Stop> {
        // With what is known by now: whoever goes on with a check that is cut off has no build to learn it from.
        let (id, receipt, now) =
            (self.deployment.id.clone(), self.receipt(), self.pipeline.clock.now());
        let keep = move |c: &db::Connection| db::receipts::put(c, &id, &receipt, &[], now);
        self.pipeline.db.write(keep).await?;
        self.advance(State::Checking).await?;
        self.ask(started, Duration::ZERO).await
    }

    /// Goes on with a check that was cut off, of containers that run. Its time is counted from where it began.
    pub(super) async fn check_on(&mut self) -> Result<(), Stop> {
        self.failpoint("check.resumed").await?;
        if let Some(plan) = &self.deployment.plan {
            self.project.runtime.apply(&plan.repository);
        }
        let id = self.deployment.id.clone();
        let known = self.pipeline.db.read(move |c| -> Result<_, DbError> {
            let began = db::deployment_phases::began(c, &id, Phase::Checking)?;
            Ok((began, db::receipts::kept(c, &id)?))
        });
        let (began, kept) = known.await?;
        if let Some((Receipt { image, base_images, .. }, _)) = kept {
            (self.gathered.image, self.gathered.base_images) = (image, base_images);
        }
        let now = self.pipeline.clock.now();
        let spent = Duration::from_millis(began.map_or(0, |began| now.millis_since(began)));
        self.say("Orbitra was stopped meanwhile. The application is asked on.");
        let started = self.started_before().await?;
        for (number, container) in &started.containers {
            self.pipeline.claim_address(container).await;
            let (log, redactor) = (Some(self.log.clone()), Some(self.redactor.clone()));
            let id = &self.deployment.id;
            self.pipeline.capture(id, *number, container, false, log, redactor);
        }
        self.ask(&started, spent).await
    }

    /// The containers that were started before it was cut off, and the port they were told.
    async fn started_before(&self) -> Result<Started, Stop> {
        let image = self.deployment.image.as_deref().or(self.deployment.image_pin.as_deref());
        let info = match image {
            Some(image) => self.pipeline.engine.image(image).await,
            None => Ok(None),
        };
        let info = info.map_err(|error| Stop::engine(State::Checking.as_str(), &error))?;
        let exposed = info.map(|info| info.exposed_ports).unwrap_or_default();
        let framework = self.deployment.plan.as_ref().and_then(|plan| plan.port);
        let port = port_of(&self.project, &self.environment, &exposed, framework);
        let numbered = |one: &Replica| Some((one.number, ContainerId(one.container.clone()?)));
        let containers = self.deployment.replicas.iter().filter_map(numbered).collect();
        Ok(Started { containers, port })
    }

    async fn ask(&mut self, started: &Started, spent: Duration) -> Result<(), Stop> {
        let subject = Subject {
            pipeline: &self.pipeline,
            project: &self.project,
            deployment: &self.deployment,
            redactor: &self.redactor,
            cancel: &self.cancel,
            seen: &self.gathered.looks,
            spent,
        };
        let (replicas, probes) = subject.all_healthy(&started.containers, started.port).await?;
        self.failpoint("health.first_ok").await?;
        let path = &self.project.runtime.healthcheck.path;
        for (address, probe) in &probes {
            if let Some(Probe::Answered { status, millis, .. }) = probe {
                let port = address.port();
                self.say(format!("GET {path} answered {status} after {millis} ms on port {port}."));
            }
        }
        let (id, found) = (self.deployment.id.clone(), replicas.clone());
        self.deployment.replicas = replicas;
        let running = move |c: &db::Connection| {
            db::replicas::replace(c, &id, &found)?;
            db::transitions::record_run(c, &id, RunState::Running)
        };
        Ok(self.pipeline.db.write(running).await?)
    }

    /// Removes what a failed or canceled deployment left on the engine and on the disk.
    pub(super) async fn discard(&self) {
        self.pipeline.discard(&self.deployment).await;
    }
}
