//! The order of checks: of everything that is wrong with a request, the first in the order is answered.

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;

use crate::support::app::{Client, TestApp};

struct Bad<'a> {
    method: &'a str,
    path: &'a str,
    kind: &'a str,
    body: String,
}

async fn status(client: &Client, bad: &Bad<'_>) -> u16 {
    let request = Request::builder()
        .method(bad.method)
        .uri(bad.path)
        .header(CONTENT_TYPE, bad.kind)
        .body(Body::from(bad.body.clone()));
    client.ask(request.unwrap()).await.status.as_u16()
}

#[tokio::test]
async fn the_first_problem_in_the_order_is_answered() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let owner = app.client_of(&user, &["full"]).await;
    let reader = app.client_of(&user, &["read"]).await;
    let anonymous = app.anonymous();
    let project = owner.project("my-app").await;
    let here = format!("/projects/{project}/deployments");
    let broken = "{".repeat(2 * 1024 * 1024);
    let mut bad = Bad { method: "PUT", path: "/nowhere", kind: "text/plain", body: broken };
    let unclaimed = "/api/v1/nowhere";
    bad.path = unclaimed;
    assert_eq!(status(&anonymous, &bad).await, 404);
    bad.path = "/projects/prj_unknown/deployments";
    assert_eq!(status(&anonymous, &bad).await, 405);
    bad.method = "POST";
    assert_eq!(status(&anonymous, &bad).await, 413);
    bad.body = "{".to_owned();
    assert_eq!(status(&anonymous, &bad).await, 401);
    assert_eq!(status(&reader, &bad).await, 403);
    assert_eq!(status(&owner, &bad).await, 415);
    bad.kind = "application/json";
    assert_eq!(status(&owner, &bad).await, 400);
    bad.body = "{\"git_url\":5}".to_owned();
    assert_eq!(status(&owner, &bad).await, 404);
    bad.path = &here;
    assert_eq!(status(&owner, &bad).await, 400);

    // Field validation comes before the state.
    let id = owner.deployment(&project).await;
    owner.post(&format!("/deployments/{id}/cancel"), "").await.expect(200);
    let taken = r#"{"name":"my-app","region":"mars"}"#;
    owner.post("/projects", taken).await.expect(400);
    owner.post("/projects", taken.replace("mars", "local")).await.expect(409);
    // A list of something that is not there is not found, however wrong its parameters are.
    owner.get("/projects/prj_unknown/deployments?x=1&page=0").await.expect(404);
    owner.get("/deployments/dep_unknown?wait=0").await.expect(404);
    owner.get("/deployments/dep_unknown/logs?limit=x").await.expect(404);
    reader.get("/projects/prj_unknown/deployments?x=1").await.expect(404);
}

#[tokio::test]
async fn each_endpoint_asks_for_its_scope() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let nothing = app.client_of(&user, &["metrics:read"]).await;
    for (method, path, scope) in [
        ("GET", "/users/me", "account:read"),
        ("PATCH", "/users/me", "account:write"),
        ("PUT", "/users/me", "account:write"),
        ("GET", "/api-keys", "keys:read"),
        ("POST", "/api-keys", "keys:write"),
        ("GET", "/api-keys/current", "keys:read"),
        ("GET", "/api-keys/key_unknown", "keys:read"),
        ("DELETE", "/api-keys/key_unknown", "keys:write"),
        ("GET", "/projects", "projects:read"),
        ("POST", "/projects", "projects:write"),
        ("GET", "/projects/x", "projects:read"),
        ("PATCH", "/projects/x", "projects:write"),
        ("DELETE", "/projects/x", "projects:write"),
        ("GET", "/projects/x/deployments", "deployments:read"),
        ("POST", "/projects/x/deployments", "deployments:write"),
        ("GET", "/deployments", "deployments:read"),
        ("GET", "/deployments/dep_unknown", "deployments:read"),
        ("POST", "/deployments/dep_unknown/cancel", "deployments:write"),
        ("GET", "/deployments/dep_unknown/logs", "logs:read"),
        ("GET", "/deployments/dep_unknown/logs?follow=true", "logs:read"),
    ] {
        let reply = nothing.call(method, path).await;
        let (status, code, scopes) = reply.error("required_scopes");
        assert_eq!((status, code.as_str()), (403, "forbidden"), "{method} {path}");
        assert_eq!(scopes, serde_json::json!([scope]), "{method} {path}");
        assert_eq!(reply.text("/error/details/reason"), "missing_scope");
    }
    nothing.get("/regions").await.expect(200);
    nothing.get("/frameworks").await.expect(200);
}
