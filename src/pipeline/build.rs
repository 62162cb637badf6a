//! Stage 3: what the engine builds from a streamed context.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;
use tokio::sync::mpsc;

use super::build_variables;
use super::job::Job;
use super::stop::Stop;
use crate::builder::image::VARIABLES_ARGUMENT;
use crate::builder::{GENERATED_DOCKERFILE, arguments, cache_mounts};
use crate::db;
use crate::docker::{BuildError, BuildLimits, BuildSpec, BuiltImage};
use crate::git::FetchedCommit;
use crate::git::context::context_stream;
use crate::model::failure::{Failure, FailureCode};
use crate::model::transition::State;

const PHASE: &str = "building";
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
        &self,
        source: &FetchedCommit,
        dockerfile: &str,
        path: Option<&str>,
        files: Option<mpsc::Sender<Bytes>>,
    ) -> Result<Result<Option<BuiltImage>, BuildError>, Stop> {
        let tree = self.root(source).await?;
        // Written under its own name: what was planned is what is built, whatever .dockerignore says.
        let name = path.unwrap_or(GENERATED_DOCKERFILE);
        let spec = self.build_spec(dockerfile, name, path.is_some())?;
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
        let (built, ()) = tokio::select! {
            both = async { tokio::join!(build, self.write_build_log(received)) } => both,
            () = self.stopping() => {
                cancel.cancel();
                return Err(Stop::Interrupted);
            }
        };
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

    fn build_spec(&self, dockerfile: &str, name: &str, own: bool) -> Result<BuildSpec, Stop> {
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
            cache_namespace: format!("orbitra-{}-{}", self.pipeline.instance, self.project.id),
            no_cache: self.deployment.clear_cache,
            timeout: Duration::from_secs(u64::from(self.project.build.timeout_seconds)),
            limits: BuildLimits {
                memory_bytes: self.pipeline.build_memory,
                cpu_millis: Some(self.pipeline.build_cpu_millis),
                pids: Some(PIDS),
            },
        })
    }

    /// What the end of a build means for the deployment.
    pub(super) fn build_stop(&self, error: BuildError) -> Stop {
        let failure = |code, message: String| Stop::Failed(Failure::new(code, PHASE, message));
        match error {
            BuildError::Canceled => Stop::Canceled,
            BuildError::Step { exit_code, message, .. } => Stop::Failed(
                Failure::new(FailureCode::BuildFailed, PHASE, message).with_exit_code(exit_code),
            ),
            BuildError::ImageNotFound(message) => failure(FailureCode::ImageNotFound, message),
            BuildError::Invalid(message) => failure(FailureCode::BuildFailed, message),
            BuildError::OutOfMemory => failure(FailureCode::OutOfMemory, self.out_of_memory()),
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
