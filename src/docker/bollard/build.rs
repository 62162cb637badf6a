//! Running a build.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

use bollard::models::{BuildInfo, BuildInfoAux};
use bollard::query_parameters::BuildImageOptions;
use bollard::{BollardRequest, body_try_stream};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::session::Session;
use super::{Bollard, CALL, errors};
use crate::docker::build_failure::{self, Failure};
use crate::docker::{BuildError, BuildEvent, BuildEvents, BuildSpec, BuiltImage, EngineError};

/// Arguments that would let a build bring its own frontend, a program that runs beside BuildKit's own.
const REFUSED_ARGUMENT: &str = "BUILDKIT_SYNTAX";

/// Builds an image. Whatever ends it early drops the request, and BuildKit kills the running steps
/// when its request is gone.
pub async fn run(
    engine: &Bollard,
    spec: BuildSpec,
    context: BoxStream<'static, io::Result<Bytes>>,
    events: BuildEvents,
    cancel: CancellationToken,
) -> Result<BuiltImage, BuildError> {
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
        result = build(engine, spec, context, events) => result,
    }
}

async fn build(
    engine: &Bollard,
    spec: BuildSpec,
    context: BoxStream<'static, io::Result<Bytes>>,
    events: BuildEvents,
) -> Result<BuiltImage, BuildError> {
    let session_id = session_id(&engine.instance);
    let opening = Session::open(&engine.endpoint, &session_id, spec.secrets.clone());
    let _session = match tokio::time::timeout(CALL, opening).await {
        Ok(session) => session?,
        Err(_) => return Err(EngineError::TimedOut("build session").into()),
    };
    let kills_before = build_failure::memory_kills();

    let client = engine.client()?.with_request_modifier(with_buildkit);
    let options = options(spec, session_id);
    let mut answers = pin!(client.build_image(options, None, Some(body_try_stream(context))));
    let mut progress = Progress::default();
    let mut image = None;
    while let Some(answer) = answers.next().await {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let killed = kills_before < build_failure::memory_kills();
                return Err(failure(&progress, error, killed));
            }
        };
        for event in read(answer, &mut progress, &mut image) {
            // Nobody listens any more: the build goes on, its result still counts.
            events.send(event).await.ok();
        }
    }
    image.ok_or_else(|| EngineError::Refused("the build ended without an image".to_owned()).into())
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

fn failure(progress: &Progress, error: bollard::errors::Error, killed: bool) -> BuildError {
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

fn options(spec: BuildSpec, session: String) -> BuildImageOptions {
    BuildImageOptions {
        dockerfile: spec.dockerfile,
        t: Some(spec.tag),
        nocache: spec.no_cache,
        buildargs: Some(spec.arguments.into_iter().collect()),
        labels: Some(spec.owner.labels()),
        session: Some(session),
        ..BuildImageOptions::default()
    }
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
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("orbitra-{instance}-{}-{number}", std::process::id())
}
