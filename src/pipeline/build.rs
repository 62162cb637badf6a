//! Stage 3: what the engine builds from a streamed context.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;
use tokio::sync::mpsc;

use super::build_variables;
use super::job::Job;
use super::stop::Stop;
use crate::builder::image::{VARIABLES_ARGUMENT, own_words};
use crate::builder::remote_files::{self, RemoteHost};
use crate::builder::{GENERATED_DOCKERFILE, arguments, cache_mounts};
use crate::db;
use crate::docker::{BuildError, BuildLimits, BuildSpec, BuiltImage};
use crate::git::FetchedCommit;
use crate::git::context::context_stream;
use crate::model::diagnosis::build::{self as diagnosis, Step};
use crate::model::diagnosis::{Cause, Output};
use crate::model::failure::{Failure, FailureCode};
use crate::model::transition::State;

const PHASE: &str = "building";
/// How often a build is begun whose step was ended because Orbitra came late to it.
const TRIES: u32 = 5;
/// Most processes and threads of one build.
const PIDS: u32 = 4096;

impl Job {
    /// Builds the image and remembers its id.
    pub(super) async fn build(
        &mut self,
        source: &FetchedCommit,
        dockerfile: &str,
        path: Option<&str>,
    ) -> Result<String, Stop> {
        self.advance(State::Building).await?;
        let built = self.run_build(source, dockerfile, path, None).await?;
        let image = built.map_err(|error| self.build_stop(error))?.map(|built| built.id);
        let image = image.unwrap_or_default();
        let (id, stored, now) =
            (self.deployment.id.clone(), image.clone(), self.pipeline.clock.now());
        self.pipeline
            .db
            .write(move |c| db::transitions::record_image(c, &id, &stored, now))
            .await?;
        Ok(image)
    }

    /// Runs the build to its end: an image, or its files as a tar into `files`.
    pub(super) async fn run_build(
        &mut self,
        source: &FetchedCommit,
        dockerfile: &str,
        path: Option<&str>,
        files: Option<mpsc::Sender<Bytes>>,
    ) -> Result<Result<Option<BuiltImage>, BuildError>, Stop> {
        let mut tries = 1;
        loop {
            match self.build_once(source, dockerfile, path, files.clone()).await? {
                Err(BuildError::Unheld(step)) if tries < TRIES => {
                    tries += 1;
                    let step = own_words(&step);
                    self.warn(format!(
                        "{step} ran before its network was closed, because this server is busy. It was ended, and the \
                         build goes on from there."
                    ));
                }
                built => return Ok(built),
            }
        }
    }

    async fn build_once(
        &mut self,
        source: &FetchedCommit,
        dockerfile: &str,
        path: Option<&str>,
        files: Option<mpsc::Sender<Bytes>>,
    ) -> Result<Result<Option<BuiltImage>, BuildError>, Stop> {
        let tree = self.root(source).await?;
        // Written under its own name: what was planned is what is built, whatever .dockerignore says.
        let name = path.unwrap_or(GENERATED_DOCKERFILE);
        self.check_remote_files(dockerfile, name).await?;
        let spec = self.build_spec(dockerfile, name, path.is_some()).await?;
        let written = vec![(name.to_owned(), dockerfile.as_bytes().to_vec())];
        let context = context_stream(tree, source.committed_at, written);
        let (events, received) = mpsc::channel(256);
        let (cancel, engine) = (self.cancel.child_token(), self.pipeline.engine.clone());
        let (stream, canceled) = (context.stream, cancel.clone());
        let build = match files {
            Some(files) => Either::Left(async move {
                engine.build_files(spec, stream, files, events, canceled).await.map(|()| None)
            }),
            None => Either::Right(async move {
                engine.build(spec, stream, events, canceled).await.map(Some)
            }),
        };
        let (built, notes) = tokio::select! {
            both = async { tokio::join!(build, self.write_build_log(received)) } => both,
            () = self.stopping() => {
                cancel.cancel();
                return Err(Stop::Interrupted);
            }
        };
        self.gathered.build = notes;
        self.note_base_images().await;
        let pointers = context.lfs_pointers.load(Ordering::Relaxed);
        if pointers > 0 {
            self.warn(match pointers {
                1 => "A file looks like a Git LFS pointer, and no `.gitattributes` sets `filter=lfs`: it is built as it \
                      is."
                    .to_owned(),
                _ => format!(
                    "{pointers} files look like Git LFS pointers, and no `.gitattributes` sets `filter=lfs`: they are \
                     built as they are."
                ),
            });
        }
        Ok(built)
    }

    /// What the project's cache mounts are kept under: its own name, and a new one since the cache was cleared.
    async fn cache_namespace(&self) -> Result<String, Stop> {
        let deployment = self.deployment.clone();
        let clearing =
            self.pipeline.db.read(move |c| db::deployments::last_clearing(c, &deployment)).await?;
        let since = clearing.map(|id| format!("-{id}")).unwrap_or_default();
        Ok(format!("orbitra-{}-{}{since}", self.pipeline.instance, self.project.id))
    }

    /// Refuses a Dockerfile that lets the engine fetch a file from where this server may not connect to.
    async fn check_remote_files(&self, dockerfile: &str, name: &str) -> Result<(), Stop> {
        let refused = |reason: String| {
            let message = format!("`{name}` {reason}");
            Stop::Failed(Failure::new(FailureCode::BuildFailed, PHASE, message))
        };
        for RemoteHost { host, port } in remote_files::hosts(dockerfile).map_err(refused)? {
            let checked = self.pipeline.egress.check_reachable(&host, port).await;
            checked.map_err(|error| refused(format!("adds a file from {host}: {error}.")))?;
        }
        Ok(())
    }

    async fn build_spec(&self, dockerfile: &str, name: &str, own: bool) -> Result<BuildSpec, Stop> {
        let invalid =
            |message| Stop::Failed(Failure::new(FailureCode::BuildFailed, PHASE, message));
        cache_mounts::check(dockerfile).map_err(|reason| invalid(format!("`{name}` {reason}")))?;
        let secrets = build_variables::secrets(&self.environment).map_err(invalid)?;
        let declared = arguments::declared(dockerfile);
        let mut given = Vec::new();
        if own {
            for (key, _) in self.environment.iter().filter(|(key, _)| declared.contains(key)) {
                self.warn(build_variables::not_an_argument(key));
            }
        } else if declared.contains(VARIABLES_ARGUMENT) {
            let (key, project) = (&self.pipeline.secrets, &self.project.id);
            let digest = build_variables::digest(key, project, &self.environment);
            given.push((VARIABLES_ARGUMENT.to_owned(), digest));
        }
        Ok(BuildSpec {
            owner: self.owner(),
            tag: format!("orbitra/{}:{}", self.project.id, self.deployment.id),
            dockerfile: name.to_owned(),
            arguments: given,
            secrets,
            cache_namespace: self.cache_namespace().await?,
            no_cache: self.deployment.clear_cache,
            timeout: Duration::from_secs(u64::from(self.project.build.timeout_seconds)),
            limits: BuildLimits {
                memory_bytes: self.pipeline.build_memory,
                cpu_millis: Some(self.pipeline.build_cpu_millis),
                pids: Some(PIDS),
            },
            open_networks: self.pipeline.egress.opened_networks().await,
        })
    }

    /// What the end of a build means for the deployment.
    pub(super) fn build_stop(&self, error: BuildError) -> Stop {
        let failure = |code, message: String| Failure::new(code, PHASE, message);
        let lines = &self.gathered.build.failed;
        let output = Output { lines, variables: &self.deployment.environment_keys };
        let failure = match error {
            BuildError::Canceled => return Stop::Canceled,
            BuildError::Step { step, exit_code, message } => {
                let (step, message) = (own_words(&step), own_words(&message));
                let facts = Step { name: &step, exit_code, message: &message, output };
                let diagnosis = diagnosis::step(&facts);
                // Who found no space may have been a program of the step's, and not the engine.
                let code = match diagnosis.cause {
                    Cause::DiskFull => FailureCode::DiskFull,
                    _ => FailureCode::BuildFailed,
                };
                let failure = failure(code, message);
                failure.with_exit_code(exit_code).explained(diagnosis)
            }
            BuildError::Unheld(_) => failure(
                FailureCode::BuildFailed,
                format!(
                    "A step of the build ran before its network was closed, {TRIES} times in a row: this server is too \
                     busy. Deploy again when it is less so."
                ),
            ),
            BuildError::ImageNotFound(message) => {
                let diagnosis = diagnosis::base_image(&message);
                failure(FailureCode::ImageNotFound, message).explained(diagnosis)
            }
            BuildError::Invalid(message) => {
                let diagnosis = diagnosis::invalid(&message);
                failure(FailureCode::BuildFailed, message).explained(diagnosis)
            }
            BuildError::OutOfMemory => {
                let limit = self.pipeline.build_memory.map(|bytes| bytes / 1024 / 1024);
                failure(FailureCode::OutOfMemory, self.out_of_memory())
                    .explained(diagnosis::out_of_memory(limit))
            }
            BuildError::TimedOut(seconds) => failure(
                FailureCode::BuildTimeout,
                format!("The build ran longer than {seconds} seconds."),
            )
            .explained(diagnosis::timed_out(lines.last().map(String::as_str))),
            BuildError::DiskFull => failure(
                FailureCode::DiskFull,
                "No space is left on the server's disk. Free some and deploy again.".to_owned(),
            )
            .explained(crate::model::diagnosis::disk_full()),
            BuildError::Engine(error) => failure(FailureCode::EngineError, error.to_string()),
        };
        Stop::Failed(failure)
    }

    fn out_of_memory(&self) -> String {
        match self.pipeline.build_memory {
            Some(bytes) => format!(
                "The build was killed for memory: its limit is {} MB. Raise ORBITRA_BUILD_MEMORY, or let the build \
                 use less, such as with fewer parallel jobs.",
                bytes / 1024 / 1024
            ),
            None => "The build was killed for memory: the server has no more.".to_owned(),
        }
    }
}
