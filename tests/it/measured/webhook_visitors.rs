//! What deliveries to webhooks cost visitors, and what a receiver that hangs costs others: `bench/webhooks.sh` runs this.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::json;

use crate::support::api_client::text;
use crate::support::docker_api::DockerApi;
use crate::support::effort::effort;
use crate::support::engine::Engine;
use crate::support::git_server::GitServer;
use crate::support::orbitra::Orbitra;
use crate::support::receiver::{Act, Receiver};
use crate::support::until::within;

const PATIENCE: Duration = Duration::from_secs(300);
/// Visitors, each with a connection, and pauses between the requests of one.
const VISITORS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(10);

/// Visits until `until`; answers how long each request took.
async fn visit(port: u16, host: &str, until: Instant) -> Vec<Duration> {
    let mut visitors = tokio::task::JoinSet::new();
    for _ in 0..VISITORS {
        let host = host.to_owned();
        visitors.spawn(async move {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut sender, driver) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(driver);
            let mut took = Vec::new();
            let mut ticks = tokio::time::interval(PAUSE);
            while Instant::now() < until {
                ticks.tick().await;
                let request = Request::get("/").header("host", &host);
                let begin = Instant::now();
                let request = request.body(Full::<Bytes>::default()).unwrap();
                let answer = sender.send_request(request).await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.into_body().collect().await.unwrap();
                took.push(begin.elapsed());
            }
            took
        });
    }
    visitors.join_all().await.concat()
}

fn p99(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() * 99 / 100]
}

/// In turns, visitors without and with deliveries to `ORBITRA_TEST_RECEIVERS` webhooks: the 99th percentile of each turn
/// and the ratio of their medians.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure, for bench/webhooks.sh"]
async fn deliveries_beside_visitors() {
    let (turns, receivers) =
        (effort("ORBITRA_TEST_TURNS", 5), effort("ORBITRA_TEST_RECEIVERS", 10));
    let events = 500;
    let socket = DockerApi::serve(Engine::new());
    let git = GitServer::start();
    let orbitra = Orbitra::start_on(&socket.host(), &[("ORBITRA_LOG", "warn")]).await;
    let app = json!({"body": "one"}).to_string();
    let files = [("Dockerfile", "FROM scratch\nCOPY app.json ./\n"), ("app.json", &*app)];
    let repository = git.repository_of("app", &files);
    let project = orbitra.api.project("busy", json!({})).await;
    orbitra.api.deploy_live(&project, &repository).await;
    for event in 0..events {
        let body = json!({ "description": format!("number {event}") });
        orbitra.api.done("PATCH", &format!("/projects/{project}"), Some(body)).await;
    }
    // Receivers are other machines: what they do is done after everything else, and in no queue of the visitors.
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(|| {
            let _ = rustix::process::setpriority_process(None, 15);
        })
        .build()
        .unwrap();
    let mut hooks = Vec::new();
    for _ in 0..receivers {
        let receiver = elsewhere.spawn(Receiver::start()).await.unwrap();
        let hook = json!({ "url": receiver.url(), "events": ["project.updated"] });
        let hook = orbitra.api.done("POST", "/webhooks", Some(hook)).await;
        hooks.push((receiver, format!("/webhooks/{}/replay", text(&hook, "id"))));
    }
    let all = json!({ "since": "2020-01-01T00:00:00Z", "only_failed": false });
    let count = || hooks.iter().map(|(receiver, _)| receiver.count()).sum::<usize>();
    let (mut alone, mut beside, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let turn = Duration::from_secs(3);
    for _ in 0..turns {
        alone.push(p99(visit(orbitra.port, "busy.localhost", Instant::now() + turn).await));
        for (_, path) in &hooks {
            orbitra.api.done("POST", path, Some(all.clone())).await;
        }
        let (before, begin) = (count(), Instant::now());
        beside.push(p99(visit(orbitra.port, "busy.localhost", begin + turn).await));
        rates.push((count() - before) as f64 / begin.elapsed().as_secs_f64());
        let wanted = before + 1;
        within(PATIENCE, "nothing is on its way", async || {
            let seen = count();
            tokio::time::sleep(Duration::from_millis(300)).await;
            (count() == seen && seen >= wanted).then_some(())
        })
        .await;
    }
    let median = |all: &[Duration]| {
        let mut all = all.to_vec();
        all.sort_unstable();
        all[all.len() / 2]
    };
    println!(
        "p99 of visitors alone {alone:?}, beside deliveries {beside:?}; medians {:?} and {:?}, ratio {:.2}; deliveries a second {:.0?}",
        median(&alone),
        median(&beside),
        median(&beside).as_secs_f64() / median(&alone).as_secs_f64(),
        rates
    );
    elsewhere.shutdown_background();
}

/// From the answer of a change to its arrival, in turns without and with a receiver beside it that hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure, for bench/webhooks.sh"]
async fn a_receiver_that_hangs_beside_one_that_does_not() {
    let turns = effort("ORBITRA_TEST_TURNS", 5);
    let socket = DockerApi::serve(Engine::new());
    let orbitra = Orbitra::start_on(&socket.host(), &[("ORBITRA_LOG", "warn")]).await;
    let project = orbitra.api.project("shop", json!({})).await;
    let (quick, hanging) = (Receiver::start().await, Receiver::start().await);
    hanging.always(Act::Hang);
    let mut hooks = Vec::new();
    for (receiver, enabled) in [(&quick, true), (&hanging, false)] {
        let hook =
            json!({ "url": receiver.url(), "events": ["project.updated"], "enabled": enabled });
        let hook = orbitra.api.done("POST", "/webhooks", Some(hook)).await;
        hooks.push(format!("/webhooks/{}", text(&hook, "id")));
    }
    let (mut alone, mut beside, mut number) = (Vec::new(), Vec::new(), 0);
    for turn in 0..2 * turns {
        let hangs = turn % 2 == 1;
        orbitra.api.done("PATCH", &hooks[1], Some(json!({ "enabled": hangs }))).await;
        for _ in 0..20 {
            number += 1;
            let body = json!({ "description": format!("number {number}") });
            let begin = Instant::now();
            orbitra.api.done("PATCH", &format!("/projects/{project}"), Some(body)).await;
            let got = quick.wait(number).await;
            let took = got[number - 1].at.saturating_duration_since(begin);
            if hangs { beside.push(took) } else { alone.push(took) }
        }
    }
    println!(
        "change to arrival: alone {}; beside a receiver that hangs {}",
        super::summary(&mut alone),
        super::summary(&mut beside)
    );
    let worst = beside[beside.len() - 1].saturating_sub(alone[alone.len() - 1]);
    assert!(worst < Duration::from_millis(100), "{worst:?}");
}
