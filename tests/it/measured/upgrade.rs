//! Another version takes over under load, again and again.

use std::time::Instant;

use serde_json::json;

use super::summary;
use crate::support::docker_api::DockerApi;
use crate::support::effort::effort;
use crate::support::engine::Engine;
use crate::support::git_server::GitServer;
use crate::support::load::Load;
use crate::support::orbitra::Orbitra;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: bench/upgrade.sh"]
async fn many_upgrades_cost_no_request() {
    let (upgrades, rate) = (effort("UPGRADES", 20), effort("RATE", 1000));
    let engine = Engine::new();
    let socket = DockerApi::serve(engine.clone());
    let git = GitServer::start();
    let mut orbitra = Orbitra::start_on(&socket.host(), &[]).await;
    let app = json!({"body": "one"}).to_string();
    let files = [("Dockerfile", "FROM scratch\nCOPY app.json ./\n"), ("app.json", &*app)];
    let repository = git.repository_of("app", &files);
    let project = orbitra.api.project("busy", json!({})).await;
    let deployment = orbitra.api.deploy_live(&project, &repository).await;
    let load = Load::start(orbitra.port, "busy.localhost", u32::try_from(rate).unwrap());
    let program = orbitra.program("same", &[]);
    let (begin, mut times) = (Instant::now(), Vec::new());
    for _ in 0..upgrades {
        let asked = Instant::now();
        orbitra.upgrade(&program, 60).await.unwrap();
        times.push(asked.elapsed());
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let took = begin.elapsed();
    let seen = load.stop().await;
    println!(
        "{upgrades} upgrades in {took:?}, each {}; {} requests ({:.0} a second, half of them on fresh connections), \
         failed or refused: {}",
        summary(&mut times),
        seen.requests,
        seen.requests as f64 / took.as_secs_f64(),
        seen.failures.len(),
    );
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    assert_eq!(engine.starts(deployment["id"].as_str().unwrap()), Some(1));
}
