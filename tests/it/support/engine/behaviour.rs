//! What the applications of the engine in this process do.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use orbitra::docker::BuildError;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// How a commit behaves, from its `app.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// What it answers; `{replica}` is the container's number.
    pub body: String,
    /// The container with this number ends at once.
    pub broken_replica: u32,
    pub status: u16,
    /// The one path that it answers so, when it is set; others are not found.
    pub only: String,
    /// The build fails with this exit code.
    pub build_exit: Option<i64>,
    /// The build ends only by being canceled.
    pub build_hangs: bool,
    /// Milliseconds that the build takes.
    pub build_takes: u64,
    /// Lines of 4 kB that the build writes after that.
    pub build_lines: u64,
    /// The process ends at once with this exit code.
    pub exit: Option<i64>,
    /// A release command ends with this exit code.
    pub release_exit: i64,
    /// A release command ends only by being removed.
    pub release_hangs: bool,
    /// A release command is killed for memory.
    pub release_takes_all_memory: bool,
    /// What a release command writes.
    pub release_says: String,
    /// The engine never says that the container has started.
    pub start_hangs: bool,
    /// The process runs and never listens.
    pub deaf: bool,
    /// Milliseconds until it listens.
    pub delay: u64,
    /// The answers before this many are good by turns only; then all are.
    pub flaps: u32,
    /// Milliseconds that an answer for `/slow` takes.
    pub think: u64,
    /// What it writes at its start.
    pub says: String,
    /// Of a build that makes a site: files beside `index.html`, by their paths.
    pub files: BTreeMap<String, String>,
    /// It makes no `index.html`.
    pub no_index: bool,
    /// Of a build that makes a site: one more file of this many MiB.
    pub large_file_mb: usize,
    /// The build ends because the engine has no space left.
    pub build_fills_disk: bool,
    /// How often a step of the build runs before it is held.
    pub build_unheld: usize,
    /// Bytes of its image that no other image has.
    pub image_bytes: u64,
    /// Bytes of build cache that its build leaves.
    pub cache_bytes: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            body: "hello".to_owned(),
            broken_replica: 0,
            status: 200,
            only: String::new(),
            build_exit: None,
            build_hangs: false,
            build_takes: 0,
            build_lines: 0,
            exit: None,
            release_exit: 0,
            release_hangs: false,
            release_takes_all_memory: false,
            release_says: String::new(),
            start_hangs: false,
            deaf: false,
            delay: 0,
            flaps: 0,
            think: 0,
            says: String::new(),
            files: BTreeMap::new(),
            no_index: false,
            large_file_mb: 0,
            build_fills_disk: false,
            build_unheld: 0,
            image_bytes: 1000,
            cache_bytes: 10,
        }
    }
}

impl Behaviour {
    /// How the container with this number behaves.
    pub fn of_replica(mut self, number: u32) -> Self {
        self.body = self.body.replace("{replica}", &number.to_string());
        if number > 0 && self.broken_replica == number {
            self.exit = Some(70);
            self.says = format!("number {number} has no seat");
        }
        self
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

/// The files of a site whose page is the body, as a tar.
pub fn site(behaviour: &Behaviour) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let index = (!behaviour.no_index).then_some(("index.html", &behaviour.body));
    let others = behaviour.files.iter().map(|(path, content)| (path.as_str(), content));
    for (path, content) in index.into_iter().chain(others) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    if behaviour.large_file_mb > 0 {
        let content = vec![b'x'; behaviour.large_file_mb * 1024 * 1024];
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, "large.bin", content.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// What the processes of a container were asked for.
#[derive(Default)]
pub struct Asked {
    count: AtomicU32,
    once: Mutex<HashMap<String, u32>>,
}

impl Asked {
    pub fn all(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }

    /// Paths below `/once/`, and how often each was asked for.
    pub fn below_once(&self) -> HashMap<String, u32> {
        self.once.lock().unwrap().clone()
    }

    /// One more request. Answers how many were before it.
    fn more(&self, path: &str) -> u32 {
        if path.starts_with("/once/") {
            *self.once.lock().unwrap().entry(path.to_owned()).or_default() += 1;
        }
        self.count.fetch_add(1, Ordering::SeqCst)
    }
}

/// The process of a container.
pub async fn serve(
    address: SocketAddr,
    behaviour: Behaviour,
    thinking: Arc<AtomicUsize>,
    paused: watch::Receiver<bool>,
    forced: Arc<AtomicU16>,
    asked: Arc<Asked>,
) {
    tokio::time::sleep(Duration::from_millis(behaviour.delay)).await;
    if behaviour.deaf {
        return std::future::pending().await;
    }
    // The process before this one may be on its way out still.
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    // Once, because it may be large.
    let body = Bytes::from(behaviour.body.clone());
    let behaviour = Arc::new(behaviour);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (behaviour, thinking) = (behaviour.clone(), thinking.clone());
        let (asked, forced, paused) = (asked.clone(), forced.clone(), paused.clone());
        let body = body.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (behaviour, thinking) = (behaviour.clone(), thinking.clone());
            let number = asked.more(request.uri().path());
            let forced = forced.load(Ordering::SeqCst);
            let (mut paused, body) = (paused.clone(), body.clone());
            async move {
                let _ = paused.wait_for(|paused| !paused).await;
                if request.uri().path() == "/slow" {
                    thinking.fetch_add(1, Ordering::SeqCst);
                    while let Some(Ok(_)) = request.body_mut().frame().await {}
                    tokio::time::sleep(Duration::from_millis(behaviour.think)).await;
                }
                match request.uri().path() {
                    "/socket" => return Ok(echoes(request)),
                    "/events" => return Ok(counts()),
                    _ => {}
                }
                let mut response = Response::new(Full::new(body).boxed_unsync());
                let known = behaviour.only.is_empty() || behaviour.only == request.uri().path();
                let flaps = number < behaviour.flaps && number % 2 == 1;
                let status = match known {
                    _ if forced > 0 => forced,
                    true if flaps => 500,
                    true => behaviour.status,
                    false => 404,
                };
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                Ok::<_, Infallible>(response)
            }
        });
        connections.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            let _ =
                connection.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A WebSocket that says what it is told.
fn echoes(request: Request<Incoming>) -> Response<Body> {
    let key = request.headers().get("sec-websocket-key").cloned();
    let accept = derive_accept_key(key.unwrap().as_bytes());
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() && socket.send(message).await.is_err() {
                return;
            }
        }
    });
    Response::builder()
        .status(101)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", accept)
        .body(Full::default().boxed_unsync())
        .unwrap()
}

/// Events with numbers, ten a second, without an end.
fn counts() -> Response<Body> {
    let events = futures_util::stream::unfold(0_u64, |number| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let event = Bytes::from(format!("data: {number}\n\n"));
        Some((Ok::<_, Infallible>(Frame::data(event)), number + 1))
    });
    let body = StreamBody::new(events).boxed_unsync();
    Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
}
