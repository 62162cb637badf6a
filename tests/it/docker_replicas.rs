//! A deployment in several containers, on real Docker.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api_client::text;
use crate::support::apps;
use crate::support::git_server::{GitServer, Repository};
use crate::support::load::Load;
use crate::support::orbitra::{Orbitra, docker, inspect};
use crate::support::until::{until, within};

/// Requests a second.
const RATE: u32 = 200;
const INSTANCES: usize = 3;
/// Answers of each container that make the test worth something.
const ENOUGH: usize = 30;

/// Answers this text and the container's own address, so that containers are told apart.
fn answering(text: &str) -> String {
    let own = "const own = Object.values(require(\"node:os\").networkInterfaces()).flat()
  .find((one) => !one.internal).address;\n";
    let (plain, with) = (format!("end(\"{text}\")"), format!("end(\"{text} \" + own)"));
    own.to_owned() + &apps::answering(text).replace(&plain, &with)
}

async fn live(orbitra: &Orbitra, git: &GitServer, name: &str) -> (String, Repository, String) {
    let repository = git.repository_of("app", &apps::node(&answering("one")));
    let runtime = json!({"instances": INSTANCES, "memory_mb": 128});
    let project = orbitra.api.project(name, json!({ "runtime": runtime })).await;
    let id = text(&orbitra.api.deploy_live(&project, &repository).await, "id");
    (project, repository, id)
}

/// Identifiers of a deployment's containers.
fn ids(id: &str) -> Vec<String> {
    let label = format!("label=orbitra.deployment={id}");
    let found = docker(&["container", "ls", "-aq", "--no-trunc", "--filter", &label]);
    found.lines().map(str::to_owned).collect()
}

/// Everything the engine says of them.
fn containers(id: &str) -> Vec<Value> {
    ids(id).iter().map(|id| inspect("container", id)).collect()
}

fn running(id: &str) -> usize {
    containers(id).iter().filter(|one| one["State"]["Running"] == true).count()
}

/// How many different containers have answered often enough with this text.
fn answered(load: &Load, text: &str) -> usize {
    let bodies = load.seen().bodies;
    bodies.iter().filter(|(body, count)| body.starts_with(text) && **count > ENOUGH).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_share_the_requests_and_a_redeploy_drops_none() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (project, repository, one) = live(&orbitra, &git, "shared").await;
    let made = containers(&one);
    assert_eq!(made.len(), INSTANCES);
    let mut numbers = BTreeSet::new();
    for container in &made {
        assert_eq!(container["HostConfig"]["Memory"], 128 * 1024 * 1024);
        assert_eq!(container["Image"], made[0]["Image"]);
        assert_eq!(container["Config"]["Env"], made[0]["Config"]["Env"]);
        numbers.insert(container["Config"]["Labels"]["orbitra.replica"].as_str().unwrap());
    }
    assert_eq!(numbers, BTreeSet::from(["1", "2", "3"]));

    let load = Load::start(orbitra.port, "shared.localhost", RATE);
    until("all three answer", async || (answered(&load, "one") == INSTANCES).then_some(())).await;
    repository.commit("server.js", &answering("two"));
    let two = text(&orbitra.api.deploy_live(&project, &repository).await, "id");
    until("the old ones are paused", async || {
        containers(&one).iter().all(|one| one["State"]["Paused"] == true).then_some(())
    })
    .await;
    until("all new ones answer", async || (answered(&load, "two") == INSTANCES).then_some(()))
        .await;
    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);

    orbitra.api.done("DELETE", &format!("/deployments/{one}"), None).await;
    within(Duration::from_secs(30), "the old ones are gone", async || {
        ids(&one).is_empty().then_some(())
    })
    .await;
    let path = format!("/projects/{project}/pause");
    orbitra.api.done("POST", &path, Some(json!({}))).await;
    within(Duration::from_secs(30), "all are stopped", async || (running(&two) == 0).then_some(()))
        .await;
    orbitra.api.call("DELETE", &format!("/projects/{project}"), None).await;
    within(Duration::from_secs(30), "nothing is left", async || {
        (orbitra.owned("container").is_empty() && orbitra.owned("network").is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_is_replaced_while_no_request_fails() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (project, _, id) = live(&orbitra, &git, "sturdy").await;
    let load = Load::start(orbitra.port, "sturdy.localhost", RATE);
    until("all three answer", async || (answered(&load, "one") == INSTANCES).then_some(())).await;
    let name = format!("orbitra-{id}.2");
    let before = inspect("container", &name)["State"]["Pid"].clone();
    docker(&["kill", &name]);
    within(Duration::from_secs(30), "it runs again", async || {
        let state = inspect("container", &name)["State"].clone();
        let shown = orbitra.api.get(&format!("/deployments/{id}")).await;
        assert_eq!(shown["status"], "live");
        (state["Running"] == true && state["Pid"] != before).then_some(())
    })
    .await;
    let log = format!("/projects/{project}/logs?limit=1000");
    within(Duration::from_secs(30), "it serves again", async || {
        let lines = orbitra.api.get(&log).await.to_string();
        lines.contains("Replica 2 serves.").then_some(())
    })
    .await;
    let asked = load.seen().requests;
    until("requests go on", async || (load.seen().requests > asked + 200).then_some(())).await;
    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    assert_eq!(running(&id), INSTANCES);
}

#[tokio::test]
async fn one_that_does_not_start_leaves_nothing() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (project, repository, one) = live(&orbitra, &git, "picky").await;
    // The one that gets a certain address ends.
    let picky = answering("two").replace(
        "server.listen(",
        "if (own.endsWith(process.env.UNLUCKY || \"none\")) process.exit(7);\nserver.listen(",
    );
    repository.commit("server.js", &picky);
    let addresses: Vec<_> = containers(&one)
        .iter()
        .map(|container| {
            let networks = container["NetworkSettings"]["Networks"].as_object().unwrap().clone();
            networks.values().next().unwrap()["IPAddress"].as_str().unwrap().to_owned()
        })
        .collect();
    // The next three addresses follow those of the first three.
    let last = addresses.iter().map(|ip| ip.rsplit_once('.').unwrap().1.parse::<u8>().unwrap());
    let unlucky = format!(".{}", last.max().unwrap() + 2);
    let path = format!("/projects/{project}/env/UNLUCKY");
    orbitra.api.done("PUT", &path, Some(json!({"value": unlucky}))).await;
    let id = orbitra.api.deploy(&project, &repository, json!({})).await;
    let error = orbitra.api.failure(&id).await;
    assert_eq!((&error["code"], &error["exit_code"]), (&json!("start_failed"), &json!(7)));
    assert!(text(&error, "message").starts_with("Replica "), "{error}");
    assert!(ids(&id).is_empty());
    assert_eq!(running(&one), INSTANCES);
    assert!(orbitra.visit("picky.localhost", "/").await.body.starts_with("one"));
}
