//! What the applications of the engine in this process do.

use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use orbitra::docker::BuildError;
use serde::Deserialize;
use tokio::net::TcpListener;

/// How a commit behaves, from its `app.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// What it answers.
    pub body: String,
    pub status: u16,
    /// The build fails with this exit code.
    pub build_exit: Option<i64>,
    /// The build ends only by being canceled.
    pub build_hangs: bool,
    /// The process ends at once with this exit code.
    pub exit: Option<i64>,
    /// The process runs and never listens.
    pub deaf: bool,
    /// Milliseconds until it listens.
    pub delay: u64,
    /// Milliseconds that an answer for `/slow` takes.
    pub think: u64,
    /// What it writes at its start.
    pub says: String,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            body: "hello".to_owned(),
            status: 200,
            build_exit: None,
            build_hangs: false,
            exit: None,
            deaf: false,
            delay: 0,
            think: 0,
            says: String::new(),
        }
    }
}

/// Finds `app.json` in the tar.
pub async fn of_context(
    context: BoxStream<'static, Result<Bytes, std::io::Error>>,
) -> Result<Behaviour, BuildError> {
    let invalid = |error: &dyn std::fmt::Display| BuildError::Invalid(error.to_string());
    let bytes = context.try_fold(Vec::new(), |mut all, chunk| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    });
    let bytes = bytes.await.map_err(|error| invalid(&error))?;
    let mut archive = tar::Archive::new(bytes.as_slice());
    for entry in archive.entries().map_err(|error| invalid(&error))? {
        let mut entry = entry.map_err(|error| invalid(&error))?;
        if entry.path().is_ok_and(|path| path.ends_with("app.json")) {
            let mut text = String::new();
            entry.read_to_string(&mut text).map_err(|error| invalid(&error))?;
            return serde_json::from_str(&text).map_err(|error| invalid(&error));
        }
    }
    Err(BuildError::Invalid("app.json is to be copied and does not exist".to_owned()))
}

/// The process of a container.
pub async fn serve(address: SocketAddr, behaviour: Behaviour, thinking: Arc<AtomicBool>) {
    tokio::time::sleep(Duration::from_millis(behaviour.delay)).await;
    if behaviour.deaf {
        return std::future::pending().await;
    }
    // The process before this one may be on its way out still.
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let behaviour = Arc::new(behaviour);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (behaviour, thinking) = (behaviour.clone(), thinking.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (behaviour, thinking) = (behaviour.clone(), thinking.clone());
            async move {
                if request.uri().path() == "/slow" {
                    thinking.store(true, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(behaviour.think)).await;
                }
                let mut response = Response::new(Full::new(Bytes::from(behaviour.body.clone())));
                *response.status_mut() = StatusCode::from_u16(behaviour.status).unwrap();
                Ok::<_, Infallible>(response)
            }
        });
        connections.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
