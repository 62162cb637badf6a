//! Stage 5: ask the application until it is healthy.

use super::healthy::Subject;
use super::job::Job;
use super::probe::Probe;
use super::start::Started;
use super::stop::Stop;
use crate::db;
use crate::model::deployment::RunState;
use crate::model::transition::State;

impl Job {
    /// Waits until the application answers as the policy says, and remembers where it listens.
    pub(super) async fn check(&mut self, started: &Started) -> Result<(), Stop> {
        self.advance(State::Checking).await?;
        let subject = Subject {
            pipeline: &self.pipeline,
            project: &self.project,
            deployment: &self.deployment,
            redactor: &self.redactor,
            cancel: &self.cancel,
            seen: &self.gathered.looks,
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
