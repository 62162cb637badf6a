//! `/api-keys`.

use std::time::Duration;

use orbitra::app::api_keys::NewKey;
use orbitra::model::problems::Problems;
use serde_json::{Value, json};

use crate::support::app::TestApp;

#[tokio::test]
async fn a_key_is_shown_once() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let project = client.project("my-app").await;
    let body = json!({
        "name": "ci", "scopes": ["deploy"], "expires_at": "2027-01-01T00:00:00Z",
        "allowed_ips": ["203.0.113.0/24"], "project_ids": [project],
    });
    let made = client.post("/api/v1/api-keys", body).await.expect(201);
    let (id, key) = (made.text("/id"), made.text("/key"));
    let shown = format!(
        r#"{{"id":"{id}","name":"ci","prefix":"{}","last4":"{}","scopes":["deployments:read","deployments:write","env:read","logs:read","projects:read"],"allowed_ips":["203.0.113.0/24"],"project_ids":["{project}"],"expires_at":"2027-01-01T00:00:00Z","last_used_at":null,"last_used_ip":null,"created_at":"2026-01-20T16:30:00Z","revoked_at":null"#,
        &key[..9],
        &key[37..]
    );
    assert_eq!(made.body(), format!(r#"{shown},"key":"{key}"}}"#));
    assert_eq!(made.header("location"), format!("/api/v1/api-keys/{id}"));
    assert_eq!(made.header("cache-control"), "no-store");
    let read = client.get(&format!("/api-keys/{id}")).await.expect(200);
    assert_eq!(read.body(), format!("{shown}}}"));
    let list = client.get("/api-keys").await.expect(200);
    assert!(!list.body().contains(&key));
    assert_eq!(list.at("/data/0/id"), Value::from(id));
    assert_eq!(list.at("/pagination"), json!({ "page": 1, "limit": 20, "total": 2 }));

    // It works from the network it is for, and for its project only.
    let ci = app.with_key(&key).from("203.0.113.9");
    ci.get(&format!("/projects/{project}")).await.expect(200);
    let elsewhere = app.with_key(&key).from("203.0.114.9").get("/projects").await;
    assert_eq!(elsewhere.error("reason"), (403, "forbidden".to_owned(), "ip_not_allowed".into()));
    let other = client.project("other").await;
    ci.get(&format!("/projects/{other}")).await.expect(404);
    assert_eq!(ci.get("/projects").await.at("/pagination/total"), 1);
}

#[tokio::test]
async fn bad_keys_are_refused() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let bad = client.post("/api-keys", "{}").await;
    assert_eq!(bad.error("missing_fields").2, json!(["name", "scopes"]));
    let stranger = app.client("other@example.com", &["full"]).await.project("foreign").await;
    for (field, value, expected) in [
        ("name", json!("x".repeat(65)), "name too_long"),
        ("name", json!("a\nb"), "name format"),
        ("scopes", json!([]), "scopes too_short"),
        ("scopes", json!(["root"]), "scopes unknown_value"),
        ("scopes", json!("full"), "scopes type"),
        ("scopes", json!([1]), "scopes type"),
        ("expires_at", json!("soon"), "expires_at format"),
        ("expires_at", json!("2020-01-01T00:00:00Z"), "expires_at out_of_range"),
        ("expires_at", json!(1_800_000_000), "expires_at type"),
        ("allowed_ips", json!(["10.0.0.0/33"]), "allowed_ips format"),
        ("allowed_ips", json!(["$(id)"]), "allowed_ips format"),
        ("project_ids", json!(["nope"]), "project_ids format"),
        ("project_ids", json!(["prj_0000000000000000"]), "project_ids unknown_value"),
        ("project_ids", json!([stranger]), "project_ids unknown_value"),
    ] {
        let mut body = json!({ "name": "ci", "scopes": ["read"] });
        body[field] = value;
        assert_eq!(client.post("/api-keys", &body).await.invalid(), [expected], "{body}");
    }
    // `null` is the same as nothing for what is optional.
    let body = json!({ "name": "ci", "scopes": ["read"], "expires_at": null, "allowed_ips": null });
    client.post("/api-keys", body).await.expect(201);
}

#[tokio::test]
async fn a_key_cannot_make_a_stronger_one() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let owner = app.client_of(&user, &["full"]).await;
    let project = owner.project("my-app").await;
    let weak = app.client_of(&user, &["keys:write", "keys:read", "projects:read"]).await;
    let escalation = (403, "forbidden".to_owned(), Value::from("scope_escalation"));
    for scopes in [json!(["full"]), json!(["read"]), json!(["keys:read", "projects:write"])] {
        let made = weak.post("/api-keys", json!({ "name": "x", "scopes": scopes })).await;
        assert_eq!(made.error("reason"), escalation);
    }
    weak.post("/api-keys", json!({ "name": "x", "scopes": ["keys:read"] })).await.expect(201);

    let narrow = json!({
        "name": "narrow", "scopes": ["full"], "project_ids": [project], "expires_at": "2026-02-01T00:00:00Z",
    });
    let narrow = app.with_key(&owner.post("/api-keys", narrow).await.text("/key"));
    for extra in [
        json!({ "expires_at": "2026-01-31T00:00:00Z" }),
        json!({ "project_ids": [project] }),
        json!({ "project_ids": [project], "expires_at": "2026-02-02T00:00:00Z" }),
    ] {
        let mut body = json!({ "name": "x", "scopes": ["read"] });
        for (field, value) in extra.as_object().unwrap() {
            body[field] = value.clone();
        }
        assert_eq!(narrow.post("/api-keys", &body).await.error("reason"), escalation, "{body}");
    }
    let no_project = narrow.post("/projects", json!({ "name": "more", "region": "local" })).await;
    assert_eq!(no_project.error("reason").2, "missing_scope");
}

#[tokio::test]
async fn revoked_and_expired_keys_say_so() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let client = app.client_of(&user, &["full"]).await;
    let current = client.get("/api-keys/current").await.expect(200).text("/id");
    let new = NewKey {
        name: Some("short".to_owned()),
        scopes: Some(vec!["read".to_owned()]),
        expires_at: Some("2026-01-20T17:00:00Z".to_owned()),
        ..NewKey::default()
    };
    let actor = app.app.authenticate(client.key(), Default::default()).await.unwrap();
    let (_, short) =
        app.app.create_key(&actor, new, Problems::default(), &Default::default()).await.unwrap();
    app.with_key(&short).get("/users/me").await.expect(200);
    app.app.clock.advance(Duration::from_secs(1800));
    let expired = app.with_key(&short).get("/users/me").await;
    assert_eq!(expired.error("reason"), (401, "unauthorized".to_owned(), "key_expired".into()));

    // A key may revoke itself; doing it again is success for the one who still can.
    let other = app.client_of(&user, &["full"]).await;
    client.delete(&format!("/api-keys/{current}")).await.expect(204);
    other.delete(&format!("/api-keys/{current}")).await.expect(204);
    let revoked = client.get("/users/me").await;
    assert_eq!(revoked.error("reason"), (401, "unauthorized".to_owned(), "key_revoked".into()));
    for (status, count) in [("active", 1), ("expired", 1), ("revoked", 1), ("expired,revoked", 2)] {
        let list = other.get(&format!("/api-keys?status={status}")).await.expect(200);
        assert_eq!(list.at("/pagination/total"), count, "{status}");
    }
    assert_eq!(other.get("/api-keys?status=gone").await.invalid(), ["status unknown_value"]);
}

#[tokio::test]
async fn keys_of_others_do_not_exist() {
    let app = TestApp::new();
    let theirs = app.client("other@example.com", &["full"]).await;
    let foreign = theirs.get("/api-keys/current").await.text("/id");
    let client = app.client("user@example.com", &["full"]).await;
    for method in ["GET", "DELETE"] {
        let real = client.call(method, &format!("/api-keys/{foreign}")).await.expect(404);
        let random = client.call(method, "/api-keys/key_0000000000000000").await.expect(404);
        let blank = |reply: &crate::support::app::Reply, id: &str| reply.body().replace(id, "");
        assert_eq!(blank(&real, &foreign), blank(&random, "key_0000000000000000"));
    }
    theirs.get("/users/me").await.expect(200);
}
