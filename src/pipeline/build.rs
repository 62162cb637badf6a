//! Stage 3: the image, built by the engine from a streamed context.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;

use super::job::Job;
use super::stop::Stop;
use crate::builder::GENERATED_DOCKERFILE;
use crate::db;
use crate::docker::{BuildError, BuildEvent, BuildSpec};
use crate::git::FetchedCommit;
use crate::git::context::context_stream;
use crate::logs::LineAssembler;
use crate::model::failure::{Failure, FailureCode};
use crate::model::log_line::{LogLevel, LogSource, LogStream, NewLine};
use crate::model::transition::State;

const PHASE: &str = "building";

impl Job {
    /// Builds the image and remembers its id.
    pub(super) async fn build(
        &mut self,
        source: &FetchedCommit,
        dockerfile: &str,
        path: Option<&str>,
    ) -> Result<String, Stop> {
        self.advance(State::Building).await?;
        let tree = self.root(source).await?;
        // Written under its own name: what was planned is what is built, whatever .dockerignore says.
        let name = path.unwrap_or(GENERATED_DOCKERFILE);
        let context = context_stream(tree, vec![(name.to_owned(), dockerfile.as_bytes().to_vec())]);
        let spec = BuildSpec {
            owner: self.owner(),
            tag: format!("orbitra/{}:{}", self.project.id, self.deployment.id),
            dockerfile: name.to_owned(),
            arguments: Vec::new(),
            secrets: Vec::new(),
            no_cache: self.deployment.clear_cache,
            timeout: Duration::from_secs(u64::from(self.project.build.timeout_seconds)),
            memory_bytes: self.pipeline.build_memory,
        };
        let (events, received) = mpsc::channel(256);
        let cancel = self.cancel.child_token();
        let engine = self.pipeline.engine.clone();
        let build = engine.build(spec, context.stream, events, cancel.clone());
        let (built, ()) = tokio::select! {
            both = async { tokio::join!(build, self.write_build_log(received)) } => both,
            () = self.stopping() => {
                cancel.cancel();
                return Err(Stop::Interrupted);
            }
        };
        let image = built.map_err(|error| self.build_stop(error))?.id;
        let pointers = context.lfs_pointers.load(std::sync::atomic::Ordering::Relaxed);
        if pointers > 0 {
            self.warn(format!(
                "{pointers} files are Git LFS pointers; their content is not fetched yet."
            ));
        }
        let (id, stored, now) =
            (self.deployment.id.clone(), image.clone(), self.pipeline.clock.now());
        self.pipeline
            .db
            .write(move |c| db::transitions::record_image(c, &id, &stored, now))
            .await?;
        Ok(image)
    }

    fn build_stop(&self, error: BuildError) -> Stop {
        let failure = |code, message: String| Stop::Failed(Failure::new(code, PHASE, message));
        match error {
            BuildError::Canceled => Stop::Canceled,
            BuildError::Step { exit_code, message, .. } => Stop::Failed(
                Failure::new(FailureCode::BuildFailed, PHASE, message).with_exit_code(exit_code),
            ),
            BuildError::ImageNotFound(message) => failure(FailureCode::ImageNotFound, message),
            BuildError::Invalid(message) => failure(FailureCode::BuildFailed, message),
            BuildError::OutOfMemory => {
                failure(FailureCode::OutOfMemory, "The build ran out of memory.".to_owned())
            }
            BuildError::TimedOut(seconds) => failure(
                FailureCode::BuildTimeout,
                format!("The build ran longer than {seconds} seconds."),
            ),
            BuildError::DiskFull => failure(
                FailureCode::DiskFull,
                "No space is left on the server's disk. Free some and deploy again.".to_owned(),
            ),
            BuildError::Engine(error) => failure(FailureCode::EngineError, error.to_string()),
        }
    }

    /// Turns what the engine reports into lines, with the duration of every step.
    async fn write_build_log(&self, mut events: mpsc::Receiver<BuildEvent>) {
        let mut open: HashMap<(String, bool), LineAssembler> = HashMap::new();
        while let Some(event) = events.recv().await {
            match event {
                BuildEvent::StepStarted { name, .. } if housekeeping(&name) => {}
                BuildEvent::StepStarted { name, .. } => self.say(name),
                BuildEvent::Output { step, stderr, bytes } => {
                    let lines = open.entry((step, stderr)).or_default().push(&bytes);
                    lines.into_iter().for_each(|line| self.build_line(stderr, line));
                }
                BuildEvent::StepFinished { step, name, duration, cached, error } => {
                    for stderr in [false, true] {
                        let rest =
                            open.remove(&(step.clone(), stderr)).and_then(|mut a| a.finish());
                        rest.into_iter().for_each(|line| self.build_line(stderr, line));
                    }
                    match error {
                        Some(error) => {
                            self.line(
                                LogLevel::Error,
                                LogSource::Build,
                                format!("{name}: {error}"),
                            );
                        }
                        None if housekeeping(&name) => {}
                        None if cached => self.say(format!("{name} CACHED")),
                        None => self.say(format!("{name} done in {:.1} s", duration.as_secs_f64())),
                    }
                }
                BuildEvent::Note { message } => self.say(message),
            }
        }
    }

    fn build_line(&self, stderr: bool, message: String) {
        self.log.append(NewLine {
            ts: self.pipeline.clock.now(),
            source: LogSource::Build,
            stream: if stderr { LogStream::Stderr } else { LogStream::Stdout },
            level: LogLevel::Info,
            phase: Some(PHASE.to_owned()),
            message,
        });
    }
}

/// Steps of the engine's own, which tell a user nothing as long as they succeed.
fn housekeeping(step: &str) -> bool {
    step.starts_with("[internal]") || step.starts_with("copy /context") || step.contains("] FROM ")
}
