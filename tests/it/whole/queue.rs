//! Which deployment runs when.

use serde_json::json;

use super::{Whole, change};
use crate::support::until::until;

#[tokio::test]
async fn deployments_of_one_project_run_one_after_the_other() {
    let whole = Whole::start_with(&[("ORBITRA_BUILD_CONCURRENCY", "4")]).await;
    let repository = whole.repository(&json!({"body": "one", "delay": 300}));
    let project = whole.project("shop").await;
    let first = whole.deploy(&project, &repository).await;
    whole.phase(&first, "checking").await;
    change(&repository, &json!({"body": "two"}));
    let second = whole.deploy(&project, &repository).await;
    let third = whole.deploy(&project, &repository).await;
    let position = |id: String| {
        let api = whole.api.clone();
        async move { api.get(&format!("/deployments/{id}")).await["queue_position"].clone() }
    };
    assert!(position(third.clone()).await.is_number());

    let third_shown = whole.api.live(&third).await;
    assert_eq!(third_shown["git"]["commit_sha"], repository.head());
    assert_eq!(whole.engine.builds().1, 1, "never two builds of one project");
    let statuses = whole.api.statuses(&project).await;
    let expected = [(third, "live"), (second, "superseded"), (first, "superseded")];
    assert_eq!(statuses, expected.map(|(id, status)| (id, status.to_owned())));
    assert_eq!(whole.site("shop").await, "two");
    until("only the live one runs", async || (whole.engine.count().1 == 1).then_some(())).await;
}

#[tokio::test]
async fn a_failure_does_not_hold_up_the_next_one() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"build_exit": 1}));
    let project = whole.project("shop").await;
    let bad = repository.head();
    change(&repository, &json!({"body": "good"}));
    let first = whole.api.deploy(&project, &repository, json!({"commit_sha": bad})).await;
    let second = whole.deploy(&project, &repository).await;
    whole.api.live(&second).await;
    assert_eq!(whole.api.failure(&first).await["exit_code"], 1);
    assert_eq!(whole.site("shop").await, "good");
}

#[tokio::test]
async fn builds_take_turns_when_there_is_room_for_one() {
    let whole = Whole::start_with(&[("ORBITRA_BUILD_CONCURRENCY", "1")]).await;
    let repository = whole.repository(&json!({"build_hangs": true}));
    let hanging = whole.project("hanging").await;
    let held = whole.deploy(&hanging, &repository).await;
    whole.phase(&held, "building").await;
    change(&repository, &json!({"body": "other"}));
    let other = whole.project("other").await;
    let id = whole.deploy(&other, &repository).await;
    let shown = whole.api.get(&format!("/deployments/{id}?wait=1")).await;
    assert_eq!((&shown["status"], &shown["phase"]), (&json!("building"), &json!("queued")));
    // The room is free as soon as the other one is canceled.
    whole.api.done("POST", &format!("/deployments/{held}/cancel"), Some(json!({}))).await;
    whole.api.live(&id).await;
    assert_eq!(whole.engine.builds().1, 1);
}

#[tokio::test]
async fn projects_are_deployed_side_by_side() {
    let whole = Whole::start_with(&[("ORBITRA_BUILD_CONCURRENCY", "2")]).await;
    let repository = whole.repository(&json!({"build_hangs": true}));
    let mut held = Vec::new();
    for name in ["one", "two"] {
        let project = whole.project(name).await;
        held.push(whole.deploy(&project, &repository).await);
    }
    until("both are built", async || (whole.engine.builds().0 == 2).then_some(())).await;
    for id in held {
        whole.api.done("POST", &format!("/deployments/{id}/cancel"), Some(json!({}))).await;
    }
}
