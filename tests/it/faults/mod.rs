//! The fault table: the real program, killed, stopped and cut off at every step, on an engine behind a socket of
//! the test's own. After every fault [`invariants`] are checked.

mod cancels;
mod challenges;
mod checks;
mod engine_away;
mod failpoints;
mod held;
mod invariants;
mod kills;
mod memory;
mod process;
mod pushed;
mod queue;
mod random_kills;
mod replicas;
mod requests;
mod schedules;
mod storage;
mod strays;
mod upgrade;
mod upgrade_visitors;

use serde_json::{Value, json};

use self::held::Held;
use crate::support::api_client::{host_of, text, try_visit};
use crate::support::docker_api::DockerApi;
use crate::support::engine::Engine;
use crate::support::git_server::{GitServer, Repository};
use crate::support::orbitra::Orbitra;

/// A value that must never stand anywhere in clear.
const CANARY: &str = "ORBCANARY-4f1d9b";
const DOCKERFILE: &str = "FROM scratch\nCOPY app.json ./\n";
const POINTS: &str = "ORBITRA_FAILPOINTS";

/// The program in a process of its own, and everything around it in this one.
struct Place {
    orbitra: Orbitra,
    engine: Engine,
    socket: DockerApi,
    git: GitServer,
    /// What the program held right after its first start.
    fresh: Held,
}

impl Place {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(more: &[(&str, &str)]) -> Self {
        let engine = Engine::new();
        let socket = DockerApi::serve(engine.clone());
        let settings = [&[("ORBITRA_DRAIN_SECONDS", "1")], more];
        let orbitra = Orbitra::start_on(&socket.host(), &settings.concat()).await;
        let fresh = Held::by(orbitra.pid());
        Self { orbitra, engine, socket, git: GitServer::start(), fresh }
    }

    /// A repository whose application behaves like this.
    fn repository(&self, name: &str, app: &Value) -> Repository {
        let app = app.to_string();
        self.git.repository_of(name, &[("Dockerfile", DOCKERFILE), ("app.json", &app)])
    }

    /// A project with a secret, whose health check gives up soon.
    async fn project(&self, name: &str) -> String {
        let health = json!({"healthcheck": {"grace_seconds": 5, "timeout_seconds": 1}});
        let project = self.orbitra.api.project(name, json!({"runtime": health})).await;
        let path = format!("/projects/{project}/env/SECRET");
        self.orbitra.api.done("PUT", &path, Some(json!({"value": CANARY}))).await;
        project
    }

    /// A project whose first deployment is live and answers `body`. Answers both.
    async fn live(&self, name: &str, repository: &Repository) -> (String, String) {
        let project = self.project(name).await;
        let id = text(&self.orbitra.api.deploy_live(&project, repository).await, "id");
        (project, id)
    }

    async fn deploy(&self, project: &str, repository: &Repository) -> String {
        self.orbitra.api.deploy(project, repository, json!({})).await
    }

    /// What a project's host answers: its body, or its status.
    async fn site(&self, name: &str) -> String {
        let host = format!("{name}.localhost");
        match try_visit(self.orbitra.port, &host, "/").await {
            Ok(answer) if answer.status == 200 => answer.body,
            Ok(answer) => answer.status.to_string(),
            Err(error) => error,
        }
    }

    /// What a deployment's own URL answers.
    async fn own_site(&self, deployment: &str) -> String {
        let shown = self.orbitra.api.get(&format!("/deployments/{deployment}")).await;
        let host = host_of(&text(&shown, "url"));
        let answer = try_visit(self.orbitra.port, &host, "/").await.unwrap();
        if answer.status == 200 { answer.body } else { answer.status.to_string() }
    }

    /// Ends the program and starts it with these failpoints.
    async fn rearm(&mut self, points: &str) {
        self.orbitra.kill9();
        self.orbitra.restart_with(&[(POINTS, points)]).await;
    }
}

/// Holds the program at a failpoint until it is opened.
struct Gate(tempfile::TempDir);

impl Gate {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The failpoint that stands still there.
    fn at(&self, point: &str) -> String {
        format!("{point}=until({})", self.0.path().join("open").display())
    }

    /// The failpoints where what was cut off stands still, whether it begins again or goes on.
    fn before_anything(&self) -> String {
        format!("{};{}", self.at("clone.start"), self.at("check.resumed"))
    }

    fn open(&self) {
        std::fs::write(self.0.path().join("open"), "").unwrap();
    }
}

/// Commits another behaviour.
fn change(repository: &Repository, app: &Value) {
    repository.commit("app.json", &app.to_string());
}
