//! `/registries`: credentials for private registries of images.

use serde_json::{Value, json};

use crate::support::app::TestApp;

const PASSWORD: &str = "ORBCANARY-pa$$word `id` \"'\n+/";

#[tokio::test]
async fn credentials_are_kept_and_never_shown() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let body =
        json!({ "host": "Registry.Example.com:443", "username": "deploy", "password": PASSWORD });
    let made = client.post("/registries", &body).await.expect(201);
    let id = made.text("/id");
    assert!(id.starts_with("reg_") && id.len() == 20, "{id}");
    let shown = json!({
        "id": id, "host": "registry.example.com", "username": "deploy", "created_at": "2026-01-20T16:30:00Z",
    });
    assert_eq!((made.json(), made.header("location")), (shown.clone(), ""));
    let list = client.get("/registries").await.expect(200);
    assert_eq!((list.at("/data/0"), list.at("/pagination/total")), (shown, 1.into()));
    assert!(!list.body().contains("ORBCANARY"));
    let log = client.get("/audit-log?limit=1").await;
    assert_eq!(log.text("/data/0/action"), "registry.created");
    let changes = json!({
        "host": { "from": null, "to": "registry.example.com" }, "username": { "from": null, "to": "deploy" },
    });
    assert_eq!(log.at("/data/0/changes"), changes);
    assert!(!app.stores("ORBCANARY"), "the password is on the disk");

    // One for each registry and team, however it is written.
    let again = client.post("/registries", body.clone()).await;
    assert_eq!(again.error("reason"), (409, "conflict".to_owned(), "key_exists".into()));
    let other = app.client("other@example.com", &["full"]).await;
    other.post("/registries", body.clone()).await.expect(201);
    assert_eq!(other.delete(&format!("/registries/{id}")).await.error("resource").2, "registry");
    client.delete(&format!("/registries/{id}")).await.expect(204);
    client.delete(&format!("/registries/{id}")).await.expect(404);
    assert_eq!(client.get("/registries").await.at("/pagination/total"), 0);
    client.post("/registries", body).await.expect(201);
}

#[tokio::test]
async fn names_of_the_hub_are_one() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let body = |host: &str| json!({ "host": host, "username": "u", "password": "p" });
    let made = client.post("/registries", body("index.docker.io")).await.expect(201);
    assert_eq!(made.text("/host"), "docker.io");
    for host in ["docker.io", "registry-1.docker.io", "DOCKER.IO:443"] {
        client.post("/registries", body(host)).await.expect(409);
    }
}

#[tokio::test]
async fn hostile_values_are_refused_or_only_stored() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let good = json!({ "host": "ghcr.io", "username": "deploy", "password": PASSWORD });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (host, code) in [
        ("", "format"),
        ("ghcr.io;id", "format"),
        ("$(id).example.com", "format"),
        ("a\nb.example.com", "format"),
        ("https://ghcr.io", "format"),
        ("user:password@ghcr.io", "format"),
        ("ghcr.io/team", "format"),
        ("ghcr.io:0", "format"),
        ("ghcr.io:99999", "format"),
        ("-ghcr.io", "format"),
        ("[::1]:5000", "format"),
        ("localhost:5000", "url_not_allowed"),
        ("127.0.0.1:5000", "url_not_allowed"),
        ("127.1", "url_not_allowed"),
        ("0x7f000001", "url_not_allowed"),
        ("169.254.169.254", "url_not_allowed"),
        ("metadata.google.internal", "url_not_allowed"),
        ("ghcr.io:22", "url_not_allowed"),
    ] {
        let refused = client.post("/registries", with("host", host.into())).await;
        assert_eq!(refused.invalid(), [format!("host {code}")], "{host:?}");
        assert!(!refused.body().contains("ORBCANARY"));
    }
    for name in ["", "a:b", "a\nb", &"x".repeat(256)] {
        let refused = client.post("/registries", with("username", name.into())).await;
        assert_eq!(refused.invalid(), ["username format"], "{name:?}");
    }
    for (password, code) in
        [(json!(""), "format"), (json!("x".repeat(8193)), "format"), (json!(5), "type")]
    {
        let refused = client.post("/registries", with("password", password)).await;
        assert_eq!(refused.invalid(), [format!("password {code}")]);
    }
    let missing = client.post("/registries", json!({})).await;
    assert_eq!(missing.error("missing_fields").2, json!(["host", "username", "password"]));
    assert_eq!(client.get("/registries").await.at("/pagination/total"), 0);
    // What a shell would run is a name like any other.
    client.post("/registries", with("username", "`id`; $(id) \"'".into())).await.expect(201);
    // What the operator opened is allowed.
    client.post("/registries", with("host", "10.9.0.1:5000".into())).await.expect(201);
}

#[tokio::test]
async fn a_key_of_some_projects_has_no_part_in_them() {
    let app = TestApp::new();
    let user = app.user("user@example.com").await;
    let owner = app.client_of(&user, &["full"]).await;
    let project = owner.project("web").await;
    let body = json!({ "host": "ghcr.io", "username": "u", "password": "p" });
    let id = owner.post("/registries", &body).await.expect(201).text("/id");
    let key = json!({ "name": "limited", "scopes": ["full"], "project_ids": [project] });
    let key = owner.post("/api-keys", key).await.expect(201).text("/key");
    let limited = app.with_key(&key);
    let refused = (403, "forbidden".to_owned(), "missing_scope".into());
    assert_eq!(limited.get("/registries").await.error("reason"), refused);
    assert_eq!(limited.post("/registries", &body).await.error("reason"), refused);
    assert_eq!(limited.delete(&format!("/registries/{id}")).await.error("reason"), refused);
}

#[tokio::test]
async fn a_team_has_at_most_a_hundred() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let body =
        |n: usize| json!({ "host": format!("r{n}.example.com"), "username": "u", "password": "p" });
    for n in 0..100 {
        client.post("/registries", body(n)).await.expect(201);
    }
    assert_eq!(client.post("/registries", body(100)).await.invalid(), ["host out_of_range"]);
    let page = client.get("/registries?page=2&limit=60").await.expect(200);
    assert_eq!(
        (page.at("/data").as_array().unwrap().len(), page.at("/pagination/total")),
        (40, 100.into())
    );
}
