//! Builds begin when there is room for them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Whole;
use crate::support::until::until;

#[tokio::test]
async fn a_build_waits_for_memory_and_says_so() {
    let whole = Whole::start_with(&[("ORBITRA_BUILD_MEMORY_FREE", "99999999")]).await;
    let repository = whole.repository(&json!({}));
    let project = whole.project("shop").await;
    let id = whole.deploy(&project, &repository).await;
    let waiting = until("it says what it waits for", async || {
        let shown = whole.api.get(&format!("/deployments/{id}")).await;
        shown["waiting"].as_str().map(str::to_owned)
    })
    .await;
    assert!(waiting.starts_with("Waiting for memory: a build needs 99999999 MB, "), "{waiting}");
    let shown = whole.api.get(&format!("/deployments/{id}")).await;
    assert_eq!((&shown["status"], &shown["phase"]), (&json!("building"), &json!("queued")));
    until("the log says it", async || {
        whole.api.log(&id).await.contains("Waiting for memory").then_some(())
    })
    .await;
    assert_eq!(whole.engine.builds().1, 0);

    let begin = Instant::now();
    let path = format!("/deployments/{id}/cancel");
    let answer = whole.api.done("POST", &path, Some(json!({}))).await;
    assert_eq!((&answer["status"], &answer["waiting"]), (&json!("canceled"), &Value::Null));
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn nothing_is_accepted_while_the_disk_is_too_full() {
    let whole = Whole::start_with(&[("ORBITRA_DISK_FLOOR", "99999999")]).await;
    let repository = whole.repository(&json!({}));
    let project = whole.project("shop").await;
    let body = json!({"git_url": repository.url});
    let path = format!("/projects/{project}/deployments");
    let (status, answer) = whole.api.call("POST", &path, Some(body)).await;
    assert_eq!(status, 503, "{answer}");
    assert!(answer.to_string().contains("disk_full"), "{answer}");
    assert!(whole.api.statuses(&project).await.is_empty());
}

#[tokio::test]
async fn what_was_accepted_before_the_disk_was_full_fails_with_the_reason() {
    let mut whole = Whole::start_with(&[("ORBITRA_BUILD_MEMORY_FREE", "99999999")]).await;
    let repository = whole.repository(&json!({}));
    let project = whole.project("shop").await;
    let id = whole.deploy(&project, &repository).await;
    whole.cut_off();
    whole.more = vec![("ORBITRA_DISK_FLOOR", "99999999")];
    whole.run().await;
    let error = whole.api.failure(&id).await;
    assert_eq!((&error["code"], &error["phase"]), (&json!("disk_full"), &json!("queued")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("99999999 MB are needed (ORBITRA_DISK_FLOOR)"), "{message}");
    assert_eq!(whole.engine.builds().1, 0);
}
