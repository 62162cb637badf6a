//! Docker's API on a socket, as far as Orbitra uses it, in front of the engine in this process: the real program
//! can be killed and finds its containers again, and the engine can be away, hang or be slow.

mod answers;

use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use orbitra::docker::{
    BuildError, BuildLimits, BuildSpec, ContainerEngine, ContainerId, EngineError, ImageSource,
    NetworkError, Owner, PullSpec,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::engine::Engine;

/// An engine behind a socket of its own.
pub struct DockerApi {
    engine: Engine,
    directory: TempDir,
    /// Whether requests wait instead of being answered.
    hanging: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl DockerApi {
    /// Serves this engine.
    pub fn serve(engine: Engine) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let api =
            Self { engine, directory, hanging: watch::channel(false).0, task: Mutex::default() };
        api.come();
        api
    }

    /// What `ORBITRA_DOCKER_HOST` is to be.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// The engine listens (again).
    pub fn come(&self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let (engine, hanging) = (self.engine.clone(), self.hanging.subscribe());
        let task = tokio::spawn(async move {
            // Dropped with this task, and every connection with it.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                while connections.try_join_next().is_some() {}
                let (engine, hanging) = (engine.clone(), hanging.clone());
                let service = service_fn(move |request| {
                    let (engine, mut hanging) = (engine.clone(), hanging.clone());
                    async move {
                        hanging.wait_for(|hangs| !hangs).await.unwrap();
                        Ok::<_, Infallible>(answer(&engine, request).await)
                    }
                });
                connections.spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades()
                        .await;
                });
            }
        });
        *self.task.lock().unwrap() = Some(task);
    }

    /// The engine is gone with its socket, and every request that waits is cut. Its containers run on.
    pub fn go(&self) {
        self.task.lock().unwrap().take().unwrap().abort();
        std::fs::remove_file(self.socket()).unwrap();
    }

    /// Gives the socket to another user, for whom alone it is.
    pub fn give_away(&self) {
        const NOBODY: u32 = 65_534;
        std::os::unix::fs::chown(self.socket(), Some(NOBODY), None).expect("this needs root");
        let only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.socket(), only).unwrap();
    }

    /// From now on requests are accepted and not answered, or answered again.
    pub fn set_hanging(&self, hangs: bool) {
        self.hanging.send_replace(hangs);
    }
}

impl Drop for DockerApi {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap().take() {
            task.abort();
        }
    }
}

/// What the engine says that it could not do.
struct Refusal(StatusCode, String);

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotFound(text) => Self(StatusCode::NOT_FOUND, text),
            other => Self(StatusCode::INTERNAL_SERVER_ERROR, other.to_string()),
        }
    }
}

type Answered = Result<Response<Body>, Refusal>;

fn said(status: u16, value: &Value) -> Response<Body> {
    let body = Body::from(value.to_string());
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

fn nothing() -> Response<Body> {
    Response::builder().status(204).body(Body::empty()).unwrap()
}

async fn answer(engine: &Engine, request: Request<Incoming>) -> Response<Body> {
    let answered = route(engine, request).await;
    answered
        .unwrap_or_else(|Refusal(status, text)| said(status.as_u16(), &json!({ "message": text })))
}

/// The query's values by their names.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &Request<Incoming>) -> Self {
        let text = request.uri().query().unwrap_or_default();
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> String {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

async fn route(engine: &Engine, request: Request<Incoming>) -> Answered {
    let query = Query::of(&request);
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let path = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned();
    let (kind, rest) = path.split_once('/').unwrap_or((&path, ""));
    let (name, verb) = rest.rsplit_once('/').unwrap_or((rest, ""));
    let id = ContainerId(name.to_owned());
    match (request.method().clone(), kind, verb) {
        (Method::GET, "version", _) => {
            let info = engine.info().await?;
            Ok(said(200, &json!({ "Version": info.version, "ApiVersion": info.api_version })))
        }
        (Method::GET, "info", _) => Ok(said(200, &json!({ "DockerRootDir": "" }))),
        (Method::GET, "events", _) => Ok(events(engine, &query)),
        (Method::POST, "session", _) => Ok(session(request)),
        (Method::POST, "build", _) => build(engine, &query, request).await,
        (Method::GET, "distribution", "json") => {
            let source = source_of(name.to_owned());
            let digest = engine.resolve(&source).await;
            let digest =
                digest.map_err(|error| Refusal(StatusCode::NOT_FOUND, error.to_string()))?;
            Ok(said(200, &json!({ "Descriptor": { "digest": digest }, "Platforms": [] })))
        }
        (Method::POST, "images", _) if rest == "create" => pull(engine, &query).await,
        (Method::POST, "images", "tag") => {
            engine.tag(name, &format!("{}:{}", query.get("repo"), query.get("tag")));
            Ok(said(201, &json!({})))
        }
        (Method::GET, "images", _) if rest == "json" => {
            Ok(said(200, &answers::images(engine.owned().await?)))
        }
        (Method::GET, "images", "json") => match engine.image(name).await? {
            Some(image) => Ok(said(200, &json!({ "Id": image.id, "Size": image.size_bytes }))),
            None => Err(Refusal(StatusCode::NOT_FOUND, format!("No such image: {name}"))),
        },
        (Method::DELETE, "images", _) => {
            engine.remove_image(rest).await?;
            Ok(said(200, &json!([])))
        }
        (Method::GET, "networks", _) if rest.is_empty() => {
            Ok(said(200, &answers::networks(engine.owned().await?)))
        }
        (Method::GET, "networks", _) => {
            let owned = engine.owned().await?;
            let found = owned.networks.into_iter().find(|one| one.name == rest);
            let missing = || Refusal(StatusCode::NOT_FOUND, format!("network {rest} not found"));
            Ok(said(200, &answers::network(&found.ok_or_else(missing)?)))
        }
        (Method::POST, "networks", _) => {
            let spec = answers::network_spec(&read(request).await);
            let name = spec.name.clone();
            match engine.ensure_network(spec).await {
                Ok(()) => Ok(said(201, &json!({ "Id": name, "Warning": "" }))),
                Err(NetworkError::Engine(error)) => Err(error.into()),
                Err(NetworkError::SubnetInUse) => {
                    let text = "Pool overlaps with other one on this address space".to_owned();
                    Err(Refusal(StatusCode::FORBIDDEN, text))
                }
            }
        }
        (Method::DELETE, "networks", _) => {
            engine.remove_network(rest).await?;
            Ok(nothing())
        }
        (Method::POST, "containers", _) if rest == "create" => {
            let name = query.get("name");
            if engine.inspect(&ContainerId(name.clone())).await?.is_some() {
                let text = format!("Conflict. The container name \"/{name}\" is already in use");
                return Err(Refusal(StatusCode::CONFLICT, text));
            }
            let made = engine.create(answers::container_spec(name, &read(request).await)).await?;
            Ok(said(201, &json!({ "Id": made.0, "Warnings": [] })))
        }
        (Method::GET, "containers", _) if rest == "json" => {
            let owned = engine.owned().await?;
            let ids = owned.containers.iter().map(|one| json!({ "Id": one.id.0 }));
            Ok(said(200, &ids.collect()))
        }
        (Method::GET, "containers", "json") => match engine.inspect(&id).await? {
            Some(state) => Ok(said(200, &answers::container(state))),
            None => Err(Refusal(StatusCode::NOT_FOUND, format!("No such container: {name}"))),
        },
        (Method::GET, "containers", "logs") => {
            let tail = query.get("tail").parse().ok();
            let output = engine.output(&id, tail, query.get("follow") == "true");
            let framed = output.map_ok(|chunk| answers::frame(&chunk));
            let framed = framed.map_err(|error| std::io::Error::other(error.to_string()));
            Ok(Response::new(Body::from_stream(framed)))
        }
        (Method::POST, "containers", "start") => {
            engine.start(&id).await?;
            Ok(nothing())
        }
        (Method::POST, "containers", "update") => {
            engine.supervise(&id).await?;
            Ok(said(200, &json!({ "Warnings": [] })))
        }
        (Method::POST, "containers", "stop") => {
            engine.stop(&id, Duration::from_secs(1)).await?;
            Ok(nothing())
        }
        (Method::POST, "containers", "pause") => {
            engine.pause(&id).await?;
            Ok(nothing())
        }
        (Method::POST, "containers", "unpause") => {
            if engine.unpause(&id).await? {
                return Ok(nothing());
            }
            let text = format!("Container {name} is not paused");
            Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, text))
        }
        (Method::DELETE, "containers", _) => {
            engine.remove(&ContainerId(rest.to_owned())).await?;
            Ok(nothing())
        }
        (method, _, _) => {
            let text = format!("{method} /{path} is not played here");
            Err(Refusal(StatusCode::NOT_IMPLEMENTED, text))
        }
    }
}

async fn read(request: Request<Incoming>) -> Value {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

/// Nothing is asked over a build's side channel: no secrets, no files.
fn session(request: Request<Incoming>) -> Response<Body> {
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            let (mut reading, _writing) = tokio::io::split(TokioIo::new(upgraded));
            let _ = tokio::io::copy(&mut reading, &mut tokio::io::sink()).await;
        }
    });
    Response::builder()
        .status(101)
        .header("connection", "Upgrade")
        .header("upgrade", "h2c")
        .body(Body::empty())
        .unwrap()
}

async fn build(engine: &Engine, query: &Query, request: Request<Incoming>) -> Answered {
    let labels = serde_json::from_str(&query.get("labels")).unwrap();
    let spec = BuildSpec {
        owner: Owner::from_labels(&labels).unwrap(),
        tag: query.get("t"),
        dockerfile: query.get("dockerfile"),
        arguments: Vec::new(),
        secrets: Vec::new(),
        cache_namespace: String::new(),
        no_cache: query.get("nocache") == "true",
        timeout: Duration::from_secs(3600),
        limits: BuildLimits::default(),
        open_networks: Vec::new(),
    };
    let context = request.into_body().into_data_stream().map_err(std::io::Error::other).boxed();
    let (events, mut received) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move { while received.recv().await.is_some() {} });
    let built = engine.build(spec, context, events, CancellationToken::new()).await;
    let told = match built {
        Ok(image) => json!({ "id": "moby.image.id", "aux": { "ID": image.id } }),
        Err(BuildError::Engine(error)) => return Err(error.into()),
        Err(error) => {
            let text = match error {
                BuildError::Step { exit_code: Some(code), .. } => {
                    format!("executor failed running [/bin/sh -c make]: exit code: {code}")
                }
                other => other.to_string(),
            };
            json!({ "errorDetail": { "message": text }, "error": text })
        }
    };
    Ok(said(200, &told))
}

fn source_of(reference: String) -> ImageSource {
    ImageSource { reference, registry: String::new(), credentials: None }
}

async fn pull(engine: &Engine, query: &Query) -> Answered {
    let reference = format!("{}@{}", query.get("fromImage"), query.get("tag"));
    let (events, _received) = tokio::sync::mpsc::channel(16);
    let spec = PullSpec {
        source: source_of(reference.clone()),
        tag: reference,
        limit_bytes: u64::MAX,
        timeout: Duration::from_secs(3600),
    };
    let pulled = engine.pull(spec, events, CancellationToken::new()).await;
    pulled.map_err(|error| Refusal(StatusCode::NOT_FOUND, error.to_string()))?;
    Ok(said(200, &json!({ "id": "0123456789ab", "status": "Pull complete" })))
}

/// What happens to containers, or what is taken out of networks, as the filters say.
fn events(engine: &Engine, query: &Query) -> Response<Body> {
    let filters: Value = serde_json::from_str(&query.get("filters")).unwrap();
    let kind = filters["type"][0].as_str().unwrap().to_owned();
    let lines = engine.changes().filter_map(move |(action, container)| {
        let line = match (kind.as_str(), action) {
            ("network", "disconnect") => Some(json!({
                "Type": kind, "Action": action,
                "Actor": { "ID": "network", "Attributes": { "container": container } },
            })),
            ("container", action) if action != "disconnect" => {
                Some(json!({ "Type": kind, "Action": action, "Actor": { "ID": container } }))
            }
            _ => None,
        };
        let line = line.map(|line| Ok::<_, Infallible>(Bytes::from(format!("{line}\n"))));
        std::future::ready(line)
    });
    Response::new(Body::from_stream(lines))
}
