//! Stage 5: ask the application until it is healthy.

use super::healthy::Subject;
use super::job::Job;
use super::probe::Probe;
use super::start::Started;
use super::stop::Stop;
use crate::db;
use crate::model::deployment::RunState;
use crate::model::transition::State;

const PHASE: &str = "checking";

impl Job {
    /// Waits until the application answers as the policy says, and remembers where it listens.
    pub(super) async fn check(&mut self, started: &Started) -> Result<(), Stop> {
        self.advance(State::Checking).await?;
        let container = &started.container;
        let subject = Subject {
            pipeline: &self.pipeline,
            project: &self.project,
            deployment: &self.deployment,
            redactor: &self.redactor,
            cancel: &self.cancel,
            seen: &self.gathered.looks,
        };
        let (address, probe) = subject.healthy(container, started.port).await?;
        self.failpoint("health.first_ok").await?;
        if let Some(Probe::Answered { status, millis, .. }) = &probe {
            let (path, port) = (&self.project.runtime.healthcheck.path, address.port());
            self.say(format!("GET {path} answered {status} after {millis} ms on port {port}."));
        }
        // Only now: while it is checked, a start that fails must be seen and not be repeated.
        let supervised = self.pipeline.engine.supervise(container).await;
        supervised.map_err(|error| Stop::engine(PHASE, &error))?;
        let (id, container, address) =
            (self.deployment.id.clone(), container.0.clone(), address.to_string());
        self.deployment.address = Some(address.clone());
        self.pipeline
            .db
            .write(move |c| {
                let (container, address) = (Some(container.as_str()), Some(address.as_str()));
                db::transitions::record_run(c, &id, RunState::Running, container, address)
            })
            .await?;
        Ok(())
    }

    /// Removes what a failed or canceled deployment left on the engine and on the disk.
    pub(super) async fn discard(&self) {
        self.pipeline.discard(&self.deployment).await;
    }
}
