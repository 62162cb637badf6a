//! The way of one deployment, on one screen.

use tokio_util::sync::CancellationToken;

use super::Pipeline;
use super::deadline::{self, within};
use super::job::Job;
use super::stop::Stop;
use crate::db;
use crate::logs::LogName;
use crate::model::build_plan::{BuildPlan, Output};
use crate::model::deployment::{CancelReason, Deployment};
use crate::model::event::{self, Event};
use crate::model::failure::Failure;
use crate::model::log_line::{LogLevel, LogSource};
use crate::model::project::Project;
use crate::model::receipt::Receipt;
use crate::model::transition::State;

/// From the queue to production traffic, or from a check that was cut off. Each stage first says in the database that it
/// begins, and has a deadline.
async fn run(job: &mut Job) -> Result<(), Stop> {
    if job.state == State::Checking {
        let limit = deadline::of(State::Checking, &job.project);
        within(limit, State::Checking, job.check_on()).await?;
        let plan = job.deployment.plan.clone();
        return job.switch(plan.as_ref()).await;
    }
    job.failpoint("queued").await?;
    let slot = job.build_slot().await?;
    job.admit().await?;
    let project = job.project.clone();
    let limit = |stage| deadline::of(stage, &project);
    if let Some(reference) = job.deployment.image_reference.clone() {
        let pulling = job.pull_image(&reference);
        let image = within(limit(State::Building), State::Building, pulling).await?;
        job.failpoint("build.done").await?;
        drop(slot);
        job.serve(&image, None).await?;
        return job.switch(None).await;
    }
    let source = within(limit(State::Cloning), State::Cloning, job.source()).await?;
    job.failpoint("clone.done").await?;
    let (cancel, stopping) = (job.cancel.clone(), job.pipeline.tasks.stopping());
    let detecting = within(limit(State::Detecting), State::Detecting, job.detect(&source));
    // Detection only reads: it may end by itself when nobody waits for it any more.
    let plan = tokio::select! {
        plan = detecting => plan?,
        () = cancel.cancelled() => return Err(Stop::Canceled),
        () = stopping.cancelled() => return Err(Stop::Interrupted),
    };
    let limit = limit(State::Building);
    match &plan.output {
        Output::Static { directory } => {
            let publishing = job.publish_files(&source, directory);
            within(limit, State::Building, publishing).await?;
            job.failpoint("build.done").await?;
            drop(slot);
        }
        Output::Container { dockerfile, path } => {
            let building = job.build(&source, dockerfile, path.as_deref());
            let image = within(limit, State::Building, building).await?;
            job.failpoint("build.done").await?;
            drop(slot);
            job.serve(&image, Some(&plan)).await?;
        }
        Output::StaticBuild { dockerfile, .. } => {
            let publishing = job.publish_build(&source, dockerfile);
            within(limit, State::Building, publishing).await?;
            job.failpoint("build.done").await?;
            drop(slot);
        }
    }
    job.switch(Some(&plan)).await
}

impl Job {
    /// Starts an image and waits until it is healthy. One that may not run beside another and gets no visitors is made
    /// and not started.
    async fn serve(&mut self, image: &str, plan: Option<&BuildPlan>) -> Result<(), Stop> {
        let limit = deadline::of(State::Starting, &self.project);
        let started = within(limit, State::Starting, self.start(image, plan)).await?;
        let Some(started) = started else { return Ok(()) };
        let limit = deadline::of(State::Checking, &self.project);
        within(limit, State::Checking, self.check(&started)).await
    }
}

impl Pipeline {
    /// Runs a deployment and writes down how it ended. Answers whether that is written, so that it is not to be
    /// begun again at once.
    pub(super) async fn deploy(
        &self,
        deployment: Deployment,
        project: Project,
        cancel: CancellationToken,
    ) -> bool {
        let id = deployment.id.clone();
        let (row, owner) = (deployment.clone(), project.clone());
        let mut job = match Job::open(self, deployment, project, cancel).await {
            Ok(job) => job,
            Err(Stop::Failed(failure)) => {
                let receipt = self.receipt_of(&row, &owner);
                let written = self.fail(&row, &owner, row.state, failure, receipt).await;
                if let Err(error) = &written {
                    tracing::error!(deployment = %id, %error, "the failure could not be written down");
                }
                self.ended(&row, &owner).await;
                return written.is_ok();
            }
            Err(stop) => {
                tracing::error!(deployment = %id, ?stop, "the deployment could not begin");
                return false;
            }
        };
        let ended = match run(&mut job).await {
            Ok(()) => Ok(()),
            Err(Stop::Failed(failure)) => job.fail(failure).await,
            Err(Stop::Canceled) => job.canceled().await,
            Err(Stop::Interrupted) => {
                job.warn("Orbitra is stopping. The deployment goes on when it is back.");
                return true;
            }
            Err(Stop::Lost(error)) => Err(error),
        };
        if let Some(held) = job.held.take().filter(|_| job.state != State::Ready) {
            self.unhold(held).await;
        }
        if let Err(error) = ended {
            // Nothing is written any more; the next round looks at the row again.
            tracing::error!(deployment = %id, %error, "the deployment was lost");
            return false;
        }
        self.ended(&row, &owner).await;
        true
    }

    /// Closes the log and tells everybody who watches.
    pub(super) async fn ended(&self, deployment: &Deployment, project: &Project) {
        let id = &deployment.id;
        if let Err(error) = self.logs.finish(LogName::Build(id.clone())).await {
            tracing::error!(deployment = %id, %error, "the log could not be finished");
        }
        // First the routes: whoever is told looks at once.
        self.publish().await;
        self.announce(project, id);
        // Another one may be more than its project keeps.
        self.sweep.wake();
    }
}

impl Job {
    /// Writes down a failure; what was begun is removed, what served before goes on.
    async fn fail(&self, mut failure: Failure) -> Result<(), db::DbError> {
        failure.each_text(|text| self.redactor.mask(text));
        self.line(LogLevel::Error, LogSource::System, failure.message.clone());
        self.discard().await;
        let receipt = self.receipt();
        self.pipeline.fail(&self.deployment, &self.project, self.state, failure, receipt).await
    }

    /// Writes down that it was canceled.
    async fn canceled(&self) -> Result<(), db::DbError> {
        self.warn("The deployment was canceled.");
        self.discard().await;
        self.pipeline.cancel(&self.deployment, &self.project, self.state).await
    }
}

impl Pipeline {
    /// Ends a deployment as failed and says so in the event log.
    pub(super) async fn fail(
        &self,
        deployment: &Deployment,
        project: &Project,
        state: State,
        failure: Failure,
        receipt: Receipt,
    ) -> Result<(), db::DbError> {
        let (deployment, project) = (deployment.clone(), project.clone());
        let (now, url) = (self.clock.now(), self.hosts.url_of(&deployment.hostname));
        self.db
            .write(move |c| {
                db::transitions::fail(c, &deployment.id, state, &failure, now)?;
                db::receipts::put(c, &deployment.id, &receipt, &failure.output, now)?;
                let mut data = event::deployment(&deployment, "failed", &url);
                data["duration_ms"] = now.millis_since(deployment.created_at).into();
                let (code, phase, message) = (failure.code, failure.phase, failure.message);
                data["error"] = event::failure(code, &phase, &message);
                let random = crate::crypto::random::bytes();
                let event = Event::of_project(random, "deployment.failed", &project, data, now);
                db::events::append(c, &event)
            })
            .await
    }

    /// Ends a deployment as canceled, with the reason somebody gave.
    pub(super) async fn cancel(
        &self,
        deployment: &Deployment,
        project: &Project,
        state: State,
    ) -> Result<(), db::DbError> {
        let (deployment, project) = (deployment.clone(), project.clone());
        let (now, url) = (self.clock.now(), self.hosts.url_of(&deployment.hostname));
        self.db
            .write(move |c| {
                let reason = db::transitions::requested_cancel(c, &deployment.id)?;
                let reason = reason.unwrap_or(CancelReason::User);
                db::transitions::cancel(c, &deployment.id, state, reason, now)?;
                let mut data = event::deployment(&deployment, "canceled", &url);
                data["cancel_reason"] = reason.as_str().into();
                let random = crate::crypto::random::bytes();
                let event = Event::of_project(random, "deployment.canceled", &project, data, now);
                db::events::append(c, &event)
            })
            .await
    }
}
