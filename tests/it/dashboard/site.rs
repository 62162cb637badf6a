//! A real app on a temporary data directory, and browsers that look at its pages.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use orbitra::app::users::NewUser;
use orbitra::app::{App, Parts};
use orbitra::clock::Clock;
use orbitra::config::{Config, Flags};
use orbitra::crypto::secret_box::SecretBox;
use orbitra::db::{self, Db};
use orbitra::egress::Policy;
use orbitra::events::{Bus, Change};
use orbitra::git::libgit::Limits;
use orbitra::git::pushed::Repositories;
use orbitra::logs::{LogName, LogStore, Redactor, Retention};
use orbitra::model::deployment::Deployment;
use orbitra::model::failure::Failure;
use orbitra::model::ids::DeploymentId;
use orbitra::model::log_line::{LogLevel, LogSource, LogStream, NewLine};
use orbitra::model::timestamp::Timestamp;
use orbitra::model::transition::State;
use orbitra::model::user::{Plan, User};
use orbitra::task::Signal;
use orbitra::web;
use tempfile::TempDir;

use super::browser::Browser;

/// 2026-11-23T12:00:00Z, when every test begins.
pub const START: Timestamp = Timestamp(1_795_435_200_000);
/// The password of every account.
pub const PASSWORD: &str = "correct horse battery";

/// An instance with its data directory, which goes with it.
pub struct Site {
    pub app: App,
    router: axum::Router,
    origin: String,
    _data: TempDir,
}

impl Site {
    /// A fresh instance at `http://localhost:8080`.
    pub fn plain() -> Self {
        Self::at("localhost", "http:8080", "http://localhost:8080")
    }

    /// A fresh instance at `https://orbitra.test`.
    pub fn secure() -> Self {
        Self::at("orbitra.test", "https", "https://orbitra.test")
    }

    fn at(base: &str, scheme: &str, origin: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let flags = Flags { data: Some(data.path().to_owned()), listen: None };
        let config = Config::load(&flags, |name| match name {
            "ORBITRA_BASE_DOMAIN" => Some(base.to_owned()),
            "ORBITRA_PUBLIC_SCHEME" => Some(scheme.to_owned()),
            "ORBITRA_PUBLIC_ADDRESSES" => Some("203.0.113.10".to_owned()),
            _ => None,
        })
        .unwrap();
        let app = App::new(Parts {
            db: Db::open(&data.path().join("orbitra.db")).unwrap(),
            clock: Clock::manual(START),
            secrets: Arc::new(SecretBox::new(&[7; 32])),
            bus: Bus::default(),
            logs: LogStore::open(data.path().join("logs"), Retention::default()).unwrap(),
            hosts: config.hosts.clone(),
            config,
            engine: Default::default(),
            egress: Policy::parse::<&str>(&[], false).unwrap(),
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
        let router = web::router(&app);
        Self { app, router, origin: origin.to_owned(), _data: data }
    }

    /// A browser nobody has used yet, at an address of its own.
    pub fn browser(&self) -> Browser {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let ip = IpAddr::V4(Ipv4Addr::from(0xc633_6400 + number));
        Browser::new(self.router.clone(), &self.origin, SocketAddr::new(ip, 40_000))
    }

    /// An account.
    pub async fn user(&self, email: &str, instance_admin: bool) -> User {
        let new = NewUser {
            email: email.to_owned(),
            name: "Ada Lovelace".to_owned(),
            plan: Plan::Enterprise,
            instance_admin,
            password: Some(PASSWORD.to_owned()),
        };
        self.app.create_user(new).await.unwrap()
    }

    /// A browser in which Ada, the admin, is signed in.
    pub async fn ada(&self) -> Browser {
        self.user("ada@example.com", true).await;
        let mut browser = self.browser();
        browser.sign_in("ada@example.com").await;
        browser
    }

    /// Rows of the table of sessions.
    pub async fn sessions(&self) -> i64 {
        let count = |c: &db::Connection| -> Result<i64, db::DbError> {
            Ok(c.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))?)
        };
        self.app.db.read(count).await.unwrap()
    }

    /// A deployment as it is stored.
    pub async fn deployment(&self, id: &str) -> Deployment {
        let id = DeploymentId::parse(id).unwrap();
        let find = move |c: &db::Connection| db::deployments::find_any(c, &id);
        self.app.db.read(find).await.unwrap().unwrap()
    }

    /// Moves a deployment on as the pipeline would.
    pub async fn advance(&self, id: &str, to: State) {
        let (deployment, now) = (self.deployment(id).await, self.app.clock.now());
        let moved = deployment.clone();
        self.app
            .db
            .write(move |c| db::transitions::advance(c, &moved.id, moved.state, to, now))
            .await
            .unwrap();
        self.say(&deployment).await;
    }

    /// Brings a deployment to its end; with `live` visitors get it, as the pipeline would do it.
    pub async fn finish(&self, id: &str, live: bool) {
        for state in [
            State::Cloning,
            State::Detecting,
            State::Building,
            State::Starting,
            State::Checking,
            State::Ready,
        ] {
            self.advance(id, state).await;
        }
        if live {
            self.point_at(id).await;
        }
    }

    /// Moves the traffic to a deployment, as the pipeline would.
    pub async fn point_at(&self, id: &str) {
        let (deployment, now) = (self.deployment(id).await, self.app.clock.now());
        let moved = self.app.db.write(move |c| -> Result<(), db::DbError> {
            let project = db::projects::find(c, &deployment.project_id)?.unwrap();
            let from = project.live_deployment_id.as_ref();
            db::projects::point_at(c, &project.id, from, &deployment.id, None, now)?;
            db::transitions::record_live(c, &deployment.id, now)
        });
        moved.await.unwrap();
        self.say(&self.deployment(id).await).await;
    }

    /// What a project's variables are, with their values: `all.A=1`.
    pub async fn values(&self, project: &str) -> Vec<String> {
        let wanted = project.to_owned();
        let find = move |c: &db::Connection| -> Result<_, db::DbError> {
            let project = db::projects::find_by_name(c, &wanted)?.unwrap();
            Ok((project.id.clone(), db::env_vars::all(c, &project.id)?))
        };
        let (id, all) = self.app.db.read(find).await.unwrap();
        let value = |stored: db::env_vars::StoredVar| {
            let (key, target) = (&stored.variable.key, stored.variable.target);
            let identity = db::env_vars::identity(&id, target, key);
            let value = self.app.secrets.open(&identity, &stored.sealed).unwrap();
            format!("{}.{key}={}", target.as_str(), String::from_utf8(value).unwrap())
        };
        let mut values: Vec<_> = all.into_iter().map(value).collect();
        values.sort_unstable();
        values
    }

    /// How often something stands in the audit log of Ada's.
    pub async fn written(&self, action: &str) -> usize {
        let scopes = ["full".to_owned()];
        let (_, key) = self.app.create_key_for("ada@example.com", "log", &scopes).await.unwrap();
        let mut program = self.browser();
        let request = program.request("GET", &format!("/api/v1/audit-log?action={action}"));
        let request = request.header("authorization", format!("Bearer {key}"));
        let page = program.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.body.matches(&format!("\"{action}\"")).count()
    }

    /// Lets a deployment fail as the pipeline would.
    pub async fn fail(&self, id: &str, failure: Failure) {
        let (deployment, now) = (self.deployment(id).await, self.app.clock.now());
        let failed = deployment.clone();
        self.app
            .db
            .write(move |c| db::transitions::fail(c, &failed.id, failed.state, &failure, now))
            .await
            .unwrap();
        self.app.logs.finish(LogName::Build(deployment.id.clone())).await.unwrap();
        self.say(&deployment).await;
    }

    /// Says that a deployment changed.
    pub async fn say(&self, deployment: &Deployment) {
        let project = deployment.project_id.clone();
        let find = move |c: &db::Connection| db::projects::find(c, &project);
        let project = self.app.db.read(find).await.unwrap().unwrap();
        self.app.bus.send(Change::Deployment(project.team_id, project.id, deployment.id.clone()));
    }

    /// Writes lines into the build log.
    pub async fn write(&self, id: &str, lines: &[&str]) {
        let id = DeploymentId::parse(id).unwrap();
        let writer = self.app.logs.writer(LogName::Build(id), Redactor::default()).await.unwrap();
        for line in lines {
            writer.append(NewLine {
                ts: self.app.clock.now(),
                source: LogSource::Build,
                stream: LogStream::Stdout,
                level: LogLevel::Info,
                phase: Some("building".to_owned()),
                message: (*line).to_owned(),
            });
        }
        self.app.logs.flush().await;
    }
}
