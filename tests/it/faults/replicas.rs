//! kill -9 while a deployment of several containers starts, wakes or is replaced: none is left over and none is lost.

use serde_json::json;

use super::{Gate, POINTS, Place, change};
use crate::support::until::until;

const INSTANCES: usize = 3;

/// A project of three containers whose first deployment is live.
async fn live(
    place: &Place,
    app: serde_json::Value,
) -> (String, crate::support::git_server::Repository, String) {
    let repository = place.repository("shop", &app);
    let project = place.project("shop").await;
    let more = json!({"runtime": {"instances": INSTANCES}});
    place.orbitra.api.done("PATCH", &format!("/projects/{project}"), Some(more)).await;
    let id = place.deploy(&project, &repository).await;
    place.orbitra.api.live(&id).await;
    (project, repository, id)
}

#[tokio::test]
async fn a_start_that_was_cut_off_between_two_containers_is_done_anew() {
    let mut place = Place::start().await;
    let (project, repository, _) = live(&place, json!({"body": "0"})).await;
    let points = [
        "container.created=kill",
        "container.created=kill@2",
        "container.started=kill@2",
        "container.started=kill@3",
        "health.first_ok=kill",
        "switch.before_commit=kill",
        "switch.after_commit=kill",
    ];
    for (number, point) in points.into_iter().enumerate() {
        let body = (number + 1).to_string();
        change(&repository, &json!({ "body": body }));
        place.rearm(point).await;
        let path = format!("/projects/{project}/deployments");
        let fields = json!({"git_url": repository.url});
        let _ = place.orbitra.api.try_call("POST", &path, Some(fields), None).await;
        place.orbitra.killed().await;
        let newest = "SELECT id FROM deployments ORDER BY seq DESC LIMIT 1";
        let id: String = place.orbitra.database().query_row(newest, [], |row| row.get(0)).unwrap();
        place.orbitra.restart().await;
        place.orbitra.api.live(&id).await;
        assert_eq!(place.site("shop").await, body, "{point}");
        place.sound().await;
        assert_eq!(place.engine.containers_of(&id).len(), INSTANCES, "{point}");
        until("all of the new one run, and nothing else", async || {
            (place.engine.running_of(&id) == INSTANCES && place.engine.running() == INSTANCES)
                .then_some(())
        })
        .await;
    }
    place.sound_for_good().await;
}

#[tokio::test]
async fn fewer_containers_than_before_the_kill_leave_none_behind() {
    let mut place = Place::start().await;
    let (project, repository, _) = live(&place, json!({"body": "0"})).await;
    change(&repository, &json!({"body": "1"}));
    place.rearm("container.started=kill@3").await;
    let path = format!("/projects/{project}/deployments");
    let fields = json!({"git_url": repository.url});
    let _ = place.orbitra.api.try_call("POST", &path, Some(fields), None).await;
    place.orbitra.killed().await;
    let gate = Gate::new();
    place.orbitra.restart_with(&[(POINTS, &gate.at("clone.start"))]).await;
    let fewer = json!({"runtime": {"instances": 1}});
    place.orbitra.api.done("PATCH", &format!("/projects/{project}"), Some(fewer)).await;
    gate.open();
    until("the new one serves", async || (place.site("shop").await == "1").then_some(())).await;
    place.sound_for_good().await;
}

#[tokio::test]
async fn a_restart_and_a_wake_that_were_cut_off_are_finished() {
    let mut place = Place::start_with(&[("ORBITRA_STOP_AFTER", "0")]).await;
    let (project, repository, one) = live(&place, json!({"body": "one"})).await;
    for point in ["switch.before_commit=kill", "switch.after_commit=kill"] {
        place.rearm(point).await;
        let path = format!("/projects/{project}/restart");
        let _ = place.orbitra.api.try_call("POST", &path, Some(json!({})), None).await;
        place.orbitra.killed().await;
        place.orbitra.restart().await;
        assert_eq!(place.site("shop").await, "one", "{point}");
        place.sound().await;
        assert_eq!(place.engine.containers_of(&one).len(), INSTANCES, "{point}");
    }
    change(&repository, &json!({"body": "two"}));
    let two = place.deploy(&project, &repository).await;
    place.orbitra.api.live(&two).await;
    until("the old ones sleep", async || (place.engine.running_of(&one) == 0).then_some(())).await;
    place.rearm("wake.started=kill@2").await;
    let shown = place.orbitra.api.get(&format!("/deployments/{one}")).await;
    let host = crate::support::api_client::host_of(shown["url"].as_str().unwrap());
    let visit = crate::support::api_client::try_visit(place.orbitra.port, &host, "/").await;
    assert!(visit.is_err());
    place.orbitra.killed().await;
    place.orbitra.restart().await;
    assert_eq!(place.own_site(&one).await, "one");
    until("all of it run", async || (place.engine.running_of(&one) == INSTANCES).then_some(()))
        .await;
    // Not for good: what was woken stays awake for minutes.
    place.sound().await;
}
