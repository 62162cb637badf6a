//! Sleep and wake on real Docker.

use std::time::Instant;

use serde_json::json;

use crate::support::api_client::{host_of, text};
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, docker};
use crate::support::until::until;

/// Ends itself when it is told to, with a code that says so.
const ENDS: &str = "\nprocess.on('SIGTERM', () => process.exit(7));\n";

#[tokio::test]
async fn an_idle_deployment_is_paused_and_stopped_and_answers_again_each_time() {
    let git = GitServer::start();
    let settings = [("ORBITRA_SLEEP_AFTER", "2"), ("ORBITRA_STOP_AFTER", "8")];
    let mut orbitra = Orbitra::start_with(&settings).await;
    let server = format!("{}{ENDS}", apps::answering("here"));
    let repository = git.repository_of("app", &apps::node(&server));
    let api = orbitra.api.clone();
    let project = api.project("sleepy", json!({})).await;
    let id = api.deploy(&project, &repository, json!({"promote": false})).await;
    let host = host_of(&text(&api.finished(&id).await, "url"));
    let state = |orbitra: &Orbitra| {
        let state = orbitra.container_of(&id)["State"].clone();
        (state["Running"] == true, state["Paused"] == true)
    };
    let started = orbitra.container_of(&id)["State"]["StartedAt"].clone();
    let paused = async |orbitra: &Orbitra| {
        until("it is paused", async || (state(orbitra) == (true, true)).then_some(())).await;
    };
    paused(&orbitra).await;

    let begin = Instant::now();
    let page = orbitra.visit(&host, "/").await;
    println!("from paused: {:?}", begin.elapsed());
    assert_eq!((page.status.as_u16(), page.body.as_str()), (200, "here"));
    assert_eq!(state(&orbitra), (true, false));
    assert_eq!(orbitra.container_of(&id)["State"]["StartedAt"], started);

    // A pause outlives Orbitra.
    paused(&orbitra).await;
    orbitra.kill9();
    orbitra.restart().await;
    assert_eq!(state(&orbitra), (true, true));
    assert_eq!(orbitra.visit(&host, "/").await.body, "here");
    assert_eq!(orbitra.container_of(&id)["State"]["StartedAt"], started);

    // A paused one can still be told to end, and does so itself.
    paused(&orbitra).await;
    until("it is stopped", async || (state(&orbitra) == (false, false)).then_some(())).await;
    assert_eq!(orbitra.container_of(&id)["State"]["ExitCode"], 7, "it ended itself");
    let begin = Instant::now();
    assert_eq!(orbitra.visit(&host, "/").await.body, "here");
    println!("from stopped: {:?}", begin.elapsed());
    assert_ne!(orbitra.container_of(&id)["State"]["StartedAt"], started);

    // Lost by the engine while it was paused: it is found stopped and started again.
    paused(&orbitra).await;
    docker(&["kill", &format!("orbitra-{id}")]);
    assert_eq!(orbitra.visit(&host, "/").await.body, "here");

    paused(&orbitra).await;
    api.done("DELETE", &format!("/projects/{project}"), None).await;
    until("nothing is left", async || {
        let left = [orbitra.owned("container"), orbitra.owned("network"), orbitra.owned("image")];
        left.iter().all(Vec::is_empty).then_some(())
    })
    .await;
}
