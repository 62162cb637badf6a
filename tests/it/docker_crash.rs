//! Orbitra is killed, stopped and started again, on real Docker. Applications run on.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::api_client::text;
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, docker, inspect};
use crate::support::processes::process_runs;
use crate::support::until::{until, within};

#[tokio::test]
async fn an_application_survives_kill_9_and_is_reached_again_at_once() {
    let (git, mut orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("still here")));
    let project = orbitra.api.project("survivor", json!({})).await;
    let id = text(&orbitra.api.deploy_live(&project, &repository).await, "id");
    let before = orbitra.container_of(&id);

    orbitra.kill9();
    assert_eq!(orbitra.container_of(&id)["State"]["Running"], true);
    let begin = Instant::now();
    orbitra.restart().await;
    assert_eq!(orbitra.visit("survivor.localhost", "/").await.body, "still here");
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");

    let after = orbitra.container_of(&id);
    assert_eq!(after["Id"], before["Id"]);
    assert_eq!(after["State"]["StartedAt"], before["State"]["StartedAt"]);
    assert_eq!(after["State"]["Pid"], before["State"]["Pid"]);
    assert_eq!(after["RestartCount"], 0);
}

#[tokio::test]
async fn a_build_that_kill_9_cut_off_is_done_after_the_restart() {
    let (git, mut orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("one")));
    let api = orbitra.api.clone();
    let project = api.project("interrupted", json!({})).await;
    api.deploy_live(&project, &repository).await;

    let marker = format!("2.{}", std::process::id());
    let line = format!("RUN echo the step runs && sleep {marker}\nCOPY");
    repository.change("Dockerfile", "COPY", &line);
    repository.commit("server.js", &apps::answering("two"));
    let id = api.deploy(&project, &repository, json!({})).await;
    until("the step runs", async || process_runs(&["sleep", &marker]).then_some(())).await;
    orbitra.kill9();
    orbitra.restart().await;

    // The old one serves in the meantime.
    assert_eq!(orbitra.visit("interrupted.localhost", "/").await.body, "one");
    let deployment = api.live(&id).await;
    assert_eq!(deployment["error"], json!(null));
    assert_eq!(orbitra.visit("interrupted.localhost", "/").await.body, "two");
    assert_eq!(orbitra.owned("image").len(), 2);
}

#[tokio::test]
async fn sigterm_finishes_requests_and_leaves_applications_alone() {
    let (git, mut orbitra) = (GitServer::start(), Orbitra::start().await);
    let slow = apps::answering("fast").replace(
        "response.end(\"fast\")",
        "request.url === \"/slow\" ? (console.log(\"begun\"), setTimeout(() => response.end(\"slow\"), 1500)) : response.end(\"fast\")",
    );
    let repository = git.repository_of("app", &apps::node(&slow));
    let project = orbitra.api.project("polite", json!({})).await;
    let id = text(&orbitra.api.deploy_live(&project, &repository).await, "id");

    let name = format!("orbitra-{id}");
    let slow = orbitra.visit("polite.localhost", "/slow");
    let stop = async {
        until("the slow request is under way", async || {
            docker(&["logs", &name]).contains("begun").then_some(())
        })
        .await;
        orbitra.ask_to_stop();
    };
    let (slow, ()) = tokio::join!(slow, stop);
    assert_eq!((slow.status.as_u16(), slow.body.as_str()), (200, "slow"));
    let status = orbitra.ended().await;
    assert!(status.success(), "{status}\n{}", orbitra.log());
    assert!(orbitra.log().contains("stopped"), "{}", orbitra.log());
    assert_eq!(orbitra.container_of(&id)["State"]["Running"], true);
    orbitra.restart().await;
    assert_eq!(orbitra.visit("polite.localhost", "/").await.body, "fast");
}

#[tokio::test]
async fn a_build_that_sigterm_met_goes_on_after_the_restart() {
    let (git, mut orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("done")));
    let marker = format!("3.{}", std::process::id());
    repository.change("Dockerfile", "COPY", &format!("RUN sleep {marker}\nCOPY"));
    let api = orbitra.api.clone();
    let project = api.project("resumed", json!({})).await;
    let id = api.deploy(&project, &repository, json!({})).await;
    until("the step runs", async || process_runs(&["sleep", &marker]).then_some(())).await;

    orbitra.ask_to_stop();
    let begin = Instant::now();
    assert!(orbitra.ended().await.success(), "{}", orbitra.log());
    assert!(begin.elapsed() < Duration::from_secs(5), "a build must not hold up the stop");
    orbitra.restart().await;
    api.live(&id).await;
    let log = api.log(&id).await;
    assert!(log.contains("Orbitra is stopping. The deployment goes on when it is back."), "{log}");
    assert_eq!(orbitra.visit("resumed.localhost", "/").await.body, "done");
}

#[tokio::test]
async fn cancel_stops_a_build_with_its_processes() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("never")));
    let marker = format!("600.{}", std::process::id());
    repository.change("Dockerfile", "COPY", &format!("RUN sleep {marker}\nCOPY"));
    let api = &orbitra.api;
    let project = api.project("canceled", json!({})).await;
    let id = api.deploy(&project, &repository, json!({})).await;
    until("the step runs", async || process_runs(&["sleep", &marker]).then_some(())).await;

    let begin = Instant::now();
    api.done("POST", &format!("/deployments/{id}/cancel"), Some(json!({}))).await;
    let deployment = api.finished(&id).await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(deployment["status"], "canceled");
    assert_eq!(deployment["cancel_reason"], "user");
    within(Duration::from_secs(5), "no process is left", async || {
        (!process_runs(&["sleep", &marker])).then_some(())
    })
    .await;
    assert!(orbitra.owned("container").is_empty() && orbitra.owned("image").is_empty());
    // The slot is free for the next one.
    repository.commit("Dockerfile", apps::DOCKERFILE);
    api.deploy_live(&project, &repository).await;
}

#[tokio::test]
async fn leftovers_go_at_the_start_and_foreign_containers_stay() {
    let mut orbitra = Orbitra::start().await;
    orbitra.kill9();
    let ours = format!("orbitra.instance={}", orbitra.name());
    let foreign = format!("orbitra.instance=other-{}", std::process::id());
    let make = |labels: &[&str]| {
        let mut arguments = vec!["container", "create"];
        arguments.extend(labels.iter().flat_map(|label| ["--label", label]));
        arguments.extend(["debian:bookworm-slim", "true"]);
        docker(&arguments)
    };
    let project = "orbitra.project=prj_0123456789abcdef";
    let deployment = "orbitra.deployment=dep_0123456789abcdef";
    let leftover = make(&[&ours, project, deployment]);
    let others = [make(&[&foreign, project, deployment]), make(&[])];
    let network = format!("leftover-{}", std::process::id());
    docker(&["network", "create", "--label", &ours, "--label", project, &network]);

    orbitra.restart().await;
    until("the leftovers are gone", async || {
        (orbitra.owned("container").is_empty() && orbitra.owned("network").is_empty()).then_some(())
    })
    .await;
    assert!(docker(&["container", "ls", "-aq", "--no-trunc"]).lines().all(|id| id != leftover));
    for id in &others {
        assert_eq!(inspect("container", id)["Id"], **id);
    }
    docker(&["container", "rm", &others[0], &others[1]]);
}

#[tokio::test]
async fn a_second_instance_on_the_same_directory_is_refused() {
    let orbitra = Orbitra::start().await;
    let mut second = orbitra.command();
    let output = second.args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("is used by a running Orbitra. Stop that one, or choose another directory"),
        "{error}"
    );
    assert_eq!(orbitra.visit("127.0.0.1", "/api/v1/health").await.status, 200);
}
