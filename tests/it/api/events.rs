//! The event log, its stream, and the audit log.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::support::app::{Reply, TestApp};
use crate::support::until::until;

fn names(reply: &Reply) -> Vec<String> {
    let events = reply.at("/data");
    let name = |event: &Value| event["event"].as_str().unwrap().to_owned();
    events.as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn what_happened_is_listed_and_narrowed() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let web = client.project("web").await;
    client.project("shop").await;
    let deployment = client.deployment("web").await;
    client.patch("/projects/web", json!({ "description": "x" })).await.expect(200);
    client.post(&format!("/deployments/{deployment}/cancel"), "{}").await.expect(200);
    client.delete("/projects/shop").await.expect(204);

    let all = client.get("/events").await.expect(200);
    assert_eq!(
        names(&all),
        [
            "project.deleted",
            "deployment.canceled",
            "project.updated",
            "deployment.created",
            "project.created",
            "project.created",
            "api_key.created",
        ]
    );
    assert_eq!(all.at("/pagination/total"), 7);
    let keys: Vec<_> = all.at("/data/0").as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["data", "event", "id", "timestamp"]);
    assert_eq!(names(&client.get("/events?event=deployment.*").await).len(), 2);
    assert_eq!(names(&client.get("/events?event=project.created,project.deleted").await).len(), 3);
    let of_web = client.get(&format!("/events?project_id={web}")).await;
    assert_eq!(names(&of_web).len(), 4);
    assert_eq!(
        client.get("/events?created_after=2030-01-01T00:00:00Z").await.at("/data"),
        json!([])
    );

    // After an event: what is newer, the oldest first, without links to other pages.
    let oldest = all.text("/data/6/id");
    let after = client.get(&format!("/events?after={oldest}&limit=2")).await.expect(200);
    assert_eq!(names(&after), ["project.created", "project.created"]);
    assert_eq!(after.header("link"), "");
    let last = all.text("/data/0/id");
    assert_eq!(client.get(&format!("/events?after={last}")).await.at("/data"), json!([]));

    let one = client.get(&format!("/events/{last}")).await.expect(200);
    assert_eq!(one.json(), all.at("/data/0"));
    for (path, problem) in [
        ("/events?after=evt_unknown0", "after unknown_value"),
        ("/events?event=Nonsense", "event format"),
        ("/events?project_id=x", "project_id format"),
    ] {
        assert_eq!(client.get(path).await.invalid(), [problem], "{path}");
    }
    let both = client.get(&format!("/events?after={oldest}&page=1")).await;
    assert_eq!(both.invalid(), ["page mutually_exclusive"]);

    // Somebody else sees nothing of it.
    let stranger = app.client("other@example.com", &["full"]).await;
    assert_eq!(names(&stranger.get("/events").await), ["api_key.created"]);
    stranger.get(&format!("/events/{last}")).await.expect(404);
    let place = stranger.get(&format!("/events?after={oldest}")).await;
    assert_eq!(place.invalid(), ["after unknown_value"]);
    let reader = app.client("third@example.com", &["projects:read"]).await;
    assert_eq!(reader.get("/events").await.error("reason").2, "missing_scope");
}

#[tokio::test]
async fn the_stream_goes_on_where_it_was() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let stranger = app.client("other@example.com", &["full"]).await;
    let mut stream = client.events("/events/stream?event=project.*", None).await;
    assert_eq!(stream.status, 200);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.next().await.unwrap(), "retry: 2000\n: ping");
    stranger.project("theirs").await;
    client.project("one").await;
    let first = stream.next().await.unwrap();
    let lines: Vec<_> = first.lines().collect();
    let id = lines[0].strip_prefix("id: ").unwrap().to_owned();
    assert_eq!(lines[1], "event: project.created");
    let data: Value = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(data["data"]["name"], "one");
    assert_eq!(data["id"], id.as_str());
    drop(stream);

    client.project("two").await;
    client.delete("/projects/one").await.expect(204);
    let mut again = client.events("/events/stream?event=project.*", Some(&id)).await;
    again.next().await.unwrap();
    assert!(again.next().await.unwrap().contains("\"two\""));
    assert!(again.next().await.unwrap().contains("project.deleted"));

    // Its end comes with the end of its key.
    let key = client.get("/api-keys/current").await.text("/id");
    client.delete(&format!("/api-keys/{key}")).await.expect(204);
    assert_eq!(again.next().await.as_deref(), Some(": stopping"));
    assert_eq!(again.next().await, None);
    let bad = stranger.events("/events/stream", Some("12")).await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn every_change_says_who_made_it() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    let request = Request::patch("/projects/web")
        .header("content-type", "application/json")
        .header("user-agent", "test/1")
        .header("x-request-id", "mine-1")
        .body(Body::from(
            json!({ "framework": "nodejs", "build": { "timeout_seconds": 60 } }).to_string(),
        ))
        .unwrap();
    let changed = client.clone().from("203.0.113.9").ask(request).await.expect(200);
    let log = client.get("/audit-log").await.expect(200);
    let entry = log.at("/data/0");
    let keys: Vec<_> = entry.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "action",
            "actor",
            "changes",
            "client_request_id",
            "created_at",
            "id",
            "ip",
            "project_id",
            "request_id",
            "target",
            "team_id",
            "user_agent",
        ]
    );
    assert_eq!(entry["action"], "project.updated");
    assert_eq!(entry["actor"]["type"], "api_key");
    assert_eq!(entry["target"]["name"], "web");
    assert_eq!(entry["ip"], "203.0.113.9");
    assert_eq!(entry["user_agent"], "test/1");
    assert_eq!(entry["client_request_id"], "mine-1");
    assert_eq!(entry["request_id"], changed.header("x-request-id"));
    assert_eq!(
        entry["changes"],
        json!({
            "framework": { "from": null, "to": "nodejs" }, "build.timeout_seconds": { "from": 1800, "to": 60 },
        })
    );
    // The first entry is the operator's.
    assert_eq!(log.at("/data/2/actor/type"), "system");

    for (filter, total) in [
        ("action=project.*", 2),
        ("action=project.created", 1),
        ("ip=203.0.113.9", 1),
        ("ip=203.0.113.8", 0),
        ("target_id=nothing", 0),
    ] {
        let found = client.get(&format!("/audit-log?{filter}")).await.expect(200);
        assert_eq!(found.at("/pagination/total"), total, "{filter}");
    }
    let export = Request::get("/audit-log").header("accept", "application/x-ndjson");
    let export = client.ask(export.body(Body::empty()).unwrap()).await.expect(200);
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> =
        export.body().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2], entry);

    let stranger = app.client("other@example.com", &["full"]).await;
    assert_eq!(stranger.get("/audit-log").await.at("/pagination/total"), 1);
    let reader = app.client("third@example.com", &["read"]).await;
    assert_eq!(reader.get("/audit-log").await.error("reason").2, "missing_scope");
}

#[tokio::test]
async fn refusals_are_written_down_and_a_flood_is_not() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let admin = app.client_of(&user, &["full"]).await;
    let reader = app.client_of(&user, &["projects:read"]).await;
    for _ in 0..40 {
        reader.post("/projects", json!({ "name": "x", "region": "local" })).await.expect(403);
    }
    let path = "/audit-log?action=request.refused";
    until("the refusals are written", async || {
        (admin.get(path).await.at("/pagination/total") == 30).then_some(())
    })
    .await;
    let entry = admin.get(path).await.at("/data/0");
    assert_eq!(entry["target"], json!({ "type": "route", "id": "POST /projects", "name": null }));
    assert_eq!(entry["changes"], json!({ "reason": "missing_scope" }));
}

#[tokio::test]
async fn old_entries_go() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let hook = json!({ "url": "https://hooks.acme.test/", "events": ["*"] });
    let hook = client.post("/webhooks", hook).await.expect(201).text("/id");
    client.project("web").await;
    // What is still to be sent is not forgotten; what was canceled is.
    client.patch(&format!("/webhooks/{hook}"), json!({ "enabled": false })).await.expect(200);
    let deliveries = format!("/webhooks/{hook}/deliveries");
    assert_eq!(client.get(&deliveries).await.at("/pagination/total"), 1);
    app.app.clock.advance(std::time::Duration::from_secs(29 * 86_400));
    app.app.forget_old_events().await;
    assert_eq!(client.get(&deliveries).await.at("/pagination/total"), 1);
    app.app.clock.advance(std::time::Duration::from_secs(2 * 86_400));
    app.app.forget_old_events().await;
    assert_eq!(client.get(&deliveries).await.at("/pagination/total"), 0);
    assert_eq!(client.get("/events").await.at("/pagination/total"), 0);
    assert_eq!(client.get("/audit-log").await.at("/pagination/total"), 4);
    app.app.clock.advance(std::time::Duration::from_secs(370 * 86_400));
    app.app.forget_old_events().await;
    assert_eq!(client.get("/audit-log").await.at("/pagination/total"), 0);
}
