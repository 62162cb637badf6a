//! A step that fails, or whose task panics: the deployment ends with a reason or is finished, and nothing is left.

use serde_json::json;

use super::{Place, change};
use crate::support::api_client::text;

const STEPS: [&str; 11] = [
    "queued",
    "clone.start",
    "clone.done",
    "build.start",
    "build.done",
    "start.start",
    "container.created",
    "container.started",
    "check.start",
    "health.first_ok",
    "switch.before_commit",
];

#[tokio::test]
async fn a_step_that_fails_ends_the_deployment_and_leaves_the_old_one() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "old"}));
    let (project, _) = place.live("shop", &repository).await;
    // The switch is a write that the disk refuses: it is tried again and is no failure of the deployment.
    for step in &STEPS[..STEPS.len() - 1] {
        place.rearm(&format!("{step}=error")).await;
        change(&repository, &json!({"body": format!("new after {step}")}));
        let id = place.deploy(&project, &repository).await;
        let error = place.orbitra.api.failure(&id).await;
        assert_eq!(text(&error, "message"), format!("the failpoint {step} fails"));
        assert_eq!(place.site("shop").await, "old", "{step}");
        place.sound().await;
    }
    place.sound_for_good().await;
}

#[tokio::test]
async fn a_step_that_panics_or_cannot_be_written_once_is_done_again() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "old"}));
    let (project, _) = place.live("shop", &repository).await;
    let panics = STEPS.iter().map(|step| format!("{step}=1*panic"));
    for point in panics.chain(["switch.before_commit=1*error".to_owned()]) {
        place.rearm(&point).await;
        change(&repository, &json!({ "body": point }));
        let id = place.deploy(&project, &repository).await;
        place.orbitra.api.live(&id).await;
        assert_eq!(place.site("shop").await, point);
        place.sound().await;
    }
    place.sound_for_good().await;
}

#[tokio::test]
async fn a_step_that_always_panics_is_given_up_with_a_reason() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "old"}));
    let (project, _) = place.live("shop", &repository).await;
    place.rearm("build.start=panic").await;
    let id = place.deploy(&project, &repository).await;
    let message = text(&place.orbitra.api.failure(&id).await, "message");
    assert!(message.contains("several times"), "{message}");
    assert_eq!(place.site("shop").await, "old");
    place.sound_for_good().await;
}
