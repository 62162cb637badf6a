//! What a user reads when a deployment fails, on real Docker; nothing is left of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api_client::text;
use crate::support::apps;
use crate::support::git_server::{GitServer, Repository};
use crate::support::orbitra::Orbitra;
use crate::support::processes::process_runs;
use crate::support::until::within;

/// Deploys to a new project and waits for the failure. The site says what happened; the engine has nothing.
async fn failure(orbitra: &Orbitra, repository: &Repository, runtime: Value) -> Value {
    let api = &orbitra.api;
    let project = api.project("failing", json!({"runtime": runtime})).await;
    let id = api.deploy(&project, repository, json!({})).await;
    let error = api.failure(&id).await;
    assert!(orbitra.owned("container").is_empty());
    assert!(orbitra.owned("image").is_empty());
    assert_eq!(api.get(&format!("/projects/{project}")).await["status"], "pending");
    let page = orbitra.visit("failing.localhost", "/").await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("Not available"), "{}", page.body);
    let log = api.log(&id).await;
    let last = error["message"].as_str().unwrap().lines().next().unwrap();
    assert!(log.contains(last), "{last} is not in the log:\n{log}");
    error
}

/// A health check that gives up soon.
fn impatient() -> Value {
    json!({"healthcheck": {"grace_seconds": 2, "timeout_seconds": 1}})
}

#[tokio::test]
async fn a_build_that_fails_gives_its_exit_code_and_its_last_words() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository("app", "fails-to-build");
    let error = failure(&orbitra, &repository, json!({})).await;
    assert_eq!((&error["code"], &error["phase"]), (&json!("build_failed"), &json!("building")));
    assert_eq!(error["exit_code"], 2);
    assert!(text(&error, "message").contains("ended with exit code 2"), "{error}");
    let id = orbitra.api.statuses("failing").await[0].0.clone();
    let log = orbitra.api.log(&id).await;
    assert!(log.contains("error: src/index.ts(3,7): '}' expected"), "{log}");
}

#[tokio::test]
async fn a_build_that_never_ends_is_ended_at_its_deadline_with_its_processes() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let marker = format!("700.{}", std::process::id());
    let dockerfile = format!("FROM debian:bookworm-slim\nRUN sleep {marker}\n");
    let repository = git.repository_of("app", &[("Dockerfile", &dockerfile)]);
    let api = &orbitra.api;
    let project = api.project("endless", json!({"build": {"timeout_seconds": 10}})).await;
    let id = api.deploy(&project, &repository, json!({})).await;
    let error = api.failure(&id).await;
    assert_eq!((&error["code"], &error["phase"]), (&json!("build_timeout"), &json!("building")));
    assert!(text(&error, "message").contains("10 s"), "{error}");
    within(Duration::from_secs(5), "no process is left", async || {
        (!process_runs(&["sleep", &marker])).then_some(())
    })
    .await;
    assert!(orbitra.owned("container").is_empty() && orbitra.owned("image").is_empty());
    // Its place is free for the next one.
    repository.commit("Dockerfile", apps::DOCKERFILE);
    repository.commit("server.js", &apps::answering("built"));
    api.deploy_live(&project, &repository).await;
    assert_eq!(orbitra.visit("endless.localhost", "/").await.body, "built");
}

#[tokio::test]
async fn a_process_that_ends_gives_its_exit_code_and_its_last_words() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let error = failure(&orbitra, &git.repository("app", "crashes"), json!({})).await;
    assert_eq!(error["code"], "start_failed");
    assert_eq!(error["exit_code"], 1);
    assert_eq!(
        error["message"],
        "The application stopped with exit code 1: the variable `DATABASE_URL` is not set. Last output:\nstarting\n\
         cannot read the configuration: DATABASE_URL is not set"
    );
}

#[tokio::test]
async fn a_process_that_listens_only_to_itself_is_told_so() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let server = apps::answering("x").replace("0.0.0.0", "127.0.0.1");
    let repository = git.repository_of("app", &apps::node(&server));
    let error = failure(&orbitra, &repository, impatient()).await;
    assert_eq!(error["code"], "port_not_listening");
    assert_eq!(
        error["message"],
        "Nothing listens on port 3000 after 2 s. The application listens on 127.0.0.1:3000, which \
         only it can reach itself: it must listen on 0.0.0.0. Last output:\nlistening"
    );
}

#[tokio::test]
async fn a_port_that_was_set_wrongly_is_told_with_the_right_one() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let server = apps::answering("x").replace("process.env.PORT", "4321");
    let repository = git.repository_of("app", &apps::node(&server));
    let mut runtime = impatient();
    runtime["port"] = json!(5000);
    let error = failure(&orbitra, &repository, runtime).await;
    assert_eq!(error["code"], "port_not_listening");
    assert_eq!(
        error["message"],
        "Nothing listens on port 5000 after 2 s. The application listens on 4321: set the \
         project's port, or listen on the variable PORT. Last output:\nlistening"
    );
}

#[tokio::test]
async fn a_process_that_wants_too_much_memory_is_told_so() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let server = "const kept = []; for (;;) kept.push(Buffer.alloc(8 << 20, 1));";
    let repository = git.repository_of("app", &apps::node(server));
    let error = failure(&orbitra, &repository, json!({"memory_mb": 64})).await;
    assert_eq!(error["code"], "out_of_memory", "{error}");
    let message = text(&error, "message");
    assert!(message.contains("it used more than its 64 MiB of memory."), "{message}");
}

#[tokio::test]
async fn a_branch_and_a_repository_that_do_not_exist_are_named() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (mut repository, api) = (git.repository("hello", "dockerfile-hello"), &orbitra.api);
    let project = api.project("missing", json!({})).await;
    let id = api.deploy(&project, &repository, json!({"branch": "nowhere"})).await;
    let error = api.failure(&id).await;
    assert_eq!(
        (&error["code"], &error["cause"]),
        (&json!("branch_not_found"), &json!("branch_missing"))
    );
    assert!(text(&error, "hint").starts_with("Deploy `main`"), "{error}");
    assert!(text(&error, "message").contains("nowhere"), "{error}");

    let id = api
        .deploy(&project, &repository, json!({"branch": "main", "commit_sha": "0123456789"}))
        .await;
    assert_eq!(api.failure(&id).await["code"], "commit_not_found");

    repository.url = repository.url.replace("hello.git", "other.git");
    let id = api.deploy(&project, &repository, json!({})).await;
    let error = api.failure(&id).await;
    assert_eq!((&error["code"], &error["phase"]), (&json!("auth_failed"), &json!("cloning")));
    assert!(text(&error, "message").contains("other.git"), "{error}");
    assert_eq!(error["cause"], "sign_in_needed");
    assert!(text(&error, "hint").contains("deploy key"), "{error}");
}
