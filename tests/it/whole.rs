//! The whole application in this process: real SQLite, real sockets, real Git, and an engine whose
//! containers are little HTTP servers.

mod alarms;
mod archives_and_images;
mod branches;
mod built_site;
mod cancel;
mod checks;
mod commit_statuses;
mod disk_full;
mod domain_claims;
mod domains;
mod env;
pub mod event_keys;
mod failures;
mod git_push;
mod health;
mod held;
mod held_back;
mod interrupted;
mod kept_assets;
mod log_viewers;
mod metrics;
mod no_domain;
mod paused;
mod pushes;
mod queue;
mod rates;
mod read_only;
mod receipt;
mod release;
mod release_command;
mod repack;
mod replicas;
mod repository_settings;
mod restart;
mod retention;
mod room;
mod runtime_logs;
mod serving;
mod sleep;
mod sources;
mod visitors;
mod wake;
mod wall;
mod watch;
mod webhook_answers;
mod webhook_formats;
mod webhook_lanes;
pub mod webhooks;

use std::sync::Arc;

use orbitra::app::App;
use orbitra::app::users::NewUser;
use orbitra::boot::{self, Orbitra};
use orbitra::clock::Clock;
use orbitra::config::{Config, DataDir, Flags};
use orbitra::model::actor::Actor;
use orbitra::model::deployment::Deployment;
use orbitra::model::user::Plan;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::api_client::{Answer, Api, host_of, text, try_visit};
use crate::support::engine::Engine;
use crate::support::git_server::{GitServer, Repository};
use crate::support::until::until;

/// Nothing is paused; what is not needed stops at once.
const NO_PAUSE: &[(&str, &str)] = &[("ORBITRA_STOP_AFTER", "0")];

const DOCKERFILE: &str = "FROM scratch\nCOPY app.json ./\n";

/// An Orbitra with everything around it.
pub struct Whole {
    pub api: Api,
    engine: Engine,
    git: GitServer,
    data: TempDir,
    more: Vec<(&'static str, &'static str)>,
    /// The account whose key the API has.
    actor: Option<Actor>,
    /// The program, on threads of its own, so that it can be ended as a power cut would.
    pub program: Option<(Runtime, Orbitra)>,
}

impl Whole {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(more: &[(&'static str, &'static str)]) -> Self {
        let mut whole = Self::stopped(more, tempfile::tempdir().unwrap());
        whole.begin().await;
        whole
    }

    /// One that was never started, on a directory of its own.
    fn stopped(more: &[(&'static str, &'static str)], data: TempDir) -> Self {
        Self {
            api: Api { port: 0, key: String::new() },
            engine: Engine::new(),
            git: GitServer::start(),
            data,
            more: more.to_vec(),
            actor: None,
            program: None,
        }
    }

    /// Starts it for the first time and makes the account.
    async fn begin(&mut self) {
        self.run().await;
        let app = self.program.as_ref().unwrap().1.app.clone();
        let user = NewUser {
            email: "a@example.com".to_owned(),
            name: "A".to_owned(),
            plan: Plan::Enterprise,
            instance_admin: false,
            password: None,
        };
        let user = app.create_user(user).await.unwrap();
        self.actor = Some(Actor::operator_for(&user));
        let full = ["full".to_owned()];
        self.api.key = app.create_key_for("a@example.com", "tests", &full).await.unwrap().1;
    }

    /// Its data directory.
    pub fn directory(&self) -> &std::path::Path {
        self.data.path()
    }

    pub fn app(&self) -> App {
        self.program.as_ref().unwrap().1.app.clone()
    }

    fn actor(&self) -> &Actor {
        self.actor.as_ref().unwrap()
    }

    /// A deployment as it is stored.
    async fn stored(&self, id: &str) -> Deployment {
        self.app().deployment(self.actor(), id).await.unwrap().0
    }

    /// The first container of a deployment, as it is stored.
    async fn container(&self, id: &str) -> Option<String> {
        self.stored(id).await.containers().next().map(str::to_owned)
    }

    /// Waits until nothing is on its way to the traffic, and answers the deployment.
    async fn released(&self, id: &str) -> Deployment {
        // Its answer waits until visitors get what is live.
        self.api.finished(id).await;
        until("the release is over", async || {
            let stored = self.stored(id).await;
            stored.release.is_none().then_some(stored)
        })
        .await
    }

    /// Events so far, as (name, data).
    pub fn events(&self) -> Vec<(String, Value)> {
        let database = rusqlite::Connection::open(self.data.path().join("orbitra.db")).unwrap();
        let mut statement =
            database.prepare("SELECT event, data FROM events ORDER BY seq").unwrap();
        let read = |row: &rusqlite::Row<'_>| {
            let data: String = row.get(1)?;
            Ok((row.get(0)?, serde_json::from_str(&data).unwrap()))
        };
        statement.query_map([], read).unwrap().map(Result::unwrap).collect()
    }

    /// Writes into a project's settings at a JSON path.
    fn set_runtime(&self, project: &str, path: &str, value: &Value) {
        let changed = self.change_rows(
            "UPDATE projects SET runtime = json_set(runtime, ?2, json(?3)), revision = revision + 1 WHERE id = ?1",
            [project, path, &value.to_string()],
        );
        assert_eq!(changed, 1);
    }

    /// Writes down that a deployment has a process in this state, as one that was cut off left it.
    fn set_run_state(&self, id: &str, run_state: &str) {
        let sql = "UPDATE deployments SET run_state = ?2 WHERE id = ?1";
        assert_eq!(self.change_rows(sql, [id, run_state]), 1);
    }

    pub fn change_rows<const N: usize>(&self, sql: &str, values: [&str; N]) -> usize {
        let database = rusqlite::Connection::open(self.data.path().join("orbitra.db")).unwrap();
        database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        database.execute(sql, rusqlite::params_from_iter(values)).unwrap()
    }

    /// Starts the program on the data that is there.
    pub async fn run(&mut self) {
        let flags = Flags {
            data: Some(self.data.path().to_owned()),
            listen: Some("127.0.0.1:0".to_owned()),
        };
        let more = self.more.clone();
        let config = Config::load(&flags, |name| match name {
            "ORBITRA_EGRESS_ALLOW" => Some("127.0.0.1/32".to_owned()),
            "ORBITRA_EGRESS_ALLOW_HTTP" => Some("true".to_owned()),
            "ORBITRA_DRAIN_SECONDS" => Some("1".to_owned()),
            _ => more.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        });
        let (config, engine) = (config.unwrap(), Arc::new(self.engine.clone()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let starting = runtime.spawn(async move {
            let lock = DataDir::open(&config.data).unwrap().lock().unwrap();
            let instance = boot::open(&config, Clock::System).await.unwrap();
            Orbitra::start_with(config, instance, engine, lock).await.unwrap()
        });
        let orbitra = starting.await.unwrap();
        self.api.port = orbitra.local_addr().port();
        self.program = Some((runtime, orbitra));
    }

    /// Ends the program without a word to any of its tasks.
    pub fn cut_off(&mut self) {
        let (runtime, orbitra) = self.program.take().unwrap();
        runtime.shutdown_background();
        drop(orbitra);
    }

    /// Stops the program as SIGTERM does.
    async fn stop(&mut self) {
        let (runtime, orbitra) = self.program.take().unwrap();
        runtime.spawn(orbitra.stop()).await.unwrap();
        runtime.shutdown_background();
    }

    /// A repository whose application behaves like this.
    pub fn repository(&self, app: &Value) -> Repository {
        let app = app.to_string();
        self.git.repository_of("app", &[("Dockerfile", DOCKERFILE), ("app.json", &app)])
    }

    /// A project with a health check that gives up soon.
    pub async fn project(&self, name: &str) -> String {
        let health = json!({"healthcheck": {"grace_seconds": 1, "timeout_seconds": 1}});
        self.api.project(name, json!({"runtime": health})).await
    }

    async fn deploy(&self, project: &str, repository: &Repository) -> String {
        self.api.deploy(project, repository, json!({})).await
    }

    pub async fn visit(&self, host: &str) -> Answer {
        try_visit(self.api.port, host, "/").await.unwrap()
    }

    /// The body of a project's site.
    async fn site(&self, project: &str) -> String {
        self.visit(&format!("{project}.localhost")).await.body
    }

    /// Visits a deployment's own URL.
    async fn own_url(&self, deployment: &str) -> Answer {
        let deployment = self.api.get(&format!("/deployments/{deployment}")).await;
        self.visit(&host_of(&text(&deployment, "url"))).await
    }

    /// Waits until a deployment is in a phase.
    async fn phase(&self, deployment: &str, phase: &str) {
        self.phase_of(&self.api, deployment, phase).await;
    }

    /// The same of somebody else's.
    async fn phase_of(&self, api: &Api, deployment: &str, phase: &str) {
        until(phase, async || {
            let shown = api.get(&format!("/deployments/{deployment}")).await;
            (shown["phase"] == phase).then_some(())
        })
        .await;
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if self.program.is_some() {
            self.cut_off();
        }
    }
}

/// Commits another behaviour.
fn change(repository: &Repository, app: &Value) {
    repository.commit("app.json", &app.to_string());
}
