//! Stage 1: bring the commit into the kept mirror.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::job::Job;
use super::stop::Stop;
use crate::db;
use crate::git::{FetchError, FetchRequest, FetchedCommit};
use crate::model::deployment::Commit;
use crate::model::diagnosis::clone::{self, Problem};
use crate::model::failure::{Failure, FailureCode};
use crate::model::git_url::{GitUrl, pushed_project};
use crate::model::log_line::{LogLevel, LogSource, LogStream, NewLine};
use crate::model::transition::State;

/// Longest fetch.
const TIMEOUT: Duration = Duration::from_secs(600);

impl Job {
    /// Waits until one of the build slots is free; until then the deployment is queued.
    pub(super) async fn build_slot(&self) -> Result<OwnedSemaphorePermit, Stop> {
        let stopping = self.pipeline.tasks.stopping();
        tokio::select! {
            slot = self.pipeline.state.slots.clone().acquire_owned() => {
                slot.map_err(|_| Stop::Interrupted)
            }
            () = self.cancel.cancelled() => Err(Stop::Canceled),
            () = stopping.cancelled() => Err(Stop::Interrupted),
        }
    }

    /// Resolves branch or commit and fetches it.
    pub(super) async fn clone_source(&mut self) -> Result<FetchedCommit, Stop> {
        self.advance(State::Cloning).await?;
        let phase = "cloning";
        let (url, commit) = self.place().await?;
        let (log, clock) = (self.log.clone(), self.pipeline.clock.clone());
        let progress = Arc::new(move |message: String| {
            log.append(NewLine {
                ts: clock.now(),
                source: LogSource::Build,
                stream: LogStream::Stdout,
                level: LogLevel::Info,
                phase: Some(phase.to_owned()),
                message,
            });
        });
        let request = FetchRequest {
            url,
            branch: self.deployment.branch.clone(),
            access: self.access.clone(),
            commit,
            timeout: TIMEOUT,
        };
        let fetch = self.pipeline.fetcher.fetch(request, progress, self.cancel.child_token());
        let fetched = tokio::select! {
            fetched = fetch => fetched,
            () = self.stopping() => return Err(Stop::Interrupted),
        };
        let fetched = fetched.map_err(|error| match error {
            FetchError::Canceled => Stop::Canceled,
            other => Stop::Failed(
                Failure::new(code_of(&other), phase, other.to_string())
                    .explained(clone::failed(problem(&other))),
            ),
        })?;
        self.record_commit(&fetched).await?;
        let short = &fetched.sha[..fetched.sha.len().min(7)];
        self.say(format!("Commit {short} on {}: {}", fetched.branch, fetched.subject));
        Ok(fetched)
    }

    /// Where the commit is to be found, and which one is asked for by its name.
    async fn place(&mut self) -> Result<(GitUrl, Option<String>), Stop> {
        let wanted = self.deployment.wanted_commit.clone();
        let Some(project) = pushed_project(&self.deployment.git_url) else {
            // The policy may have changed since the request was accepted.
            let url = self.pipeline.egress.git_url(&self.deployment.git_url);
            let url = url.map_err(|error| {
                Failure::new(FailureCode::CloneFailed, "cloning", error.message)
                    .explained(clone::failed(Problem::AddressRefused))
            })?;
            self.say(format!("Fetching {}", url.as_str()));
            return Ok((url, wanted));
        };
        self.say("Reading what was pushed here".to_owned());
        let url = GitUrl::pushed(&project);
        if wanted.is_some() {
            return Ok((url, wanted));
        }
        let named = self.deployment.branch.as_deref();
        let tried = named.map_or_else(|| vec!["main", "master"], |branch| vec![branch]);
        for branch in tried {
            let (id, name) = (project.clone(), format!("refs/heads/{branch}"));
            let found = self.pipeline.db.read(move |c| db::pushed_refs::find(c, &id, &name));
            if let Some(commit) = found.await? {
                self.deployment.branch = Some(branch.to_owned());
                return Ok((url, Some(commit)));
            }
        }
        let branch = named.unwrap_or("main").to_owned();
        let error = FetchError::BranchNotFound { branch, default: None };
        let failure = Failure::new(FailureCode::BranchNotFound, "cloning", error.to_string());
        Err(failure.explained(clone::failed(problem(&error))).into())
    }

    async fn record_commit(&mut self, fetched: &FetchedCommit) -> Result<(), Stop> {
        let commit = Commit {
            sha: fetched.sha.clone(),
            message: fetched.subject.clone(),
            author: fetched.author.clone(),
        };
        self.deployment.commit = Some(commit.clone());
        self.deployment.branch = Some(fetched.branch.clone());
        let (id, branch) = (self.deployment.id.clone(), fetched.branch.clone());
        self.pipeline
            .db
            .write(move |c| db::transitions::record_commit(c, &id, &branch, &commit))
            .await?;
        Ok(())
    }

    /// Completes when the process stops.
    pub(super) async fn stopping(&self) {
        self.pipeline.tasks.stopping().cancelled().await;
    }
}

fn code_of(error: &FetchError) -> FailureCode {
    match error.cause() {
        FetchError::BranchNotFound { .. } => FailureCode::BranchNotFound,
        FetchError::CommitNotFound(_) => FailureCode::CommitNotFound,
        FetchError::AuthFailed(_) => FailureCode::AuthFailed,
        FetchError::DiskFull => FailureCode::DiskFull,
        _ => FailureCode::CloneFailed,
    }
}

fn problem(error: &FetchError) -> Problem<'_> {
    match error.cause() {
        FetchError::BranchNotFound { default, .. } => {
            Problem::NoBranch { default: default.as_deref() }
        }
        FetchError::CommitNotFound(_) => Problem::NoCommit,
        FetchError::AuthFailed(_) => Problem::SignIn,
        FetchError::AddressNotAllowed => Problem::AddressRefused,
        FetchError::RedirectRefused => Problem::Redirect,
        FetchError::TooLarge { .. } => Problem::TooLarge,
        FetchError::TimedOut { .. } => Problem::TimedOut,
        FetchError::DiskFull => Problem::Other("no space left on device"),
        FetchError::Failed(text) => Problem::Other(text),
        FetchError::Canceled | FetchError::Submodule { .. } | FetchError::LargeFile { .. } => {
            Problem::Other("")
        }
    }
}
