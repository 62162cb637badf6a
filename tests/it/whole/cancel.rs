//! A deployment is canceled, wherever it is; a project is deleted in the middle of a build.

use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::until::until;

async fn cancel(whole: &Whole, id: &str) -> Value {
    whole.api.done("POST", &format!("/deployments/{id}/cancel"), Some(json!({}))).await
}

/// Deploys something good, then this, and cancels it in this phase: nothing of it is left.
async fn canceled_in(phase: &str, app: Value) {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "good"}));
    let patient = json!({"runtime": {"healthcheck": {"grace_seconds": 60}}});
    let project = whole.api.project("shop", patient).await;
    whole.api.deploy_live(&project, &repository).await;
    let before = whole.engine.count();
    change(&repository, &app);
    let id = whole.deploy(&project, &repository).await;
    whole.phase(&id, phase).await;

    let answer = cancel(&whole, &id).await;
    assert_eq!(answer["status"], "canceled", "{answer}");
    assert_eq!(answer["cancel_reason"], "user");
    assert_eq!(answer["error"], Value::Null);
    until("nothing is left", async || (whole.engine.count() == before).then_some(())).await;
    assert_eq!(whole.engine.builds().0, 0);
    assert_eq!(whole.site("shop").await, "good");
    assert_eq!(whole.own_url(&id).await.status, 503);
    assert!(whole.api.log(&id).await.contains("The deployment was canceled."));
    // Once more is no error and changes nothing.
    assert_eq!(cancel(&whole, &id).await["status"], "canceled");
    let audited = whole.api.get("/audit-log?action=deployment.canceled").await;
    assert_eq!(audited["data"].as_array().unwrap().len(), 1, "{audited}");
    assert_eq!(audited["data"][0]["target"]["id"], id.as_str());
    // The next one goes its way.
    change(&repository, &json!({"body": "better"}));
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.site("shop").await, "better");
}

#[tokio::test]
async fn while_it_is_built() {
    canceled_in("building", json!({"build_hangs": true})).await;
}

#[tokio::test]
async fn while_it_is_checked() {
    canceled_in("checking", json!({"deaf": true})).await;
}

#[tokio::test]
async fn while_it_is_started() {
    canceled_in("starting", json!({"start_hangs": true})).await;
}

#[tokio::test]
async fn while_it_is_fetched() {
    let whole = Whole::start().await;
    let mut repository = whole.repository(&json!({}));
    let project = whole.project("shop").await;
    // A server that accepts connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    repository.url = format!("http://{}/app.git", silent.local_addr().unwrap());
    let id = whole.deploy(&project, &repository).await;
    whole.phase(&id, "cloning").await;
    assert_eq!(cancel(&whole, &id).await["status"], "canceled");
    assert_eq!(whole.engine.count(), (0, 0, 0, 0));
}

#[tokio::test]
async fn while_it_waits() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"build_hangs": true}));
    let project = whole.project("shop").await;
    let first = whole.deploy(&project, &repository).await;
    whole.phase(&first, "building").await;
    let second = whole.deploy(&project, &repository).await;
    assert_eq!(cancel(&whole, &second).await["status"], "canceled");
    let shown = whole.api.get(&format!("/deployments/{first}")).await;
    assert_eq!(shown["status"], "building", "the other one is left alone");
    cancel(&whole, &first).await;
}

#[tokio::test]
async fn what_is_over_cannot_be_canceled() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "live"}));
    let project = whole.project("shop").await;
    let live = whole.api.deploy_live(&project, &repository).await;
    let path = format!("/deployments/{}/cancel", live["id"].as_str().unwrap());
    let (status, answer) = whole.api.call("POST", &path, Some(json!({}))).await;
    assert_eq!(status, 409, "{answer}");
    assert_eq!(whole.site("shop").await, "live");
}

#[tokio::test]
async fn a_project_that_is_deleted_while_it_is_built_leaves_nothing() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "good"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    change(&repository, &json!({"build_hangs": true}));
    let id = whole.deploy(&project, &repository).await;
    let waiting = whole.deploy(&project, &repository).await;
    whole.phase(&id, "building").await;

    let (status, _) = whole.api.call("DELETE", &format!("/projects/{project}"), None).await;
    assert_eq!(status, 204);
    until("nothing is left", async || (whole.engine.count() == (0, 0, 0, 0)).then_some(())).await;
    assert_eq!(whole.engine.builds().0, 0);
    assert_eq!(whole.visit("shop.localhost").await.status, 404);
    for id in [id, waiting] {
        assert_eq!(whole.api.call("GET", &format!("/deployments/{id}"), None).await.0, 404);
    }
    // The name is free, and the new project has nothing of the old.
    let project = whole.project("shop").await;
    assert!(whole.api.statuses(&project).await.is_empty());
}
