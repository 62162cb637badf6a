//! Held switches and returns by itself, on real Docker.

use serde_json::{Value, json};

use crate::support::api_client::text;
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::load::Load;
use crate::support::orbitra::{Orbitra, inspect};
use crate::support::until::until;

/// Requests a second.
const RATE: u32 = 200;
/// Answers of each deployment that make the test worth something.
const ENOUGH: usize = 100;

/// When a container's process began and ended, as the engine writes it down: these texts sort by time.
fn times(container: &Value) -> (String, String) {
    (text(&container["State"], "StartedAt"), text(&container["State"], "FinishedAt"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_switch_under_load_runs_one_after_the_other_and_fails_no_request() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let mut files = apps::node("").to_vec();
    let (one, settings) = (apps::answering("one"), "[runtime]\nstrategy = \"single\"\n");
    files[1].1 = &one;
    files.push(("orbitra.toml", settings));
    let (repository, api) = (git.repository_of("app", &files), &orbitra.api);
    let project = api.project("alone", json!({})).await;
    let first = text(&api.deploy_live(&project, &repository).await, "id");
    let load = Load::patient(orbitra.port, "alone.localhost", RATE);
    until("many visitors see the first", async || {
        (load.seen().bodies.get("one") > Some(&ENOUGH)).then_some(())
    })
    .await;
    repository.commit("server.js", &apps::answering("two"));
    let second = text(&api.deploy_live(&project, &repository).await, "id");
    until("many visitors see the second", async || {
        (load.seen().bodies.get("two") > Some(&ENOUGH)).then_some(())
    })
    .await;
    let (_, ended) = times(&orbitra.container_of(&first));
    let (began, _) = times(&orbitra.container_of(&second));
    assert!(ended < began, "the first ended at {ended}, the second began at {began}");

    // One that does not come up: whoever waits is answered by what served before, which is started again.
    repository.commit("server.js", "process.exit(9);");
    let broken = api.deploy(&project, &repository, json!({})).await;
    let error = api.failure(&broken).await;
    assert_eq!((&error["code"], &error["exit_code"]), (&json!("start_failed"), &json!(9)));
    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    assert_eq!(seen.bodies.keys().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(orbitra.visit("alone.localhost", "/").await.body, "two");
    let running: Vec<_> = orbitra
        .owned("container")
        .into_iter()
        .filter(|id| inspect("container", id)["State"]["Running"] == true)
        .collect();
    assert_eq!(running.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_a_held_switch_leaves_one_of_the_two_serving() {
    let (git, mut orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("one")));
    let runtime = json!({"runtime": {"release": {"strategy": "single"}}});
    let project = orbitra.api.project("alone", runtime).await;
    let first = text(&orbitra.api.deploy_live(&project, &repository).await, "id");
    // Slow to start, so that there is a middle.
    let slow = apps::answering("two").replace("server.listen(", "setTimeout(() => server.listen(");
    let slow = slow.replace("console.log(\"listening\"));", "console.log(\"listening\")), 1500);");
    repository.commit("server.js", &slow);
    let second = orbitra.api.deploy(&project, &repository, json!({})).await;
    until("the first has stopped", async || {
        (orbitra.container_of(&first)["State"]["Running"] == false).then_some(())
    })
    .await;
    orbitra.kill9();
    orbitra.restart().await;
    let served = orbitra.visit("alone.localhost", "/").await;
    assert_eq!(served.status, 200, "{}", served.body);
    orbitra.api.live(&second).await;
    assert_eq!(orbitra.visit("alone.localhost", "/").await.body, "two");
    assert_eq!(orbitra.container_of(&first)["State"]["Running"], false);
}

/// A deployment that takes Orbitra down each time between the two is given up, and the old one serves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_switch_that_kills_orbitra_each_time_ends_with_the_old_one_serving() {
    let git = GitServer::start();
    for point in ["hold.recorded", "hold.stopped"] {
        let kill = format!("{point}=kill");
        let mut orbitra = Orbitra::start_with(&[("ORBITRA_FAILPOINTS", &kill)]).await;
        let answering = apps::answering("one");
        let files = apps::node(&answering);
        let repository = git.repository_of(&point.replace('.', "-"), &files);
        let runtime = json!({"runtime": {"release": {"strategy": "single"}}});
        let project = orbitra.api.project("alone", runtime).await;
        let first = text(&orbitra.api.deploy_live(&project, &repository).await, "id");
        repository.commit("server.js", &apps::answering("two"));
        let second = orbitra.api.deploy(&project, &repository, json!({})).await;
        for _ in 0..4 {
            orbitra.ended().await;
            orbitra.restart().await;
        }
        let error = orbitra.api.failure(&second).await;
        assert_eq!(error["code"], "engine_error", "{point}");
        until("the old one serves", async || {
            let answer = orbitra.visit("alone.localhost", "/").await;
            (answer.status == 200 && answer.body == "one").then_some(())
        })
        .await;
        assert!(!orbitra.has_container(&second));
        let shown = orbitra.api.get(&format!("/projects/{project}")).await;
        assert_eq!(shown["live_deployment_id"], json!(first));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loop_and_failing_requests_bring_the_one_before_back() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("good")));
    let api = &orbitra.api;
    let project = api.project("watched", json!({})).await;
    let good = text(&api.deploy_live(&project, &repository).await, "id");
    let crashing =
        format!("{}setTimeout(() => process.exit(7), 2000);", apps::answering("crashing"));
    let failing = apps::answering("failing")
        .replace("response.end(", "response.writeHead(process.uptime() > 2 ? 500 : 200).end(");
    for (server, code) in [(crashing, "start_failed"), (failing, "healthcheck_failed")] {
        repository.commit("server.js", &server);
        let bad = text(&api.deploy_live(&project, &repository).await, "id");
        let load = Load::start(orbitra.port, "watched.localhost", RATE);
        until("the traffic is back", async || {
            let shown = api.get(&format!("/projects/{project}")).await;
            (shown["live_deployment_id"] == json!(good)).then_some(())
        })
        .await;
        load.stop().await;
        assert_eq!(orbitra.visit("watched.localhost", "/").await.body, "good");
        let shown = api.get(&format!("/deployments/{bad}")).await;
        assert_eq!(
            (&shown["status"], &shown["error"]["code"]),
            (&json!("superseded"), &json!(code))
        );
        let events = api.get("/events?event=deployment.rolled_back").await;
        let data = &events["data"][0]["data"];
        assert_eq!(data["previous_deployment_id"], json!(bad));
    }
}
