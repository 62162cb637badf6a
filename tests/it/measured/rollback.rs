//! How long it takes from asking for another deployment until visitors get it, on real Docker.

use std::time::{Duration, Instant};

use serde_json::json;

use super::summary;
use crate::support::api_client::{host_of, text};
use crate::support::apps;
use crate::support::effort::effort;
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, docker};
use crate::support::until::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: bench/rollback.sh"]
async fn from_the_wish_to_the_first_visitor() {
    measure("paused", &[]).await;
    measure("stopped", &[("ORBITRA_STOP_AFTER", "0")]).await;
}

/// With these settings a deployment that nobody asks for is `resting`.
async fn measure(resting: &str, settings: &[(&str, &str)]) {
    let (git, orbitra) = (GitServer::start(), Orbitra::start_with(settings).await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("one")));
    let project = orbitra.api.project("back", json!({})).await;
    let one = orbitra.api.deploy_live(&project, &repository).await;
    repository.commit("server.js", &apps::answering("two"));
    let two = orbitra.api.deploy_live(&project, &repository).await;
    let mut turns = [(one, "one"), (two, "two")].into_iter().cycle();
    let (mut warm, mut rested, mut wake, mut own) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..2 * effort("ROUNDS", 20) {
        let (deployment, body) = turns.next().unwrap();
        let (id, host) = (text(&deployment, "id"), host_of(&text(&deployment, "url")));
        let name = format!("orbitra-{id}");
        let rests = format!("name=^/?{name}$");
        until("it rests", async || {
            let ids = docker(&["ps", "-q", "--filter", &rests, "--filter", "status=running"]);
            ids.is_empty().then_some(())
        })
        .await;
        let is_warm = round % 4 < 2;
        if is_warm {
            let asked = Instant::now();
            assert_eq!(orbitra.visit(&host, "/").await.body, body);
            wake.push(asked.elapsed());
            own.push(own_start(&name));
        }
        let asked = Instant::now();
        orbitra.api.done("POST", &format!("/deployments/{id}/promote"), Some(json!({}))).await;
        while orbitra.visit("back.localhost", "/").await.body != body {
            assert!(asked.elapsed() < Duration::from_secs(20));
        }
        if is_warm { warm.push(asked.elapsed()) } else { rested.push(asked.elapsed()) }
    }
    println!(
        "wake of one that is {resting}, until its first visitor has the answer: {}",
        summary(&mut wake)
    );
    println!("rollback to one that runs: {}", summary(&mut warm));
    println!("rollback to one that is {resting}: {}", summary(&mut rested));
    println!("the application's own start, until it listens: {}", summary(&mut own));
}

/// From the start of the process to its first line of output, by the engine's clock.
fn own_start(container: &str) -> Duration {
    let started = docker(&["inspect", "--format", "{{.State.StartedAt}}", container]);
    let said = docker(&["logs", "--timestamps", "--since", &started, container]);
    let said = said.split(' ').next().unwrap_or_default().to_owned();
    let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    Duration::try_from(time(&said).duration_since(time(&started))).unwrap_or_default()
}
