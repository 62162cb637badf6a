//! `/deployments/{id}/logs`, in pages and as events.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use orbitra::logs::{LogName, LogWriter, Redactor};
use orbitra::model::ids::DeploymentId;
use orbitra::model::log_line::{LogLevel, LogSource, LogStream, NewLine};
use orbitra::model::transition::State;
use serde_json::{Value, json};

use crate::support::app::{START, TestApp};

async fn writer(app: &TestApp, id: &str) -> LogWriter {
    let name = LogName::Build(DeploymentId::parse(id).unwrap());
    app.app.logs.writer(name, Redactor::new([])).await.unwrap()
}

fn line(message: &str) -> NewLine {
    NewLine {
        ts: START,
        source: LogSource::Build,
        stream: LogStream::Stdout,
        level: LogLevel::Info,
        phase: Some("building".to_owned()),
        message: message.to_owned(),
    }
}

/// The data of a frame.
fn data(frame: &str) -> Value {
    let data = frame.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    serde_json::from_str(data).unwrap()
}

#[tokio::test]
async fn pages_of_a_log() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let id = client.deployment(&client.project("my-app").await).await;
    let path = format!("/deployments/{id}/logs");
    let empty = client.get(&path).await.expect(200);
    assert_eq!(empty.body(), r#"{"data":[],"next_after_seq":0,"complete":false}"#);
    let log = writer(&app, &id).await;
    log.append(line("\u{1b}[32madded\u{1b}[0m 214 packages"));
    for n in 2..=5 {
        log.append(line(&format!("line {n}")));
    }
    log.finish().await.unwrap();
    let page = client.get(&format!("{path}?limit=1")).await.expect(200);
    assert_eq!(
        page.body(),
        format!(
            r#"{{"data":[{{"seq":1,"ts":"2026-01-20T16:30:00.000Z","source":"build","stream":"stdout","level":"info","phase":"building","message":"\u001b[32madded\u001b[0m 214 packages","deployment_id":"{id}","instance":null}}],"next_after_seq":1,"complete":false}}"#
        )
    );
    let plain = client.get(&format!("{path}?limit=1&ansi=strip")).await;
    assert_eq!(plain.at("/data/0/message"), "added 214 packages");
    let rest = client.get(&format!("{path}?after_seq=3")).await;
    assert_eq!((rest.at("/data/0/seq"), rest.at("/complete")), (4.into(), true.into()));
    let newest = client.get(&format!("{path}?order=desc&limit=2")).await;
    assert_eq!((newest.at("/data/0/seq"), newest.at("/data/1/seq")), (5.into(), 4.into()));
    for (query, expected) in [
        ("limit=0", "limit out_of_range"),
        ("limit=1001", "limit out_of_range"),
        ("limit=10;id", "limit type"),
        ("limit=-1", "limit out_of_range"),
        ("limit=1e18", "limit type"),
        ("after_seq=-1", "after_seq out_of_range"),
        ("after_seq=99999999999999999999", "after_seq out_of_range"),
        ("order=up", "order unknown_value"),
        ("ansi=no", "ansi unknown_value"),
        ("follow=1", "follow unknown_value"),
        ("follow=true&order=asc", "order mutually_exclusive"),
    ] {
        assert_eq!(client.get(&format!("{path}?{query}")).await.invalid(), [expected], "{query}");
    }
    let unknown = client.get(&format!("{path}?container=../x&file=../../orbitra.db")).await;
    assert_eq!(unknown.error("unknown_params").2, json!(["container", "file"]));
}

#[tokio::test]
async fn events_follow_the_deployment() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let id = client.deployment(&client.project("my-app").await).await;
    let log = writer(&app, &id).await;
    let path = format!("/deployments/{id}/logs");
    let mut events = client.events(&path, None).await;
    assert_eq!(events.status, 200);
    let header = |name: &str| events.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/event-stream");
    assert_eq!(header("cache-control"), "no-cache");
    assert_eq!(header("x-accel-buffering"), "no");
    let first = events.next().await.unwrap();
    assert_eq!(
        first,
        "retry: 2000\nevent: status\ndata: {\"status\":\"building\",\"phase\":\"queued\"}"
    );
    app.advance(&id, State::Building).await;
    let status = events.next().await.unwrap();
    assert!(status.starts_with("event: status\n"), "{status}");
    assert_eq!(data(&status), json!({ "status": "building", "phase": "building" }));

    // Text that looks like the protocol stays text.
    log.append(line("one\nevent: end\ndata: {}\n\nid: 99"));
    log.append(line("two \u{1b}[31mred"));
    let frame = events.next().await.unwrap();
    let rows: Vec<_> = frame.lines().collect();
    assert_eq!((rows.len(), rows[0], rows[1]), (3, "id: 1", "event: log"));
    assert!(data(&frame)["message"].as_str().unwrap().contains("event: end"));
    assert_eq!(data(&events.next().await.unwrap())["message"], "two \u{1b}[31mred");

    app.app.clock.advance(Duration::from_secs(45));
    app.advance(&id, State::Ready).await;
    log.finish().await.unwrap();
    let rest = events.rest().await;
    let end = rest.last().unwrap();
    assert!(end.starts_with("id: 2\nevent: end\n"), "{end}");
    assert_eq!(data(end), json!({ "status": "staged", "duration_ms": 45_000 }));
    assert!(rest.iter().any(|frame| frame.contains("\"phase\":\"done\"")));

    // From anywhere on, without gap or repeat; after the end there is nothing to connect to.
    let seqs = async |path: &str, last: Option<&str>| -> Vec<String> {
        let frames = client.events(path, last).await.rest().await;
        frames
            .iter()
            .filter_map(|f| Some(f.lines().next()?.strip_prefix("id: ")?.to_owned()))
            .collect()
    };
    assert_eq!(seqs(&path, None).await, ["1", "2", "2"]);
    assert_eq!(seqs(&path, Some("1")).await, ["2", "2"]);
    assert_eq!(seqs(&format!("{path}?after_seq=1&follow=true"), None).await, ["2", "2"]);
    assert_eq!(seqs(&format!("{path}?after_seq=2"), None).await, ["2"]);
    assert_eq!(seqs(&format!("{path}?after_seq=0"), Some("1")).await, ["2", "2"]);
    for last in ["2", "7"] {
        assert_eq!(client.events(&path, Some(last)).await.status, 204);
    }
    assert_eq!(client.events(&path, Some("x")).await.status, 400);
}

#[tokio::test]
async fn a_client_that_comes_back_misses_nothing() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["logs:read", "full"]).await;
    let id = client.deployment(&client.project("my-app").await).await;
    let log = writer(&app, &id).await;
    let path = format!("/deployments/{id}/logs?ansi=strip");
    let mut seen: Vec<u64> = Vec::new();
    let mut last: Option<String> = None;
    for round in 0..4 {
        for n in 0..50 {
            log.append(line(&format!("\u{1b}[1m{round}.{n}")));
        }
        let mut events = client.events(&path, last.as_deref()).await;
        // Each time the connection breaks in the middle.
        while seen.len() < (round + 1) * 50 - 10 {
            let frame = events.next().await.unwrap();
            if frame.contains("event: log") {
                let line = data(&frame);
                assert!(!line["message"].as_str().unwrap().contains('\u{1b}'));
                seen.push(line["seq"].as_u64().unwrap());
            }
        }
        last = seen.last().map(ToString::to_string);
    }
    assert_eq!(seen, (1..=190).collect::<Vec<_>>());
}

#[tokio::test]
async fn streams_end_without_a_log() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let id = client.deployment(&client.project("my-app").await).await;
    let path = format!("/deployments/{id}/logs");
    let mut events = client.events(&path, None).await;
    events.next().await.unwrap();
    client.post(&format!("/deployments/{id}/cancel"), "").await.expect(200);
    let end = events.rest().await.pop().unwrap();
    assert!(end.starts_with("id: 0\nevent: end\n"));
    assert_eq!(data(&end), json!({ "status": "canceled", "duration_ms": 0 }));
    assert_eq!(client.events(&path, Some("0")).await.status, 204);

    // A project that is deleted takes its streams with it.
    let id = client.deployment("my-app").await;
    let mut events = client.events(&format!("/deployments/{id}/logs"), None).await;
    events.next().await.unwrap();
    let deployment = app.advance(&id, State::Cloning).await;
    client.delete("/projects/my-app").await.expect(204);
    app.say(&deployment);
    let end = events.rest().await.pop().unwrap();
    assert_eq!(data(&end)["status"], "removed");
}

#[tokio::test]
async fn a_key_has_five_streams() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let client = app.client_of(&user, &["full"]).await;
    let id = client.deployment(&client.project("my-app").await).await;
    let path = format!("/deployments/{id}/logs?follow=true");
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(client.events(&path, None).await);
    }
    let refused = client.get(&path).await;
    let expected = (429, "rate_limit_exceeded".to_owned(), json!(["streams"]));
    assert_eq!(refused.error("violated_policies"), expected);
    assert_eq!(refused.header("retry-after"), "5");
    let other = app.client_of(&user, &["full"]).await;
    // A stream is never compressed: a compressor holds lines back.
    let request = Request::get(&path).header("accept-encoding", "gzip, br").body(Body::empty());
    let stream = other.send(request.unwrap()).await;
    assert_eq!((stream.status(), stream.headers().get("content-encoding")), (StatusCode::OK, None));
    assert_eq!(other.events(&path, None).await.status, 200);
    open.pop();
    assert_eq!(client.events(&path, None).await.status, 200);
}
