//! `/users/me`.

use serde_json::{Value, json};

use crate::support::app::TestApp;

#[tokio::test]
async fn the_given_shapes() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let client = app.client_of(&user, &["full"]).await;
    let id = user.id.as_str();
    assert_eq!(
        client.get("/api/v1/users/me").await.expect(200).body(),
        format!(
            r#"{{"id":"{id}","email":"user@example.com","name":"John Doe","created_at":"2026-01-20T16:30:00Z","plan":"professional"}}"#
        )
    );
    app.app.clock.advance(std::time::Duration::from_secs(60));
    for method in ["PATCH", "PUT"] {
        let body = json!({ "name": " Jane Doe ", "company": "Acme Inc" });
        assert_eq!(
            client.with(method, "/api/v1/users/me", body).await.expect(200).body(),
            format!(
                r#"{{"id":"{id}","email":"user@example.com","name":"Jane Doe","company":"Acme Inc","updated_at":"2026-01-20T16:31:00Z"}}"#
            )
        );
    }
}

#[tokio::test]
async fn more_on_request() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["read"]).await;
    let keys = |reply: &crate::support::app::Reply| -> Vec<String> {
        let order: serde_json::Map<String, Value> = serde_json::from_slice(&reply.body).unwrap();
        order.keys().cloned().collect()
    };
    let some = client.get("/users/me?include=company,teams").await.expect(200);
    assert_eq!(keys(&some), ["company", "created_at", "email", "id", "name", "plan", "teams"]);
    assert_eq!(some.at("/teams/0/role"), "owner");
    let all = client.get("/users/me?include=*").await.expect(200);
    assert_eq!(keys(&all).len(), 13);
    assert_eq!(all.at("/key/name"), "test");
    assert_eq!(all.at("/avatar_url"), Value::Null);
    let bad = client.get("/users/me?include=company,password").await;
    assert_eq!(bad.invalid(), ["include unknown_value"]);
    assert!(bad.body().contains("default_team_id"));
}

#[tokio::test]
async fn changes_are_checked() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let long = "x".repeat(101);
    for (body, expected) in [
        (json!({ "name": "" }), "name too_short"),
        (json!({ "name": "  " }), "name too_short"),
        (json!({ "name": long }), "name too_long"),
        (json!({ "name": "a\u{7}b" }), "name format"),
        (json!({ "name": 5 }), "name type"),
        (json!({ "company": "" }), "company too_short"),
        (json!({ "company": ["a"] }), "company type"),
        (json!({ "email": "other@example.com" }), "email read_only"),
        (json!({ "plan": "enterprise" }), "plan read_only"),
        (json!({ "id": "usr_1234567890" }), "id read_only"),
        (json!({ "created_at": null }), "created_at read_only"),
    ] {
        assert_eq!(client.patch("/users/me", &body).await.invalid(), [expected], "{body}");
    }
    let missing = client.patch("/users/me", json!({ "name": null })).await;
    assert_eq!(missing.error("missing_fields").2, json!(["name"]));
    // Nothing to change, a field that is cleared, and read-only fields as they are.
    client.patch("/users/me", json!({ "company": "Acme" })).await.expect(200);
    let unchanged = client.patch("/users/me", json!({})).await.expect(200);
    assert_eq!(unchanged.at("/company"), "Acme");
    let mine = client.get("/users/me").await.json();
    client.patch("/users/me", mine).await.expect(200);
    let cleared = client.patch("/users/me", json!({ "company": null })).await.expect(200);
    assert_eq!(cleared.at("/company"), Value::Null);
}
