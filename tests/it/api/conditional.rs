//! Entity tags and `If-None-Match`.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::support::app::{Client, Reply, TestApp};

async fn ask(client: &Client, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.ask(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn what_is_read_has_a_tag() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let project = client.project("my-app").await;
    let deployment = client.deployment(&project).await;
    for path in [
        "/users/me",
        "/projects",
        "/api-keys",
        "/api-keys/current",
        "/regions",
        "/frameworks",
        "/health",
        "/openapi.json",
        "/deployments",
        &format!("/projects/{project}"),
        &format!("/projects/{project}/deployments"),
        &format!("/deployments/{deployment}"),
        &format!("/deployments/{deployment}/logs"),
    ] {
        let first = client.get(path).await.expect(200);
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10, "{path} {tag}");
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            for method in ["GET", "HEAD"] {
                let reply = ask(&client, method, path, &[("if-none-match", &known)]).await;
                let reply = reply.expect(304);
                assert_eq!((reply.header("etag"), reply.body()), (&*tag, ""), "{path}");
                assert_eq!(reply.header("content-type"), "");
                assert_eq!(reply.header("cache-control"), "private, no-cache");
            }
        }
        for other in ["\"x\"", "x", "", "\"*\""] {
            ask(&client, "GET", path, &[("if-none-match", other)]).await.expect(200);
        }
        assert_eq!(ask(&client, "HEAD", path, &[]).await.expect(200).header("etag"), tag);
    }
    // Nothing else has one.
    let made = client.post("/projects", json!({ "name": "other", "region": "local" })).await;
    assert_eq!(made.expect(201).header("etag"), "");
    let changed = client.patch("/users/me", json!({ "name": "Jane" })).await.expect(200);
    assert_eq!(changed.header("etag"), "");
    assert_eq!(client.get("/projects/nothing").await.expect(404).header("etag"), "");
    // Not found stays not found, whatever is known already.
    ask(&client, "GET", "/projects/nothing", &[("if-none-match", "*")]).await.expect(404);
    ask(&app.anonymous(), "GET", "/users/me", &[("if-none-match", "*")]).await.expect(401);
}

#[tokio::test]
async fn a_change_changes_the_tag() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let path = format!("/projects/{}", client.project("my-app").await);
    let before = client.get(&path).await.header("etag").to_owned();
    client.patch(&path, json!({ "description": "Shop" })).await.expect(200);
    let after = client.get(&path).await.header("etag").to_owned();
    let revision = |tag: &str| tag[1..].split('-').next().unwrap().parse::<u32>().unwrap();
    assert_eq!(revision(&after), revision(&before) + 1);
    ask(&client, "GET", &path, &[("if-none-match", &before)]).await.expect(200);
    // Another representation of the same revision has another tag.
    let some = client.get("/users/me").await.header("etag").to_owned();
    let more = client.get("/users/me?include=*").await.header("etag").to_owned();
    assert_eq!(revision(&some), revision(&more));
    assert_ne!(some, more);
}

#[tokio::test]
async fn an_encoded_body_has_a_tag_of_its_own() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let plain = client.get("/frameworks").await.header("etag").to_owned();
    for (coding, suffix) in [("gzip", "-gzip\""), ("br", "-br\"")] {
        let packed = ask(&client, "GET", "/frameworks", &[("accept-encoding", coding)]).await;
        let tag = packed.header("etag").to_owned();
        assert_eq!(tag, format!("{}{suffix}", &plain[..plain.len() - 1]));
        let known = [("accept-encoding", coding), ("if-none-match", &tag)];
        let reply = ask(&client, "GET", "/frameworks", &known).await.expect(304);
        assert_eq!((reply.header("etag"), reply.header("vary")), (&*tag, "accept-encoding"));
    }
}
