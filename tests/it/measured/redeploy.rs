//! Redeploys under load, on real Docker.

use std::time::Instant;

use serde_json::json;

use super::summary;
use crate::support::apps;
use crate::support::effort::effort;
use crate::support::git_server::GitServer;
use crate::support::load::Load;
use crate::support::orbitra::Orbitra;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: bench/redeploy.sh"]
async fn many_redeploys_cost_no_request() {
    let (redeploys, rate) = (effort("REDEPLOYS", 100), effort("RATE", 500));
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    // Reads what it is sent before it answers, as an application does.
    let server = |text: &str| {
        let whole = format!("response.end(\"{text}\")");
        let read = format!("request.resume().on(\"end\", () => response.end(\"{text}\"))");
        apps::answering(text).replace(&whole, &read)
    };
    let repository = git.repository_of("app", &apps::node(&server("0")));
    let project = orbitra.api.project("busy", json!({})).await;
    orbitra.api.deploy_live(&project, &repository).await;
    let load = Load::start_with(orbitra.port, "busy.localhost", u32::try_from(rate).unwrap(), 4096);
    let (begin, mut times) = (Instant::now(), Vec::new());
    for turn in 1..=redeploys {
        repository.commit("server.js", &server(&turn.to_string()));
        let asked = Instant::now();
        orbitra.api.deploy_live(&project, &repository).await;
        times.push(asked.elapsed());
    }
    let took = begin.elapsed();
    let seen = load.stop().await;
    println!(
        "{redeploys} redeploys in {took:?}, each {}; {} requests ({:.0} a second: half of them POST with 4 KiB, half of \
         them on fresh connections), failed: {}; versions seen: {}",
        summary(&mut times),
        seen.requests,
        seen.requests as f64 / took.as_secs_f64(),
        seen.failures.len(),
        seen.bodies.len(),
    );
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
}
