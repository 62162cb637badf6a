//! `/projects/{project}/tokens`: keys of one project.

use serde_json::{Value, json};

use crate::support::app::TestApp;

#[tokio::test]
async fn a_token_sees_its_project_and_nothing_else() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let owner = app.client_of(&user, &["full"]).await;
    let (project, other) = (owner.project("my-app").await, owner.project("other").await);
    let deployment = owner.deployment(&other).await;
    let body = json!({ "name": "ci", "scopes": ["full"], "allowed_ips": ["203.0.113.0/24"] });
    let made = owner.post("/projects/my-app/tokens", body).await.expect(201);
    let (id, key) = (made.text("/id"), made.text("/key"));
    assert!(key.starts_with("orbp_") && made.text("/prefix").starts_with("orbp_"), "{key}");
    assert_eq!(made.at("/project_ids"), json!([project]));
    assert_eq!(made.header("location"), format!("/api/v1/projects/{project}/tokens/{id}"));
    assert_eq!(made.header("cache-control"), "no-store");
    let scopes = made.at("/scopes");
    for scope in scopes.as_array().unwrap() {
        let what = scope.as_str().unwrap().split(':').next().unwrap().to_owned();
        let beyond = ["account", "audit", "billing", "keys", "system", "teams"];
        assert!(!beyond.contains(&what.as_str()), "{scope}");
    }
    assert!(scopes.as_array().unwrap().contains(&"projects:write".into()));

    let token = app.with_key(&key);
    assert_eq!(token.get("/projects").await.error("reason").2, "ip_not_allowed");
    let token = token.from("203.0.113.9");
    token.get("/projects/my-app").await.expect(200);
    let own = token.deployment(&project).await;
    token.get(&format!("/deployments/{own}")).await.expect(200);
    let list = token.get("/projects").await.expect(200);
    assert_eq!((list.at("/pagination/total"), list.at("/data/0/id")), (1.into(), project.into()));
    assert_eq!(token.get("/deployments").await.at("/pagination/total"), 1);
    for path in [
        "/projects/other".to_owned(),
        format!("/projects/{other}/deployments"),
        format!("/projects/{other}/tokens"),
        format!("/deployments/{deployment}"),
        format!("/deployments/{deployment}/logs"),
    ] {
        token.get(&path).await.expect(404);
    }
    for path in ["/users/me", "/api-keys", "/api-keys/current", "/audit-log"] {
        assert_eq!(token.get(path).await.error("reason").2, "missing_scope", "{path}");
    }
    let made = token.post("/projects", json!({ "name": "third", "region": "local" })).await;
    assert_eq!(made.error("reason").2, "missing_scope");
    let key = token.post("/api-keys", json!({ "name": "x", "scopes": ["read"] })).await;
    assert_eq!(key.error("reason").2, "missing_scope");
    // A token's token has no more than it: the address stays.
    let wider = json!({ "name": "wider", "scopes": ["read"] });
    let wider = token.post("/projects/my-app/tokens", wider).await;
    assert_eq!(wider.error("reason").2, "scope_escalation");
}

#[tokio::test]
async fn tokens_are_listed_with_their_project_and_revoked_there() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let owner = app.client_of(&user, &["full"]).await;
    owner.project("my-app").await;
    owner.project("other").await;
    let body = json!({ "name": "ci", "scopes": ["deploy"] });
    let made = owner.post("/projects/my-app/tokens", &body).await.expect(201);
    let (id, token) = (made.text("/id"), app.with_key(&made.text("/key")));
    owner.post("/projects/my-app/tokens", json!({ "name": "two", "scopes": ["read"] })).await;
    let list = owner.get("/projects/my-app/tokens?sort=name").await.expect(200);
    assert_eq!(list.at("/pagination/total"), 2);
    assert_eq!(list.at("/data/0/id"), id.as_str());
    assert!(!list.body().contains(&made.text("/key")));
    assert_eq!(owner.get("/projects/other/tokens").await.at("/pagination/total"), 0);
    assert_eq!(owner.get("/api-keys?q=ci").await.at("/pagination/total"), 0);
    owner.get(&format!("/api-keys/{id}")).await.expect(404);
    owner.delete(&format!("/api-keys/{id}")).await.expect(404);
    let current = owner.get("/api-keys/current").await.text("/id");
    owner.delete(&format!("/projects/my-app/tokens/{current}")).await.expect(404);
    owner.delete(&format!("/projects/other/tokens/{id}")).await.expect(404);
    let stranger = app.client("other@example.com", &["full"]).await;
    stranger.get("/projects/my-app/tokens").await.expect(404);
    stranger.post("/projects/my-app/tokens", &body).await.expect(404);
    stranger.delete(&format!("/projects/my-app/tokens/{id}")).await.expect(404);
    let reader = app.client_of(&user, &["read"]).await;
    let refused = reader.get("/projects/my-app/tokens").await;
    assert_eq!(refused.error("required_scopes").2, json!(["projects:write"]));

    token.get("/projects/my-app").await.expect(200);
    owner.delete(&format!("/projects/my-app/tokens/{id}")).await.expect(204);
    assert_eq!(token.get("/projects/my-app").await.error("reason").2, "key_revoked");
    owner.delete(&format!("/projects/my-app/tokens/{id}")).await.expect(204);
    let revoked = owner.get("/projects/my-app/tokens?status=revoked").await;
    assert_eq!(revoked.at("/data/0/id"), id.as_str());
    let events = owner.get("/events?event=api_key.revoked").await.expect(200);
    assert_eq!(events.at("/pagination/total"), 1);
    assert_eq!(events.at("/data/0/data/api_key_id"), id.as_str());
    assert!(events.at("/data/0/data/project_id").is_string());
}

#[tokio::test]
async fn bad_tokens_are_refused() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let owner = app.client_of(&user, &["full"]).await;
    owner.project("my-app").await;
    let empty = owner.post("/projects/my-app/tokens", "{}").await;
    assert_eq!(empty.error("missing_fields").2, json!(["name", "scopes"]));
    for scope in
        ["account:read", "keys:write", "teams:read", "billing:read", "system:read", "audit:read"]
    {
        let body = json!({ "name": "ci", "scopes": [scope] });
        let refused = owner.post("/projects/my-app/tokens", &body).await;
        assert_eq!(refused.invalid(), ["scopes unknown_value"], "{scope}");
        let allowed = refused.at("/error/details/invalid_fields/0/allowed");
        assert!(!allowed.as_array().unwrap().contains(&Value::from(scope)));
    }
    let own = json!({ "name": "ci", "scopes": ["read"], "project_ids": [] });
    let refused = owner.post("/projects/my-app/tokens", own).await;
    assert_eq!(refused.at("/error/details/unknown_fields/0/field"), "project_ids");
    // No more than the calling key has.
    let weak = app.client_of(&user, &["projects:read", "projects:write"]).await;
    let refused =
        weak.post("/projects/my-app/tokens", json!({ "name": "x", "scopes": ["deploy"] }));
    assert_eq!(refused.await.error("reason").2, "scope_escalation");
    let body = json!({ "name": "x", "scopes": ["projects:write"] });
    weak.post("/projects/my-app/tokens", body).await.expect(201);
}

#[tokio::test]
async fn tokens_end_with_their_project() {
    let app = TestApp::new();
    let owner = app.client("user@example.com", &["full"]).await;
    owner.project("my-app").await;
    let body = json!({ "name": "ci", "scopes": ["deploy"] });
    let key = owner.post("/projects/my-app/tokens", body).await.expect(201).text("/key");
    let token = app.with_key(&key);
    token.get("/projects/my-app").await.expect(200);
    owner.delete("/projects/my-app").await.expect(204);
    let refused = token.get("/projects").await;
    assert_eq!(refused.error("reason"), (401, "unauthorized".to_owned(), "key_revoked".into()));
    // A new project of the same name is another one.
    owner.project("my-app").await;
    assert_eq!(owner.get("/projects/my-app/tokens").await.at("/pagination/total"), 0);
}
