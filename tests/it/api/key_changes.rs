//! `/api-keys/{id}`: changed, rotated, found in lists, forgotten.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::app::{Client, TestApp};

fn escalation() -> (u16, String, Value) {
    (403, "forbidden".to_owned(), "scope_escalation".into())
}

/// Makes a key and gives its id and a client that uses it.
async fn made(app: &TestApp, owner: &Client, body: Value) -> (String, Client) {
    let made = owner.post("/api-keys", body).await.expect(201);
    (made.text("/id"), app.with_key(&made.text("/key")))
}

#[tokio::test]
async fn a_key_is_changed_and_the_change_counts_at_once() {
    let app = TestApp::new();
    let owner = app.client("user@example.com", &["full"]).await;
    let (project, other) = (owner.project("my-app").await, owner.project("other").await);
    let (id, ci) = made(&app, &owner, json!({ "name": "ci", "scopes": ["full"] })).await;
    ci.get("/users/me").await.expect(200);
    ci.get(&format!("/projects/{other}")).await.expect(200);
    let path = format!("/api-keys/{id}");
    let body = json!({
        "name": " build server ", "scopes": ["deploy"], "expires_at": "2026-03-01T00:00:00Z",
        "allowed_ips": ["203.0.113.0/24"], "project_ids": [project, project],
    });
    let changed = owner.patch(&path, body).await.expect(200);
    assert_eq!(changed.at("/name"), "build server");
    assert_eq!(changed.at("/project_ids"), json!([project]));
    assert_eq!(changed.at("/expires_at"), "2026-03-01T00:00:00Z");
    let read = owner.get(&path).await.expect(200);
    assert_eq!(read.body(), changed.body());
    assert!(read.header("etag").starts_with("\"2-"), "{}", read.header("etag"));

    assert_eq!(ci.get("/projects").await.error("reason").2, "ip_not_allowed");
    let ci = ci.from("203.0.113.7");
    assert_eq!(ci.get("/users/me").await.error("reason").2, "missing_scope");
    ci.get(&format!("/projects/{other}")).await.expect(404);
    ci.get(&format!("/projects/{project}")).await.expect(200);

    // What was read may be sent back, and changes nothing.
    let mut same = read.json();
    same.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    owner.patch(&path, same).await.expect(200);
    let again = owner.get(&path).await.expect(200);
    let revision = |tag: &str| tag.split('-').next().unwrap().to_owned();
    assert_eq!(revision(again.header("etag")), revision(read.header("etag")));
    let events = owner.get("/events?event=api_key.updated").await.expect(200);
    assert_eq!(events.at("/pagination/total"), 1);
    let data = events.at("/data/0/data");
    assert_eq!(data["api_key_id"], id.as_str());
    assert!(data["actor_id"].as_str().unwrap().starts_with("usr_"));
    let entry = owner.get("/audit-log?action=api_key.updated").await.expect(200);
    assert_eq!(entry.at("/data/0/changes/name"), json!({ "from": "ci", "to": "build server" }));
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused() {
    let app = TestApp::new();
    let owner = app.client("user@example.com", &["full"]).await;
    let body = json!({ "name": "ci", "scopes": ["read"], "expires_at": "2026-03-01T00:00:00Z" });
    let (id, _) = made(&app, &owner, body).await;
    let path = format!("/api-keys/{id}");
    for (body, expected) in [
        (json!({ "name": "" }), "name too_short"),
        (json!({ "name": 1 }), "name type"),
        (json!({ "scopes": [] }), "scopes too_short"),
        (json!({ "scopes": ["root"] }), "scopes unknown_value"),
        (json!({ "expires_at": "soon" }), "expires_at format"),
        (json!({ "expires_at": "2026-01-01T00:00:00Z" }), "expires_at out_of_range"),
        (json!({ "allowed_ips": ["10.0.0.0/33"] }), "allowed_ips format"),
        (json!({ "allowed_ips": vec!["10.0.0.1"; 51] }), "allowed_ips format"),
        (json!({ "project_ids": ["prj_0000000000000000"] }), "project_ids unknown_value"),
        (json!({ "project_ids": vec!["prj_0000000000000000"; 101] }), "project_ids too_long"),
        (json!({ "prefix": "orbu_0000" }), "prefix read_only"),
        (json!({ "revoked_at": "2026-01-01T00:00:00Z" }), "revoked_at read_only"),
    ] {
        assert_eq!(owner.patch(&path, &body).await.invalid(), [expected], "{body}");
    }
    for field in ["name", "scopes"] {
        let missing = owner.patch(&path, json!({ field: null })).await;
        assert_eq!(missing.error("missing_fields").2, json!([field]));
    }
    // Neither the owner nor another key gives a key more than it was made with.
    for body in [
        json!({ "scopes": ["full"] }),
        json!({ "expires_at": null }),
        json!({ "expires_at": "2026-03-02T00:00:00Z" }),
    ] {
        assert_eq!(owner.patch(&path, &body).await.error("reason"), escalation(), "{body}");
    }
    let stale = Request::patch(&path)
        .header(CONTENT_TYPE, "application/json")
        .header("if-match", "\"7-x\"")
        .body(Body::from(r#"{"name":"x"}"#));
    owner.ask(stale.unwrap()).await.expect(412);
    owner.delete(&path).await.expect(204);
    let revoked = owner.patch(&path, json!({ "name": "x" })).await;
    assert_eq!(revoked.error("reason"), (409, "conflict".to_owned(), "key_not_active".into()));
    let revoked = owner.post(&format!("{path}/rotate"), json!({})).await;
    assert_eq!(revoked.error("reason").2, "key_not_active");
    owner.patch("/api-keys/key_0000000000000000", json!({ "name": "x" })).await.expect(404);
}

#[tokio::test]
async fn no_field_is_a_way_to_more() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let owner = app.client_of(&user, &["full"]).await;
    let (project, other) = (owner.project("my-app").await, owner.project("other").await);
    let limited = json!({
        "name": "limited", "scopes": ["keys:read", "keys:write", "projects:read"],
        "expires_at": "2026-03-01T00:00:00Z", "allowed_ips": ["203.0.113.0/24"], "project_ids": [project],
    });
    let (own, limited_key) = made(&app, &owner, limited.clone()).await;
    let limited_key = limited_key.from("203.0.113.7");
    // A new key: each limit left out or widened, all others kept.
    limited_key.post("/api-keys", &limited).await.expect(201);
    for (field, value) in [
        ("scopes", json!(["keys:read", "logs:read"])),
        ("expires_at", Value::Null),
        ("expires_at", json!("2026-03-01T00:00:01Z")),
        ("allowed_ips", json!([])),
        ("allowed_ips", json!(["203.0.112.0/23"])),
        ("allowed_ips", json!(["203.0.113.1", "::/0"])),
        ("project_ids", json!([])),
        ("project_ids", Value::Null),
    ] {
        let mut body = limited.clone();
        body[field] = value;
        let refused = limited_key.post("/api-keys", &body).await;
        assert_eq!(refused.error("reason"), escalation(), "{body}");
        // And the same for itself.
        let body = json!({ field: body[field] });
        if body[field].is_null() && field == "project_ids" {
            continue;
        }
        let refused = limited_key.patch(&format!("/api-keys/{own}"), &body).await;
        assert_eq!(refused.error("reason"), escalation(), "{body}");
    }
    // Keys that may more, or elsewhere, are not there for it; they cannot be rotated into its hands.
    for body in [
        json!({ "name": "strong", "scopes": ["full"] }),
        json!({ "name": "elsewhere", "scopes": ["read"], "project_ids": [other] }),
        json!({ "name": "both", "scopes": ["read"], "project_ids": [project, other] }),
    ] {
        let (id, _) = made(&app, &owner, body).await;
        limited_key.get(&format!("/api-keys/{id}")).await.expect(404);
        limited_key.post(&format!("/api-keys/{id}/rotate"), json!({})).await.expect(404);
        limited_key.delete(&format!("/api-keys/{id}")).await.expect(404);
    }
    assert_eq!(limited_key.get("/api-keys").await.at("/pagination/total"), 2);
    // Without a limit of projects it sees them, and still does not get what they can.
    let weak = app.client_of(&user, &["keys:read", "keys:write"]).await;
    let (strong, _) = made(
        &app,
        &owner,
        json!({ "name": "strong", "scopes": ["full"], "allowed_ips": ["10.0.0.1"] }),
    )
    .await;
    let path = format!("/api-keys/{strong}");
    let refused = weak.post(&format!("{path}/rotate"), json!({})).await;
    assert_eq!(refused.error("reason"), escalation());
    let opened = weak.patch(&path, json!({ "allowed_ips": [] })).await;
    assert_eq!(opened.error("reason"), escalation());
    weak.patch(&path, json!({ "scopes": ["read"], "name": "weaker" })).await.expect(200);
    owner.patch(&path, json!({ "allowed_ips": ["10.0.0.0/8"] })).await.expect(200);
}

#[tokio::test]
async fn a_key_replaces_itself_and_the_old_one_ends_in_time() {
    let app = TestApp::new();
    let owner = app.client("user@example.com", &["full"]).await;
    let body = json!({ "name": "ci", "scopes": ["full"], "expires_at": "2026-03-01T00:00:00Z" });
    let (id, old) = made(&app, &owner, body).await;
    let path = format!("/api-keys/{id}");
    for (body, expected) in [
        (json!({ "grace_seconds": -1 }), "grace_seconds out_of_range"),
        (json!({ "grace_seconds": 604_801 }), "grace_seconds out_of_range"),
        (json!({ "grace_seconds": "1" }), "grace_seconds type"),
    ] {
        assert_eq!(old.post(&format!("{path}/rotate"), &body).await.invalid(), [expected]);
    }
    let rotate = |key: &'static str| {
        Request::post(format!("{path}/rotate"))
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Body::from(r#"{"grace_seconds":3600}"#))
            .unwrap()
    };
    let rotated = old.ask(rotate("once")).await.expect(201);
    assert_eq!(rotated.at("/replaces"), id.as_str());
    assert_eq!(rotated.at("/expires_at"), "2026-03-01T00:00:00Z");
    assert_eq!(rotated.at("/name"), "ci");
    assert_eq!(rotated.header("location"), format!("/api/v1/api-keys/{}", rotated.text("/id")));
    assert_eq!(rotated.header("cache-control"), "no-store");
    let again = old.ask(rotate("once")).await.expect(201);
    assert_eq!(again.body(), rotated.body(), "the new key is in the repeated answer");
    assert_eq!(again.header("idempotent-replayed"), "true");
    let new = app.with_key(&rotated.text("/key"));
    let current = new.get("/api-keys/current").await.expect(200);
    assert_eq!(current.at("/id"), rotated.at("/id"));
    assert_eq!(owner.get(&path).await.at("/expires_at"), "2026-01-20T17:30:00Z");
    let event = owner.get("/events?event=api_key.rotated").await;
    assert_eq!(event.at("/pagination/total"), 1);
    assert_eq!(event.at("/data/0/data/replaces"), id.as_str());
    assert_eq!(event.at("/data/0/data/api_key_id"), rotated.at("/id"));

    app.app.clock.advance(Duration::from_secs(3599));
    old.get("/users/me").await.expect(200);
    app.app.clock.advance(Duration::from_secs(1));
    assert_eq!(old.get("/users/me").await.error("reason").2, "key_expired");
    new.get("/users/me").await.expect(200);

    // A grace past its end does not lengthen a life; without one it ends at once.
    let soon = json!({ "name": "soon", "scopes": ["read"], "expires_at": "2026-01-20T18:00:00Z" });
    let (id, soon) = made(&app, &owner, soon).await;
    owner.call("POST", &format!("/api-keys/{id}/rotate")).await.expect(201);
    assert_eq!(
        owner.get(&format!("/api-keys/{id}")).await.at("/expires_at"),
        "2026-01-20T18:00:00Z"
    );
    soon.get("/users/me").await.expect(200);
    owner.post(&format!("/api-keys/{id}/rotate"), json!({ "grace_seconds": 0 })).await.expect(201);
    assert_eq!(soon.get("/users/me").await.error("reason").2, "key_expired");
}

#[tokio::test]
async fn lists_are_searched_and_sorted() {
    let app = TestApp::new();
    let owner = app.client("user@example.com", &["full"]).await;
    for name in ["Beta", "alpha", "gamma"] {
        app.app.clock.advance(Duration::from_secs(60));
        let body = json!({ "name": name, "scopes": ["read"] });
        let (_, key) = made(&app, &owner, body).await;
        if name == "alpha" {
            key.get("/users/me").await.expect(200);
            app.app.store_key_uses().await;
        }
    }
    for (query, expected) in [
        ("", "gamma alpha Beta test"),
        ("?sort=created_at", "test Beta alpha gamma"),
        ("?sort=name", "alpha Beta gamma test"),
        ("?sort=-name", "test gamma Beta alpha"),
        ("?q=A&sort=name", "alpha Beta gamma"),
        ("?q=%25", ""),
        ("?created_after=2026-01-20T16:31:00Z", "gamma alpha"),
        ("?created_after=2026-01-20T16:31:00Z&created_before=2026-01-20T16:33:00Z", "alpha"),
        ("?limit=1&page=2", "alpha"),
        ("?status=active&q=gam", "gamma"),
        ("?status=revoked", ""),
    ] {
        let list = owner.get(&format!("/api-keys{query}")).await.expect(200);
        let keys = list.at("/data");
        let names: Vec<_> =
            keys.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
        assert_eq!(names.join(" "), expected, "{query}");
    }
    // `test`, the owner's own, and `alpha` were used; the last use comes first.
    let used = owner.get("/api-keys?sort=-last_used_at").await.expect(200);
    assert!(
        !used.at("/data/0/last_used_at").is_null() && !used.at("/data/1/last_used_at").is_null()
    );
    assert!(used.at("/data/2/last_used_at").is_null());
    assert_eq!(used.at("/data/0/last_used_ip"), "127.0.0.1");
    assert_eq!(owner.get("/api-keys?sort=hash").await.invalid(), ["sort unknown_value"]);
    assert_eq!(owner.get("/api-keys?created_after=x").await.invalid(), ["created_after format"]);
}

#[tokio::test]
async fn keys_that_ended_are_forgotten_after_ninety_days() {
    let app = TestApp::new();
    let owner = app.client("user@example.com", &["full"]).await;
    let short =
        json!({ "name": "short", "scopes": ["read"], "expires_at": "2026-01-20T16:31:00Z" });
    let (expired, _) = made(&app, &owner, short).await;
    let (revoked, _) = made(&app, &owner, json!({ "name": "x", "scopes": ["read"] })).await;
    owner.delete(&format!("/api-keys/{revoked}")).await.expect(204);
    let day = Duration::from_secs(86_400);
    app.app.clock.advance(90 * day - Duration::from_secs(1));
    app.app.forget_old_keys().await;
    assert_eq!(owner.get("/api-keys").await.at("/pagination/total"), 3);
    app.app.clock.advance(Duration::from_secs(1));
    app.app.forget_old_keys().await;
    owner.get(&format!("/api-keys/{revoked}")).await.expect(404);
    owner.get(&format!("/api-keys/{expired}")).await.expect(200);
    app.app.clock.advance(day);
    app.app.forget_old_keys().await;
    assert_eq!(owner.get("/api-keys").await.at("/pagination/total"), 1);
}

#[tokio::test]
async fn a_deletion_can_be_tied_to_what_was_read() {
    let app = TestApp::new();
    let owner = app.client("user@example.com", &["full"]).await;
    let (id, _) = made(&app, &owner, json!({ "name": "ci", "scopes": ["read"] })).await;
    let path = format!("/api-keys/{id}");
    let tag = owner.get(&path).await.header("etag").to_owned();
    let delete = || Request::delete(&path).header("if-match", &tag).body(Body::empty()).unwrap();
    owner.patch(&path, json!({ "name": "renamed" })).await.expect(200);
    owner.ask(delete()).await.expect(412);
    assert!(owner.get(&path).await.at("/revoked_at").is_null());
}
