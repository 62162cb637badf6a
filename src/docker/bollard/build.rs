//! Running a build.

use std::hash::{Hash, Hasher};
use std::io;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bollard::models::{BuildInfo, BuildInfoAux};
use bollard::query_parameters::{BuildImageOptions, ImageBuildOutput};
use bollard::{BollardRequest, body_try_stream};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::endpoint::Endpoint;
use super::progress::Progress;
use super::session::{Export, Session};
use super::{Bollard, CALL, errors};
use crate::docker::build_failure::{self, Failure, MemoryKill};
use crate::docker::build_guard::{self, BuildGuard, Hold};
use crate::docker::{
    BuildError, BuildEvent, BuildEvents, BuildSpec, BuiltImage, ContainerEngine, EngineError,
};

/// Arguments that would let a build bring its own frontend, a program that runs beside BuildKit's own.
const REFUSED_ARGUMENT: &str = "BUILDKIT_SYNTAX";

/// Argument that BuildKit itself puts before the name of every cache mount, whatever the Dockerfile calls it.
const NAMESPACE_ARGUMENT: &str = "BUILDKIT_CACHE_MOUNT_NS";

/// Builds an image.
pub async fn image(
    engine: &Bollard,
    spec: BuildSpec,
    context: BoxStream<'static, io::Result<Bytes>>,
    events: BuildEvents,
    cancel: CancellationToken,
) -> Result<BuiltImage, BuildError> {
    let image = run(engine, spec, context, None, events, cancel).await?;
    image.ok_or_else(|| EngineError::Refused("the build ended without an image".to_owned()).into())
}

/// Builds a file system and hands it out as a tar.
pub async fn files(
    engine: &Bollard,
    spec: BuildSpec,
    context: BoxStream<'static, io::Result<Bytes>>,
    files: mpsc::Sender<Bytes>,
    events: BuildEvents,
    cancel: CancellationToken,
) -> Result<(), BuildError> {
    let export = Export::new(files);
    run(engine, spec, context, Some(export.clone()), events, cancel).await?;
    if export.is_complete() {
        Ok(())
    } else {
        Err(EngineError::Refused("the build ended without its files".to_owned()).into())
    }
}

/// Runs a build. Whatever ends it early drops the request, and BuildKit kills the running steps
/// when its request is gone.
async fn run(
    engine: &Bollard,
    spec: BuildSpec,
    context: BoxStream<'static, io::Result<Bytes>>,
    export: Option<Export>,
    events: BuildEvents,
    cancel: CancellationToken,
) -> Result<Option<BuiltImage>, BuildError> {
    if spec.arguments.iter().any(|(name, _)| name == REFUSED_ARGUMENT) {
        return Err(BuildError::Invalid(format!(
            "the build argument {REFUSED_ARGUMENT} is not allowed"
        )));
    }
    let timeout = spec.timeout;
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(BuildError::Canceled),
        () = tokio::time::sleep(timeout) => Err(BuildError::TimedOut(timeout.as_secs())),
        result = build(engine, spec, context, export, events) => result,
    }
}

async fn build(
    engine: &Bollard,
    spec: BuildSpec,
    context: BoxStream<'static, io::Result<Bytes>>,
    export: Option<Export>,
    events: BuildEvents,
) -> Result<Option<BuiltImage>, BuildError> {
    let session_id = session_id(&engine.instance);
    let output = export.as_ref().map(|_| ImageBuildOutput::Tar(String::new()));
    let opening = Session::open(&engine.endpoint, &session_id, spec.secrets.clone(), export);
    let _session = match tokio::time::timeout(CALL, opening).await {
        Ok(session) => session?,
        Err(_) => return Err(EngineError::TimedOut("build session").into()),
    };
    let kills_before = build_failure::memory_kills();
    let marker = marker();
    let mut limits = Limits::begin(engine, marker, &spec, &events).await;

    let client = engine.client()?.with_request_modifier(with_buildkit);
    let options = BuildImageOptions { outputs: output, ..options(spec, session_id, marker) };
    let mut answers = pin!(client.build_image(options, None, Some(body_try_stream(context))));
    let mut progress = Progress::default();
    let mut image = None;
    while let Some(answer) = answers.next().await {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let mut error = failure(&progress, error, limits.memory_kill(kills_before));
                limits.explain(&mut error);
                return Err(error);
            }
        };
        for event in read(answer, &mut progress, &mut image) {
            limits.note(&event, &events).await;
            // Nobody listens any more: the build goes on, its result still counts.
            events.send(event).await.ok();
        }
    }
    Ok(image)
}

fn read(
    answer: BuildInfo,
    progress: &mut Progress,
    image: &mut Option<BuiltImage>,
) -> Vec<BuildEvent> {
    match answer.aux {
        Some(BuildInfoAux::BuildKit(report)) => return progress.events(report),
        Some(BuildInfoAux::Default(built)) => {
            if let Some(id) = built.id {
                *image = Some(BuiltImage { id });
            }
        }
        None => {}
    }
    let message = answer.stream.or(answer.status);
    message
        .map(|text| text.trim_end().to_owned())
        .filter(|message| !message.is_empty())
        .map(|message| BuildEvent::Note { message })
        .into_iter()
        .collect()
}

fn failure(progress: &Progress, error: bollard::errors::Error, killed: MemoryKill) -> BuildError {
    match errors::engine(error) {
        // BuildKit's own refusals and results come as text.
        EngineError::Refused(text) | EngineError::NotFound(text) => {
            build_failure::classify(Failure {
                step: progress.failed(),
                text: &text,
                memory_kill: killed,
            })
        }
        error => error.into(),
    }
}

/// The argument that every step gets without asking for it, and that is no part of what the cache is looked up by: hosts
/// that are asked without a proxy. A step that hides the engine's hosts file is told apart by it.
const UNPROXIED: &str = "NO_PROXY";

fn options(spec: BuildSpec, session: String, marker: Ipv4Addr) -> BuildImageOptions {
    let namespace = (NAMESPACE_ARGUMENT.to_owned(), spec.cache_namespace);
    let (unproxied, rest): (Vec<_>, Vec<_>) =
        spec.arguments.into_iter().partition(|(key, _)| key.eq_ignore_ascii_case(UNPROXIED));
    let unproxied = unproxied.into_iter().map(|(_, hosts)| hosts).chain([marker.to_string()]);
    let unproxied = (UNPROXIED.to_owned(), unproxied.collect::<Vec<_>>().join(","));
    let arguments = rest.into_iter().chain([namespace, unproxied]);
    BuildImageOptions {
        dockerfile: spec.dockerfile,
        t: Some(spec.tag),
        nocache: spec.no_cache,
        buildargs: Some(arguments.collect()),
        labels: Some(spec.owner.labels()),
        extrahosts: Some(format!("{}:{marker}", build_guard::HOST)),
        session: Some(session),
        ..BuildImageOptions::default()
    }
}

/// What holds a build, and what was said about it.
struct Limits {
    guard: Option<BuildGuard>,
    pids: Option<u32>,
    /// Whether it is still to be said that nothing holds the build.
    silent: bool,
}

/// What is said of a build that nothing holds.
const UNHELD: &str = "The build has no limits of CPU and memory and may reach private networks";
/// A step that ran for this long was to be seen.
const SEEN: Duration = Duration::from_secs(1);

impl Limits {
    /// Begins to hold the steps that carry `marker`; says so when that is not possible.
    async fn begin(
        engine: &Bollard,
        marker: Ipv4Addr,
        spec: &BuildSpec,
        events: &BuildEvents,
    ) -> Self {
        let pids = spec.limits.pids;
        let guard = match engine.endpoint {
            Endpoint::Unix(_) => {
                let (limits, open) = (spec.limits, spec.open_networks.clone());
                let storage = engine.storage().await;
                BuildGuard::begin(&engine.instance, next(), Hold { marker, limits, open, storage })
                    .map_err(|error| {
                        format!("control groups cannot be made here ({})", error.kind())
                    })
            }
            Endpoint::Tcp(_) => Err("the engine is on another machine".to_owned()),
        };
        match guard {
            Ok(guard) => Self { guard: Some(guard), pids, silent: true },
            Err(reason) => {
                let message = format!("{UNHELD}: {reason}.");
                events.send(BuildEvent::Note { message }).await.ok();
                Self { guard: None, pids, silent: false }
            }
        }
    }

    /// Says once that steps run outside the limits.
    async fn note(&mut self, event: &BuildEvent, events: &BuildEvents) {
        let BuildEvent::StepFinished { name, duration, cached: false, .. } = event else { return };
        if let Some(reason) = self.guard.as_ref().and_then(BuildGuard::take_open) {
            let message = format!("A step of the build can reach private networks: {reason}.");
            events.send(BuildEvent::Note { message }).await.ok();
        }
        let unseen = self.guard.as_ref().is_some_and(|guard| guard.adopted() == 0);
        if self.silent && unseen && *duration > SEEN && name.contains("] RUN ") {
            self.silent = false;
            let message = format!("{UNHELD}: its steps cannot be seen from here.");
            events.send(BuildEvent::Note { message }).await.ok();
        }
    }

    fn memory_kill(&self, before: Option<u64>) -> MemoryKill {
        match &self.guard {
            Some(guard) if guard.adopted() > 0 && guard.memory_kills() > 0 => {
                MemoryKill::OfThisBuild
            }
            Some(guard) if guard.adopted() > 0 => MemoryKill::None,
            _ if before < build_failure::memory_kills() => MemoryKill::Somewhere,
            _ => MemoryKill::None,
        }
    }

    /// Adds to an error what the limits have to do with it.
    fn explain(&self, error: &mut BuildError) {
        let Some(guard) = &self.guard else { return };
        let BuildError::Step { step, message, .. } = error else { return };
        if guard.late() > 0 {
            *error = BuildError::Unheld(std::mem::take(step));
            return;
        }
        if let Some(most) = self.pids
            && guard.refused_processes() > 0
        {
            message.push_str(&format!("; it had reached the limit of {most} processes"));
        }
    }
}

/// An address of this machine that no other build has now.
fn marker() -> Ipv4Addr {
    let mut hash = std::hash::DefaultHasher::new();
    let now = std::time::SystemTime::now();
    (next(), std::process::id(), now).hash(&mut hash);
    let [a, b, c, ..] = hash.finish().to_ne_bytes();
    Ipv4Addr::new(127, a, b, c.clamp(2, 254))
}

/// Asks for BuildKit. Said to bollard itself, it would open a session of its own beside ours.
fn with_buildkit(mut request: BollardRequest) -> BollardRequest {
    let uri = request.uri().to_string();
    if let Ok(uri) = uri.replacen("&version=1", "&version=2", 1).parse() {
        *request.uri_mut() = uri;
    }
    request
}

/// A name for a session that no other session of this engine has.
fn session_id(instance: &str) -> String {
    format!("orbitra-{instance}-{}-{}", std::process::id(), next())
}

/// A number this process has not used yet.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
