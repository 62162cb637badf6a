//! `/users`: what instance admins see and change, and nobody else.

use orbitra::app::users::NewUser;
use orbitra::model::user::{Plan, User};
use serde_json::{Value, json};

use crate::support::app::{Client, TestApp};

async fn admin(app: &TestApp, email: &str) -> User {
    let new = NewUser {
        email: email.to_owned(),
        name: "Ada Lovelace".to_owned(),
        plan: Plan::Enterprise,
        instance_admin: true,
        password: None,
    };
    app.app.create_user(new).await.unwrap()
}

async fn ada(app: &TestApp) -> (User, Client) {
    let user = admin(app, "ada@example.com").await;
    let client = app.client_of(&user, &["full"]).await;
    (user, client)
}

#[tokio::test]
async fn an_account_is_made_listed_and_deleted() {
    let app = TestApp::new();
    let (ada, client) = ada(&app).await;
    let body = json!({ "email": "bob@example.com", "name": " Bob ", "plan": "professional" });
    let made = client.post("/api/v1/users", &body).await.expect(201);
    let id = made.text("/id");
    assert_eq!(made.header("location"), format!("/api/v1/users/{id}"));
    assert!(made.header("cache-control").contains("no-store"));
    let url = made.text("/setup_url");
    let token = url.strip_prefix("https://example.com/welcome/").unwrap();
    assert_eq!(token.len(), 64);
    let mut shown = made.json();
    shown.as_object_mut().unwrap().remove("setup_url");
    let read = client.get(&format!("/users/{id}")).await.expect(200);
    assert_eq!(read.json(), shown, "the link is shown once");
    assert_eq!(
        (read.text("/name"), read.at("/instance_admin"), read.at("/suspended")),
        ("Bob".to_owned(), json!(false), json!(false))
    );
    client.post("/users", json!({ "email": "carl@example.com", "name": "Carl" })).await.expect(201);
    let taken = client.post("/users", json!({ "email": "BOB@example.com", "name": "B" })).await;
    assert_eq!(taken.error("reason"), (409, "conflict".to_owned(), json!("email_taken")));

    let emails = async |query: &str| -> Vec<String> {
        let list = client.get(&format!("/users{query}")).await.expect(200);
        let data = list.at("/data");
        data.as_array().unwrap().iter().map(|u| u["email"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(emails("").await, ["carl@example.com", "bob@example.com", "ada@example.com"]);
    assert_eq!(emails("?sort=email&limit=2").await, ["ada@example.com", "bob@example.com"]);
    assert_eq!(emails("?sort=-name&page=2&limit=2").await, ["ada@example.com"]);
    assert_eq!(emails("?plan=free,enterprise&sort=email").await.len(), 2);
    assert_eq!(emails("?q=LOVE").await, ["ada@example.com"]);
    assert_eq!(emails("?q=bob@").await, ["bob@example.com"]);
    assert!(emails("?suspended=true").await.is_empty());
    let bad = client.get("/users?sort=plan&suspended=1&plan=gold&limit=0&x=1").await;
    assert_eq!(bad.invalid().len(), 4);
    assert_eq!(bad.at("/error/details/unknown_params"), json!(["x"]));

    let key = app.app.create_key_for(&id, "k", &["full".to_owned()]).await.unwrap().1;
    client.delete(&format!("/users/{id}")).await.expect(204);
    client.get(&format!("/users/{id}")).await.expect(404);
    app.with_key(&key).get("/users/me").await.expect(401);

    // What was done stands in both logs, and the secret in neither.
    let events = client.get("/events?limit=100").await.expect(200);
    let log = client.get("/audit-log?limit=100").await.expect(200);
    assert!(!events.body().contains(token) && !log.body().contains(token));
    let all = events.at("/data");
    let of = |name: &str| -> Value {
        let all = all.as_array().unwrap();
        all.iter().find(|e| e["event"] == name && e["data"]["user_id"] == id).unwrap()["data"]
            .clone()
    };
    let data = json!({ "user_id": id, "actor_id": ada.id });
    assert_eq!((of("user.created"), of("user.deleted")), (data.clone(), data));
    assert!(log.body().contains("user.created") && log.body().contains("user.deleted"));
}

#[tokio::test]
async fn a_repeated_request_gives_the_same_link() {
    let app = TestApp::new();
    let (_, client) = ada(&app).await;
    let ask = || {
        http::Request::builder()
            .method("POST")
            .uri("/users")
            .header("content-type", "application/json")
            .header("idempotency-key", "one")
            .body(json!({ "email": "bob@example.com", "name": "Bob" }).to_string().into())
            .unwrap()
    };
    let first = client.ask(ask()).await.expect(201);
    let second = client.ask(ask()).await.expect(201);
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!(first.body(), second.body());
}

#[tokio::test]
async fn everything_wrong_is_said_together() {
    let app = TestApp::new();
    let (_, client) = ada(&app).await;
    let bad =
        json!({ "email": "bob", "name": "", "plan": "gold", "instance_admin": "yes", "x": 1 });
    let reply = client.post("/users", bad).await;
    assert_eq!(
        reply.invalid(),
        ["instance_admin type", "email format", "name too_short", "plan unknown_value"]
    );
    assert_eq!(reply.at("/error/details/unknown_fields/0/field"), "x");
    let empty = client.post("/users", json!({ "email": null })).await;
    assert_eq!(empty.error("missing_fields").2, json!(["email", "name"]));

    let made = client.post("/users", json!({ "email": "b@example.com", "name": "B" })).await;
    let path = format!("/users/{}", made.expect(201).text("/id"));
    let bad =
        json!({ "email": "c@example.com", "company": "Acme", "name": "a\u{7}", "plan": "gold" });
    let mut found = client.patch(&path, bad).await.invalid();
    found.sort();
    assert_eq!(
        found,
        ["company read_only", "email read_only", "name format", "plan unknown_value"]
    );
    // What was read may be sent back, and changes nothing.
    let before = client.get(&path).await.expect(200);
    let same = client.patch(&path, before.json()).await.expect(200);
    assert_eq!(same.json(), before.json());
    let again = client.get(&path).await.expect(200);
    assert_eq!(again.header("etag"), before.header("etag"));
    let changed = client.patch(&path, json!({ "plan": "enterprise", "name": "Bo" })).await;
    assert_eq!(changed.expect(200).text("/plan"), "enterprise");
    let late = http::Request::builder()
        .method("DELETE")
        .uri(&path)
        .header("if-match", before.header("etag"))
        .body(axum::body::Body::empty());
    client.ask(late.unwrap()).await.expect(412);
    client.get(&path).await.expect(200);
}

#[tokio::test]
async fn others_see_only_themselves() {
    let app = TestApp::new();
    let (ada, _) = ada(&app).await;
    let bob = app.user("bob@example.com").await;
    let client = app.client_of(&bob, &["full"]).await;
    let (own, other) = (format!("/users/{}", bob.id), format!("/users/{}", ada.id));
    assert_eq!(client.get(&own).await.expect(200).text("/email"), "bob@example.com");
    let new = json!({ "email": "c@example.com", "name": "C" });
    for refused in [
        client.get("/users").await,
        client.post("/users", new).await,
        client.patch(&own, json!({ "plan": "enterprise" })).await,
        client.delete(&own).await,
    ] {
        assert_eq!(refused.error("reason").2, "insufficient_role");
        assert_eq!(
            refused.error("required_role"),
            (403, "forbidden".to_owned(), json!("instance_admin"))
        );
    }
    client.get(&other).await.expect(404);
    client.patch(&other, json!({ "suspended": true })).await.expect(404);
    client.delete(&other).await.expect(404);
    client.get("/users/usr_unknown").await.expect(404);

    // A key without the rights of its owner makes no instance admin.
    let limited = app.client_of(&ada, &["account:read", "account:write"]).await;
    let elevated = limited.patch(&own, json!({ "instance_admin": true })).await;
    assert_eq!(elevated.error("reason").2, "scope_escalation");
    let new = json!({ "email": "c@example.com", "name": "C", "instance_admin": true });
    assert_eq!(limited.post("/users", new).await.error("reason").2, "scope_escalation");
    limited.patch(&own, json!({ "plan": "free" })).await.expect(200);
    let reader = app.client_of(&ada, &["account:read"]).await;
    let refused = reader.patch(&own, json!({ "plan": "free" })).await;
    assert_eq!(refused.error("required_scopes").2, json!(["account:write"]));
}

#[tokio::test]
async fn the_last_instance_admin_stays() {
    let app = TestApp::new();
    let (ada, client) = ada(&app).await;
    let own = format!("/users/{}", ada.id);
    let last = async || {
        for refused in [
            client.delete(&own).await,
            client.patch(&own, json!({ "suspended": true })).await,
            client.patch(&own, json!({ "instance_admin": false })).await,
        ] {
            assert_eq!(refused.error("reason"), (409, "conflict".to_owned(), json!("last_owner")));
        }
    };
    last().await;
    // One who has not used the link yet is no help.
    let new = json!({ "email": "eve@example.com", "name": "Eve", "instance_admin": true });
    let eve = client.post("/users", new).await.expect(201).text("/id");
    last().await;
    client.delete(&format!("/users/{eve}")).await.expect(204);
    // Nor is one who is suspended.
    let bob = admin(&app, "bob@example.com").await;
    let bobs = format!("/users/{}", bob.id);
    client.patch(&bobs, json!({ "suspended": true })).await.expect(200);
    last().await;
    client.patch(&bobs, json!({ "suspended": false })).await.expect(200);
    client.patch(&own, json!({ "instance_admin": false })).await.expect(200);
    client.get("/users").await.expect(403);
}

#[tokio::test]
async fn suspended_accounts_are_kept_out_and_projects_keep_theirs() {
    let app = TestApp::new();
    let (_, client) = ada(&app).await;
    let bob = app.user("bob@example.com").await;
    let bobs = app.client_of(&bob, &["full"]).await;
    let path = format!("/users/{}", bob.id);
    client.patch(&path, json!({ "suspended": true })).await.expect(200);
    assert_eq!(bobs.get("/users/me").await.error("reason").2, "suspended");
    client.patch(&path, json!({ "suspended": false })).await.expect(200);
    let project = bobs.project("web").await;
    let full = client.delete(&path).await;
    assert_eq!(full.error("reason"), (409, "conflict".to_owned(), json!("team_not_empty")));
    // Deleted, and not yet gone.
    bobs.delete(&format!("/projects/{project}")).await.expect(204);
    assert_eq!(client.delete(&path).await.error("reason").2, "team_not_empty");
}
