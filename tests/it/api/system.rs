//! `/system` and `/system/settings`.

use std::time::Duration;

use orbitra::app::users::NewUser;
use orbitra::model::user::Plan;
use serde_json::{Value, json};

use crate::support::app::{Client, TestApp};
use crate::support::engine::Engine;

async fn admin(app: &TestApp) -> Client {
    let new = NewUser {
        email: "ada@example.com".to_owned(),
        name: "Ada".to_owned(),
        plan: Plan::Enterprise,
        instance_admin: true,
        password: None,
    };
    let user = app.app.create_user(new).await.unwrap();
    app.client_of(&user, &["full"]).await
}

#[tokio::test]
async fn the_state_of_the_server() {
    let app = TestApp::new();
    let client = admin(&app).await;
    let project = client.project("web").await;
    client.deployment(&project).await;
    app.app.clock.advance(Duration::from_secs(90));
    let state = client.get("/api/v1/system").await.expect(200);
    assert_eq!(state.at("/version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(state.at("/started_at"), "2026-01-20T16:30:00Z");
    assert_eq!(state.at("/uptime_seconds"), 90);
    assert_eq!(state.at("/node/os"), std::env::consts::OS);
    let number = |pointer: &str| state.at(pointer).as_u64().unwrap();
    assert!(number("/node/cpus") >= 1);
    assert!(number("/node/memory_bytes") > number("/node/memory_available_bytes"));
    assert!(number("/node/disk_bytes") >= number("/node/disk_available_bytes"));
    assert!(number("/database/size_bytes") > 0 && number("/database/wal_bytes") > 0);
    assert_eq!(
        state.at("/engine"),
        json!({ "available": false, "version": null, "containers": null })
    );
    assert_eq!(state.at("/queue"), json!({ "building": 0, "queued": 1 }));
    assert_eq!(state.at("/limits/body_bytes"), 1_048_576);
    let limit = number("/limits/page_limit");
    client.get(&format!("/projects?limit={}", limit + 1)).await.expect(400);
}

#[tokio::test]
async fn an_engine_that_answers_is_shown_and_one_that_does_not_is_not_waited_for() {
    let app = TestApp::new();
    let client = admin(&app).await;
    let engine = Engine::new();
    assert!(app.app.engine.set(std::sync::Arc::new(engine.clone())).is_ok());
    let state = client.get("/system").await.expect(200);
    assert_eq!(state.at("/engine/available"), true);
    assert!(state.at("/engine/version").is_string());
    assert_eq!(state.at("/engine/containers"), 0);
    engine.set_down(true);
    let state = client.get("/system").await.expect(200);
    assert_eq!(state.at("/engine/available"), false);
}

#[tokio::test]
async fn the_settings_it_runs_with() {
    let app = TestApp::new();
    let client = admin(&app).await;
    let settings = client.get("/system/settings").await.expect(200);
    assert_eq!(settings.at("/base_domain"), "example.com");
    assert_eq!(settings.at("/public_scheme"), "https");
    assert_eq!(settings.at("/dashboard_host"), Value::Null);
    assert_eq!(settings.at("/drain_seconds"), 30);
    assert_eq!(settings.at("/egress_allow"), json!([]));
    assert_eq!(settings.at("/git_size_limit"), 512 * 1024 * 1024);
    assert_eq!(settings.json().as_object().unwrap().len(), 11);
    client.with("PATCH", "/system/settings", "{}").await.expect(405);
    let bad = client.get("/system/settings?all=true").await.expect(400);
    assert_eq!(bad.error("unknown_params").2, json!(["all"]));
}

#[tokio::test]
async fn only_instance_admins_see_it() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    for path in ["/system", "/system/settings"] {
        let refused = client.get(path).await;
        assert_eq!(refused.error("reason").2, "insufficient_role");
        assert_eq!(refused.error("required_role").2, "instance_admin");
        app.anonymous().get(path).await.expect(401);
    }
}
