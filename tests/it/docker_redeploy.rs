//! A second deployment while visitors come, on real Docker.

use serde_json::json;

use crate::support::api_client::{host_of, text};
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::load::Load;
use crate::support::orbitra::Orbitra;
use crate::support::until::until;

/// Requests a second.
const RATE: u32 = 200;
/// Answers of each deployment that make the test worth something.
const ENOUGH: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_commit_goes_live_without_a_failed_request() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("one")));
    let api = &orbitra.api;
    let project = api.project("busy", json!({})).await;
    let first = api.deploy_live(&project, &repository).await;

    let load = Load::start(orbitra.port, "busy.localhost", RATE);
    until("many visitors see the first", async || {
        (load.seen().bodies.get("one") > Some(&ENOUGH)).then_some(())
    })
    .await;
    repository.commit("server.js", &apps::answering("two"));
    let second = api.deploy_live(&project, &repository).await;
    let first_id = text(&first, "id");
    // Load goes on until the old container has drained and takes no more time.
    until("the old container is paused", async || {
        let paused = &orbitra.container_of(&first_id)["State"]["Paused"];
        (paused == true).then_some(())
    })
    .await;
    until("many visitors see the second", async || {
        (load.seen().bodies.get("two") > Some(&ENOUGH)).then_some(())
    })
    .await;
    let seen = load.stop().await;

    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    assert_eq!(seen.bodies.len(), 2);
    let expected = [(text(&second, "id"), "live".to_owned()), (first_id, "superseded".to_owned())];
    assert_eq!(api.statuses(&project).await, expected);

    // The first deployment sleeps; a request to its own URL wakes it.
    let woken = orbitra.visit(&host_of(&text(&first, "url")), "/").await;
    assert_eq!((woken.status.as_u16(), woken.body.as_str()), (200, "one"));
    assert_eq!(orbitra.visit("busy.localhost", "/").await.body, "two");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_leaves_the_old_one_serving() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("good")));
    let api = &orbitra.api;
    let health = json!({"healthcheck": {"grace_seconds": 2, "timeout_seconds": 1}});
    let project = api.project("steady", json!({"runtime": health})).await;
    let good = api.deploy_live(&project, &repository).await;
    let load = Load::start(orbitra.port, "steady.localhost", RATE);

    repository.change("Dockerfile", "COPY", "RUN exit 7\nCOPY");
    let id = api.deploy(&project, &repository, json!({})).await;
    let error = api.failure(&id).await;
    assert_eq!(error["code"], "build_failed");
    assert_eq!(error["exit_code"], 7);

    repository.commit("Dockerfile", apps::DOCKERFILE);
    let broken = apps::answering("broken").replace("response.end", "response.writeHead(500).end");
    repository.commit("server.js", &broken);
    let id = api.deploy(&project, &repository, json!({})).await;
    let error = api.failure(&id).await;
    assert_eq!(error["code"], "healthcheck_failed");
    assert_eq!(
        error["message"],
        "GET / answered 500 for 2 s; expected is 200-399. Last body: broken Last output:\nlistening"
    );
    assert!(!orbitra.has_container(&id));

    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    assert_eq!(seen.bodies.keys().collect::<Vec<_>>(), ["good"]);
    let current = api.get(&format!("/projects/{project}")).await;
    assert_eq!(current["live_deployment_id"], good["id"]);
    assert_eq!(current["status"], "active");
}

#[tokio::test]
async fn a_request_that_was_begun_on_the_old_one_is_finished_there() {
    let (git, orbitra) =
        (GitServer::start(), Orbitra::start_with(&[("ORBITRA_DRAIN_SECONDS", "20")]).await);
    let slow = apps::answering("one").replace(
        "response.end(\"one\")",
        "request.url === \"/slow\" ? setTimeout(() => response.end(\"slow one\"), 6000) : response.end(\"one\")",
    );
    let (repository, api) = (git.repository_of("app", &apps::node(&slow)), &orbitra.api);
    let project = api.project("patient", json!({})).await;
    api.deploy_live(&project, &repository).await;

    repository.commit("server.js", &apps::answering("two"));
    let slow = orbitra.visit("patient.localhost", "/slow");
    let redeployed = async {
        let second = api.deploy_live(&project, &repository).await;
        assert_eq!(orbitra.visit("patient.localhost", "/").await.body, "two");
        second
    };
    let (slow, _) = tokio::join!(slow, redeployed);
    assert_eq!(slow.body, "slow one");
}
