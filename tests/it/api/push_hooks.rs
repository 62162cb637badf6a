//! `/projects/{project}/hooks`: made, listed, rotated, deleted.

use serde_json::{Value, json};

use crate::support::app::{Client, TestApp};

async fn begin() -> (TestApp, Client, String) {
    let app = TestApp::new();
    let client = app.client("ada@example.com", &["full"]).await;
    let project = client.project("web").await;
    (app, client, project)
}

#[tokio::test]
async fn a_hook_is_made_listed_rotated_and_deleted() {
    let (app, client, project) = begin().await;
    let body = json!({ "kind": "git", "provider": "github" });
    let made = client.post("/projects/web/hooks", &body).await.expect(201);
    let id = made.text("/id");
    assert!(id.starts_with("ghk_"), "{id}");
    let location = format!("/api/v1/projects/{project}/hooks/{id}");
    assert_eq!(
        (made.header("location"), made.header("cache-control")),
        (location.as_str(), "no-store")
    );
    let keys: Vec<_> = made.json().as_object().unwrap().keys().cloned().collect();
    let expected = [
        "branch",
        "created_at",
        "id",
        "kind",
        "last_received_at",
        "previews",
        "provider",
        "pull_requests",
        "secret",
        "url",
        "wait_for_checks",
    ];
    assert_eq!(keys, expected);
    assert_eq!(
        (made.at("/branch"), made.at("/previews"), made.at("/last_received_at")),
        (Value::Null, json!(false), Value::Null)
    );
    let (url, secret) = (made.text("/url"), made.text("/secret"));
    let token = url.strip_prefix("https://example.com/api/v1/hooks/git/").unwrap().to_owned();
    assert!(token.starts_with("orbh_") && token.len() == 41, "{token}");
    assert!(secret.len() >= 32);
    // Neither is in the files, nor in what is written down of it.
    assert!(!app.stores(&token) && !app.stores(&secret));
    let listed = client.get("/projects/web/hooks").await.expect(200);
    assert_eq!(listed.header("cache-control"), "no-store");
    assert_eq!(
        (listed.at("/data/0/url"), listed.at("/data/0/secret"), listed.at("/pagination/total")),
        (json!(url), Value::Null, json!(1))
    );
    assert!(!listed.body().contains(&secret));
    let audit = client.get("/audit-log?action=hook.created").await.expect(200);
    assert_eq!(audit.at("/data/0/changes/provider/to"), "github");
    assert!(!audit.body().contains("orbh_"));
    let rotated = client.post(&format!("/projects/web/hooks/{id}/rotate"), "{}").await.expect(200);
    assert_eq!(rotated.text("/id"), id);
    assert_ne!((rotated.text("/url"), rotated.text("/secret")), (url.clone(), secret));
    let again = client.get("/projects/web/hooks").await.expect(200);
    assert_eq!(again.text("/data/0/url"), rotated.text("/url"));
    let old = url.strip_prefix("https://example.com").unwrap();
    assert_eq!(client.post(old, "{}").await.error("resource").2, "hook");
    let path = format!("/projects/web/hooks/{id}");
    client.delete(&path).await.expect(204);
    client.delete(&path).await.expect(404);
    client.post(&format!("{path}/rotate"), "{}").await.expect(404);
    let new = rotated.text("/url");
    client.post(new.strip_prefix("https://example.com").unwrap(), "{}").await.expect(404);
    for action in ["hook.rotated", "hook.deleted"] {
        let audit = client.get(&format!("/audit-log?action={action}")).await.expect(200);
        assert_eq!(audit.text("/data/0/target/id"), id);
    }
}

#[tokio::test]
async fn a_deploy_hook_has_no_secret_and_a_repeated_request_makes_one() {
    let (app, client, _) = begin().await;
    let body = json!({ "kind": "deploy", "branch": "release/1", "previews": true });
    let request = || {
        http::Request::post("/projects/web/hooks")
            .header("idempotency-key", "once")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body.to_string()))
            .unwrap()
    };
    let made = client.ask(request()).await.expect(201);
    assert_eq!(
        (made.at("/secret"), made.at("/provider"), made.at("/branch"), made.at("/previews")),
        (Value::Null, json!("generic"), json!("release/1"), json!(true))
    );
    assert!(made.text("/url").contains("/hooks/deploy/orbh_"));
    let again = client.ask(request()).await.expect(201);
    assert_eq!((again.body(), again.header("idempotent-replayed")), (made.body(), "true"));
    assert_eq!(client.get("/projects/web/hooks").await.at("/pagination/total"), 1);
    assert!(!app.stores("orbh_"));
}

#[tokio::test]
async fn what_is_no_hook_is_refused() {
    let (_app, client, _) = begin().await;
    for (body, expected) in [
        (json!({ "kind": "mail" }), "kind unknown_value"),
        (json!({ "kind": 1 }), "kind type"),
        (json!({ "kind": "git", "provider": "sourceforge" }), "provider unknown_value"),
        (json!({ "kind": "git", "provider": null }), "provider type"),
        (json!({ "kind": "git", "branch": "-x" }), "branch unsafe"),
        (json!({ "kind": "git", "branch": "a..b" }), "branch format"),
        (json!({ "kind": "git", "branch": 1 }), "branch type"),
        (json!({ "kind": "git", "previews": "yes" }), "previews type"),
        (json!({ "kind": "git", "previews": null }), "previews type"),
    ] {
        let refused = client.post("/projects/web/hooks", &body).await;
        assert_eq!(refused.invalid(), [expected], "{body}");
    }
    let none = client.post("/projects/web/hooks", "{}").await;
    assert_eq!(none.error("missing_fields").2, json!(["kind"]));
    let more = client.post("/projects/web/hooks", json!({ "kind": "git", "secret": "x" })).await;
    assert_eq!(more.error("unknown_fields").2[0]["field"], "secret");
    client.post("/projects/nope/hooks", json!({ "kind": "git" })).await.expect(404);
    assert_eq!(client.get("/projects/web/hooks").await.at("/pagination/total"), 0);
    for _ in 0..20 {
        client.post("/projects/web/hooks", json!({ "kind": "git" })).await.expect(201);
    }
    let one_more = client.post("/projects/web/hooks", json!({ "kind": "git" })).await;
    assert_eq!(one_more.error("reason"), (409, "conflict".to_owned(), json!("too_many_hooks")));
    let page = client.get("/projects/web/hooks?limit=15&page=2").await.expect(200);
    assert_eq!(
        (page.at("/pagination/total"), page.at("/data").as_array().unwrap().len()),
        (json!(20), 5)
    );
}
