//! `Idempotency-Key` and `If-Match`: a request that is repeated, raced or too late.

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::support::app::{Client, Reply, TestApp};

/// A POST with a key.
async fn post(client: &Client, path: &str, key: &str, body: serde_json::Value) -> Reply {
    let request = Request::post(path)
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()));
    client.ask(request.unwrap()).await
}

#[tokio::test]
async fn a_repeated_request_has_the_same_answer_and_no_second_effect() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let body = json!({ "name": "web", "region": "local" });
    let first = post(&client, "/projects", "k-1", body.clone()).await.expect(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    // The order of the keys, the base path and quotes do not count.
    let turned = json!({ "region": "local", "name": "web" });
    for (path, key) in [("/projects", "k-1"), ("/api/v1/projects/", "\"k-1\"")] {
        let again = post(&client, path, key, turned.clone()).await.expect(201);
        assert_eq!(again.body(), first.body());
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!(again.header("cache-control"), "no-store");
    }
    assert_eq!(client.get("/projects").await.at("/pagination/total"), 1);

    let other = post(&client, "/projects", "k-1", json!({ "name": "shop", "region": "local" }));
    let reused = other.await.error("reason");
    assert_eq!(reused, (422, "unprocessable".to_owned(), "idempotency_key_reused".into()));
    // A key belongs to one account and one path.
    let stranger = app.client("other@example.com", &["full"]).await;
    let theirs = json!({ "name": "theirs", "region": "local" });
    post(&stranger, "/projects", "k-1", theirs).await.expect(201);
    let key = json!({ "name": "ci", "scopes": ["read"] });
    let made = post(&client, "/api-keys", "k-1", key.clone()).await.expect(201);
    let again = post(&client, "/api-keys", "k-1", key).await.expect(201);
    assert_eq!(again.text("/key"), made.text("/key"), "the secret is in the repeated answer");
}

#[tokio::test]
async fn what_did_not_happen_may_happen_later() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    post(&client, "/projects", "k", json!({ "name": "Bad Name", "region": "local" }))
        .await
        .expect(400);
    let body = json!({ "name": "web", "region": "local" });
    post(&client, "/projects", "k", body.clone()).await.expect(201);
    client.delete("/projects/web").await.expect(204);
    // Stored is the answer, whatever became of the project; a day later the key is new.
    post(&client, "/projects", "k", body.clone()).await.expect(201);
    assert_eq!(client.get("/projects").await.at("/pagination/total"), 0);
    app.app.clock.advance(std::time::Duration::from_secs(86_400));
    let fresh = post(&client, "/projects", "k", body).await.expect(201);
    assert_eq!(fresh.header("idempotent-replayed"), "");
    assert_eq!(client.get("/projects").await.at("/pagination/total"), 1);
    app.app.forget_old_answers().await;

    for bad in ["", " a b", "\"\""] {
        let refused =
            post(&client, "/projects", bad, json!({ "name": "x", "region": "local" })).await;
        let blank = bad.trim() != bad;
        // Blanks around a header's value are not part of it.
        if !blank {
            assert_eq!(refused.invalid(), ["Idempotency-Key format"], "{bad:?}");
        }
    }
}

#[tokio::test]
async fn of_twenty_at_the_same_time_one_happens() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let body = json!({ "name": "web", "region": "local" });
    let race = |key: &'static str| {
        let sent: Vec<_> = (0..20)
            .map(|_| (client.clone(), body.clone()))
            .map(|(client, body)| {
                tokio::spawn(async move { post(&client, "/projects", key, body).await })
            })
            .collect();
        futures_util::future::join_all(sent)
    };
    let mut fresh = 0;
    for reply in race("same").await {
        let reply = reply.unwrap();
        match reply.status.as_u16() {
            201 if reply.header("idempotent-replayed").is_empty() => fresh += 1,
            201 => {}
            409 => {
                assert_eq!(reply.error("reason").2, "idempotency_key_in_use");
                assert_eq!(reply.header("retry-after"), "1");
                assert_eq!(reply.header("x-should-retry"), "true");
            }
            other => panic!("{other}: {}", reply.body()),
        }
    }
    assert_eq!(fresh, 1);
    // Without a key the name decides.
    let sent =
        (0..20).map(|_| client.post("/projects", json!({ "name": "shop", "region": "local" })));
    let made = futures_util::future::join_all(sent).await;
    assert_eq!(made.iter().filter(|reply| reply.status == 201).count(), 1);
    assert!(
        made.iter().all(|reply| reply.status == 201 || reply.error("reason").2 == "name_taken")
    );
}

#[tokio::test]
async fn of_twenty_with_one_key_one_is_made() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let project = client.project("web").await;
    let deployments = format!("/projects/{project}/deployments");
    for (path, body) in [
        ("/api-keys", json!({ "name": "ci", "scopes": ["read"] })),
        (deployments.as_str(), json!({ "git_url": "https://github.com/user/repo.git" })),
    ] {
        let count = async || client.get(path).await.at("/pagination/total").as_u64().unwrap();
        let before = count().await;
        let sent = (0..20).map(|_| {
            let (client, path, body) = (client.clone(), path.to_owned(), body.clone());
            tokio::spawn(async move { post(&client, &path, "one", body).await })
        });
        let (mut fresh, mut ids) = (0, std::collections::BTreeSet::new());
        for reply in futures_util::future::join_all(sent).await {
            let reply = reply.unwrap();
            if reply.status == 409 {
                assert_eq!(reply.error("reason").2, "idempotency_key_in_use");
                continue;
            }
            let reply = reply.expect(201);
            fresh += usize::from(reply.header("idempotent-replayed").is_empty());
            ids.insert(reply.text("/id"));
        }
        assert_eq!((fresh, ids.len(), count().await), (1, 1, before + 1), "{path}");
    }
}

#[tokio::test]
async fn a_change_can_ask_that_nothing_changed() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    client.project("web").await;
    let change = |tag: &str, body: serde_json::Value| {
        let request = Request::patch("/projects/web")
            .header(CONTENT_TYPE, "application/json")
            .header("if-match", tag)
            .body(Body::from(body.to_string()))
            .unwrap();
        let client = client.clone();
        async move { client.ask(request).await }
    };
    change("\"1-abc\"", json!({ "description": "one" })).await.expect(200);
    let late = change("\"1-abc\"", json!({ "description": "two", "unknown": 1 })).await;
    let (status, code, tag) = late.error("current_etag");
    assert_eq!((status, code.as_str(), tag), (412, "precondition_failed", "\"2\"".into()));
    assert_eq!(client.get("/projects/web").await.text("/description"), "one");
    change("*", json!({ "description": "three" })).await.expect(200);
    change("\"9\", \"3\"", json!({ "description": "four" })).await.expect(200);
    let delete = Request::delete("/projects/web").header("if-match", "\"3\"");
    client.ask(delete.body(Body::empty()).unwrap()).await.expect(412);
    let delete = Request::delete("/projects/web").header("if-match", "\"4\"");
    client.ask(delete.body(Body::empty()).unwrap()).await.expect(204);
}

#[tokio::test]
async fn a_weaker_key_does_not_get_a_stronger_one_by_repeating() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let strong = app.client_of(&user, &["full"]).await;
    let weak = app.client_of(&user, &["keys:write", "projects:write"]).await;
    strong.project("web").await;
    let key = json!({ "name": "ci", "scopes": ["full"] });
    let made = post(&strong, "/api-keys", "k", key.clone()).await.expect(201);
    let rotate = format!("/api-keys/{}/rotate", made.text("/id"));
    post(&strong, &rotate, "k", json!({})).await.expect(201);
    let token = json!({ "name": "t", "scopes": ["deploy"] });
    post(&strong, "/projects/web/tokens", "k", token.clone()).await.expect(201);
    for (path, body) in
        [("/api-keys", key), (rotate.as_str(), json!({})), ("/projects/web/tokens", token)]
    {
        let refused = post(&weak, path, "k", body.clone()).await;
        assert_eq!(refused.error("reason").2, "scope_escalation", "{path}");
        let again = post(&strong, path, "k", body).await.expect(201);
        assert_eq!(again.header("idempotent-replayed"), "true", "{path}");
    }
}
