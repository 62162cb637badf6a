//! A real [`App`] on a temporary data directory, and clients that ask its API through the router.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use orbitra::app::users::NewUser;
use orbitra::app::{App, Parts};
use orbitra::clock::Clock;
use orbitra::config::{Config, Flags, RateLimits};
use orbitra::crypto::secret_box::SecretBox;
use orbitra::db::{self, Db};
use orbitra::egress::Policy;
use orbitra::events::{Bus, Change};
use orbitra::git::libgit::Limits;
use orbitra::git::pushed::Repositories;
use orbitra::logs::{LogStore, Retention};
use orbitra::model::deployment::Deployment;
use orbitra::model::ids::{DeploymentId, TeamId};
use orbitra::model::peer::PeerAddr;
use orbitra::model::timestamp::Timestamp;
use orbitra::model::transition::State;
use orbitra::model::user::{Plan, User};
use orbitra::task::Signal;
use orbitra::web;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

/// 2026-01-20T16:30:00Z, when every test begins.
pub const START: Timestamp = Timestamp(1_768_926_600_000);

/// An app with its data directory, which goes with it.
pub struct TestApp {
    pub app: App,
    router: axum::Router,
    data: TempDir,
}

impl TestApp {
    /// A fresh instance with the base domain `example.com`, reached over HTTPS.
    pub fn new() -> Self {
        Self::limited(RateLimits::default())
    }

    /// A fresh instance with these rate limits.
    pub fn limited(limits: RateLimits) -> Self {
        Self::at(tempfile::tempdir().unwrap(), Clock::manual(START), limits, None)
    }

    /// A fresh instance that asks this name server.
    pub fn asking(server: SocketAddr) -> Self {
        let (data, clock) = (tempfile::tempdir().unwrap(), Clock::manual(START));
        Self::at(data, clock, RateLimits::default(), Some(server))
    }

    /// The same instance after it was stopped and started.
    pub async fn restarted(self) -> Self {
        self.app.store_rate_windows().await;
        let (clock, limits) = (self.app.clock.clone(), self.app.config.rates);
        let again = Self::at(self.data, clock, limits, None);
        again.app.load_rate_windows().await.unwrap();
        again.app.load_settings().await.unwrap();
        again
    }

    fn at(data: TempDir, clock: Clock, rate_limits: RateLimits, names: Option<SocketAddr>) -> Self {
        let flags = Flags { data: Some(data.path().to_owned()), listen: None };
        let mut config = Config::load(&flags, |name| match name {
            "ORBITRA_BASE_DOMAIN" => Some("example.com".to_owned()),
            "ORBITRA_PUBLIC_SCHEME" => Some("https".to_owned()),
            "ORBITRA_PUBLIC_ADDRESSES" => Some("203.0.113.10".to_owned()),
            "ORBITRA_DNS_SERVERS" => names.map(|server| server.to_string()),
            _ => None,
        })
        .unwrap();
        config.rates = rate_limits;
        let app = App::new(Parts {
            db: Db::open(&data.path().join("orbitra.db")).unwrap(),
            clock,
            secrets: Arc::new(SecretBox::new(&[7; 32])),
            bus: Bus::default(),
            logs: LogStore::open(data.path().join("logs"), Retention::default()).unwrap(),
            hosts: config.hosts.clone(),
            config,
            engine: Default::default(),
            egress: Policy::parse(&["10.9.0.1"], false).unwrap(),
            repositories: Arc::new(Repositories::new(data.path().join("git"), Limits::default())),
            pipeline: Signal::default(),
            routes: Signal::default(),
            domains: Signal::default(),
            orders: Signal::default(),
            certificates: Signal::default(),
            stapling: Signal::default(),
            figures: Signal::default(),
            sweep: Signal::default(),
            measured: Default::default(),
            traffic: std::sync::OnceLock::new(),
            stopping: Default::default(),
        });
        let router = web::api::router(app.clone());
        Self { app, router, data }
    }

    /// Its data directory.
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// An account.
    pub async fn user(&self, email: &str) -> User {
        self.user_on(email, Plan::Professional).await
    }

    /// An account with a plan.
    pub async fn user_on(&self, email: &str, plan: Plan) -> User {
        let new = NewUser {
            email: email.to_owned(),
            name: "John Doe".to_owned(),
            plan,
            instance_admin: false,
            password: None,
        };
        self.app.create_user(new).await.unwrap()
    }

    /// A client with a fresh account and a key of these scopes.
    pub async fn client(&self, email: &str, scopes: &[&str]) -> Client {
        let user = self.user(email).await;
        self.client_of(&user, scopes).await
    }

    /// Another key of an account.
    pub async fn client_of(&self, user: &User, scopes: &[&str]) -> Client {
        let scopes: Vec<_> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let (_, key) = self.app.create_key_for(user.id.as_str(), "test", &scopes).await.unwrap();
        self.with_key(&key)
    }

    /// A client that sends this key.
    pub fn with_key(&self, key: &str) -> Client {
        Client { router: self.router.clone(), key: Some(key.to_owned()), peer: None }
    }

    /// A client without a key.
    pub fn anonymous(&self) -> Client {
        Client { router: self.router.clone(), key: None, peer: None }
    }

    /// Whether these bytes stand anywhere in the files of the database.
    pub fn stores(&self, wanted: &str) -> bool {
        std::fs::read_dir(self.data.path()).unwrap().any(|entry| {
            let path = entry.unwrap().path();
            path.is_file()
                && memchr::memmem::find(&std::fs::read(&path).unwrap(), wanted.as_bytes()).is_some()
        })
    }

    /// The variables a deployment was made with.
    pub async fn environment(&self, id: &str) -> Vec<(String, String)> {
        let (id, app) = (DeploymentId::parse(id).unwrap(), self.app.clone());
        let read = move |c: &db::Connection| -> Result<_, db::DbError> {
            let open = |(key, sealed): (String, Vec<u8>)| {
                let identity = db::deployment_env::identity(&id, &key);
                let value = app.secrets.open(&identity, &sealed).unwrap();
                (key, String::from_utf8(value).unwrap())
            };
            Ok(db::deployment_env::load(c, &id)?.into_iter().map(open).collect())
        };
        self.app.db.read(read).await.unwrap()
    }

    /// Moves a deployment on as the pipeline would.
    pub async fn advance(&self, id: &str, to: State) -> Deployment {
        let id = DeploymentId::parse(id).unwrap();
        let now = self.app.clock.now();
        let moved = self
            .app
            .db
            .write(move |c| -> Result<_, db::DbError> {
                let deployment = db::deployments::find_any(c, &id)?.unwrap();
                db::transitions::advance(c, &id, deployment.state, to, now)?;
                Ok(db::deployments::find_any(c, &id)?.unwrap())
            })
            .await
            .unwrap();
        self.say(&moved);
        moved
    }

    /// Gives a deployment the production traffic as the pipeline would.
    pub async fn make_live(&self, id: &str) {
        self.advance(id, State::Ready).await;
        let id = DeploymentId::parse(id).unwrap();
        let now = self.app.clock.now();
        let moved = self.app.db.write(move |c| -> Result<(), db::DbError> {
            let deployment = db::deployments::find_any(c, &id)?.unwrap();
            let project = db::projects::find(c, &deployment.project_id)?.unwrap();
            let from = project.live_deployment_id.as_ref();
            db::projects::point_at(c, &project.id, from, &id, None, now)?;
            db::transitions::record_live(c, &id, now)
        });
        moved.await.unwrap();
    }

    /// Says that a deployment changed.
    pub fn say(&self, deployment: &Deployment) {
        let (project, id) = (deployment.project_id.clone(), deployment.id.clone());
        let team = TeamId::from_random([0; 10]);
        self.app.bus.send(Change::Deployment(team, project, id));
    }
}

/// Somebody who asks the API.
#[derive(Clone)]
pub struct Client {
    router: axum::Router,
    key: Option<String>,
    peer: Option<SocketAddr>,
}

impl Client {
    /// The same client at another address.
    pub fn from(mut self, address: &str) -> Self {
        self.peer = Some(SocketAddr::new(address.parse().unwrap(), 40_000));
        self
    }

    /// The key it sends.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap()
    }

    /// Asks.
    pub async fn send(&self, request: Request<Body>) -> Response<Body> {
        let mut request = request;
        if let (Some(key), false) = (&self.key, request.headers().contains_key(AUTHORIZATION)) {
            let value = format!("Bearer {key}").parse().unwrap();
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(PeerAddr(peer));
        }
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Asks and reads the whole answer.
    pub async fn ask(&self, request: Request<Body>) -> Reply {
        let (parts, body) = self.send(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Asks with a method and no body.
    pub async fn call(&self, method: &str, path: &str) -> Reply {
        self.ask(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }

    /// GET
    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path).await
    }

    /// DELETE
    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path).await
    }

    /// A method with a JSON body.
    pub async fn with(&self, method: &str, path: &str, body: impl ToString) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        self.ask(request).await
    }

    /// POST
    pub async fn post(&self, path: &str, body: impl ToString) -> Reply {
        self.with("POST", path, body).await
    }

    /// PATCH
    pub async fn patch(&self, path: &str, body: impl ToString) -> Reply {
        self.with("PATCH", path, body).await
    }

    /// Makes a project and gives its id.
    pub async fn project(&self, name: &str) -> String {
        let made = self.post("/projects", serde_json::json!({ "name": name, "region": "local" }));
        made.await.expect(201).text("/id")
    }

    /// Makes a deployment and gives its id.
    pub async fn deployment(&self, project: &str) -> String {
        let body = serde_json::json!({ "git_url": "https://github.com/user/repo.git" });
        let made = self.post(&format!("/projects/{project}/deployments"), body).await;
        made.expect(201).text("/id")
    }

    /// Opens a stream of events.
    pub async fn events(&self, path: &str, last: Option<&str>) -> Events {
        let mut request = Request::builder().uri(path).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = self.send(request.body(Body::empty()).unwrap()).await;
        let (parts, body) = response.into_parts();
        let chunks = body.into_data_stream();
        Events { status: parts.status, headers: parts.headers, chunks, buffer: String::new() }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// The same answer, when it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body());
        self
    }

    /// The body as it was sent.
    pub fn body(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// A value of the body by its pointer.
    #[track_caller]
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// A text of the body by its pointer.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> String {
        self.at(pointer).as_str().expect("a text").to_owned()
    }

    /// A header, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, code and one value of the details of an error.
    #[track_caller]
    pub fn error(&self, detail: &str) -> (u16, String, Value) {
        let keys: Vec<_> = self.at("/error").as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["code", "details", "message"], "{}", self.body());
        let detail = self.at(&format!("/error/details/{detail}"));
        (self.status.as_u16(), self.text("/error/code"), detail)
    }

    /// Fields that are said to be invalid, with their codes.
    #[track_caller]
    pub fn invalid(&self) -> Vec<String> {
        assert_eq!(self.status, 400, "{}", self.body());
        let fields = self.at("/error/details/invalid_fields");
        let field = |field: &Value| {
            format!("{} {}", field["field"].as_str().unwrap(), field["code"].as_str().unwrap())
        };
        fields.as_array().map(|fields| fields.iter().map(field).collect()).unwrap_or_default()
    }
}

/// A stream of events.
pub struct Events {
    pub status: StatusCode,
    pub headers: HeaderMap,
    chunks: axum::body::BodyDataStream,
    buffer: String,
}

impl Events {
    /// The next frame without its empty line; `None` at the end.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let frame = frame.to_owned();
                self.buffer = rest.to_owned();
                return Some(frame);
            }
            let chunk = self.chunks.next().await?.unwrap();
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Everything up to the end.
    pub async fn rest(mut self) -> Vec<String> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}
