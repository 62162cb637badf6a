//! Webhooks under load and under kill -9: `bench/webhooks.sh` runs this.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::api_client::text;
use crate::support::docker_api::DockerApi;
use crate::support::effort::effort;
use crate::support::engine::Engine;
use crate::support::orbitra::Orbitra;
use crate::support::receiver::Receiver;
use crate::support::until::within;

pub const PATIENCE: Duration = Duration::from_secs(300);

pub async fn start() -> (Orbitra, DockerApi) {
    let socket = DockerApi::serve(Engine::new());
    let settings = [("ORBITRA_WEBHOOK_SCHEDULE", "1,1,2,2,5,5,5"), ("ORBITRA_LOG", "warn")];
    let orbitra = Orbitra::start_on(&socket.host(), &settings).await;
    (orbitra, socket)
}

/// `ORBITRA_TEST_EVENTS` events are acknowledged while the process is killed every `ORBITRA_TEST_KILL_MILLIS`; every one
/// of them arrives, and what arrives twice is the same.
#[tokio::test]
async fn no_event_is_lost_when_the_process_is_killed() {
    let events = effort("ORBITRA_TEST_EVENTS", 60);
    let every = Duration::from_millis(effort("ORBITRA_TEST_KILL_MILLIS", 300) as u64);
    let (mut orbitra, _socket) = start().await;
    let receiver = Receiver::start().await;
    let hook = json!({ "url": receiver.url(), "events": ["project.updated"] });
    let hook = orbitra.api.done("POST", "/webhooks", Some(hook)).await;
    receiver.verify(&text(&hook, "secret"));
    let project = orbitra.api.project("shop", json!({})).await;
    let path = format!("/projects/{project}");
    let (mut acknowledged, mut kills, mut last) = (0, 0, Instant::now());
    let begin = Instant::now();
    while acknowledged < events {
        let body = json!({ "description": format!("number {acknowledged}") });
        let answer = orbitra.api.try_call("PATCH", &path, Some(body), None).await;
        // One that was cut off may have happened: whatever happened is in the log of events.
        if answer.is_ok_and(|(status, _)| status == 200) {
            acknowledged += 1;
        }
        if last.elapsed() >= every {
            orbitra.kill9();
            kills += 1;
            orbitra.restart().await;
            last = Instant::now();
        }
    }
    orbitra.kill9();
    orbitra.restart().await;
    let deliveries = format!("/webhooks/{}/deliveries", text(&hook, "id"));
    within(PATIENCE, "all have arrived", async || {
        let open = orbitra.api.get(&format!("{deliveries}?status=pending,retrying&limit=1")).await;
        (open["pagination"]["total"] == 0).then_some(())
    })
    .await;
    let took = begin.elapsed();
    let mut log = HashSet::new();
    for page in 1.. {
        let list = format!("/events?event=project.updated&limit=100&page={page}");
        let list = orbitra.api.get(&list).await;
        let found = list["data"].as_array().unwrap().clone();
        if found.is_empty() {
            break;
        }
        log.extend(found.iter().map(|event| text(event, "id")));
    }
    assert!(log.len() >= acknowledged, "{} of {acknowledged} are in the log", log.len());
    let got = receiver.got();
    let mut bodies: HashMap<String, HashSet<String>> = HashMap::new();
    for one in &got {
        bodies.entry(one.event_id().to_owned()).or_default().insert(one.body.clone());
    }
    let lost: Vec<_> = log.iter().filter(|id| !bodies.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} are lost", lost.len(), log.len());
    assert_eq!(receiver.refused(), 0, "all are verified by the reference library");
    assert!(bodies.values().all(|all| all.len() == 1), "one event has two bodies");
    println!(
        "{acknowledged} events acknowledged, {} in the log, {kills} kills, 0 lost, {} sent twice, {:.0} s",
        log.len(),
        got.len() - bodies.len(),
        took.as_secs_f64()
    );
}

/// `ORBITRA_TEST_EVENTS` events for `ORBITRA_TEST_RECEIVERS` webhooks: how many deliveries a second are made and stored.
#[tokio::test]
#[ignore = "a figure, for bench/webhooks.sh"]
async fn deliveries_a_second() {
    let events = effort("ORBITRA_TEST_EVENTS", 1000);
    let count = effort("ORBITRA_TEST_RECEIVERS", 10);
    let (orbitra, _socket) = start().await;
    let mut receivers = Vec::new();
    for _ in 0..count {
        let receiver = Receiver::start().await;
        let hook =
            json!({ "url": receiver.url(), "events": ["project.updated"], "enabled": false });
        let hook = orbitra.api.done("POST", "/webhooks", Some(hook)).await;
        receivers.push((receiver, format!("/webhooks/{}", text(&hook, "id"))));
    }
    let project = orbitra.api.project("shop", json!({})).await;
    for event in 0..events {
        let body = json!({ "description": format!("number {event}") });
        orbitra.api.done("PATCH", &format!("/projects/{project}"), Some(body)).await;
    }
    let all = json!({ "since": "2020-01-01T00:00:00Z" });
    for (_, path) in &receivers {
        orbitra.api.done("PATCH", path, Some(json!({ "enabled": true }))).await;
    }
    let begin = Instant::now();
    for (_, path) in &receivers {
        orbitra.api.done("POST", &format!("{path}/replay"), Some(all.clone())).await;
    }
    for (receiver, _) in &receivers {
        within(PATIENCE, "all have come", async || (receiver.count() >= events).then_some(()))
            .await;
    }
    let took = begin.elapsed();
    println!(
        "{} deliveries to {count} receivers in {:.2} s: {:.0} a second",
        events * count,
        took.as_secs_f64(),
        (events * count) as f64 / took.as_secs_f64()
    );
}
