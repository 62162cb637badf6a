//! kill -9 at every step of a deployment, a release, a wake and a removal.

use serde_json::{Value, json};

use super::{Gate, POINTS, Place, change};
use crate::support::api_client::{host_of, text, try_visit};
use crate::support::effort::effort;
use crate::support::git_server::Repository;
use crate::support::until::until;

/// Steps of a deployment before the switch: what served serves.
const BEFORE: [&str; 10] = [
    "queued=kill",
    "clone.start=kill",
    "clone.done=kill",
    "build.start=kill",
    "build.done=kill",
    "start.start=kill",
    "container.created=kill",
    "container.started=kill",
    "check.start=kill",
    "health.first_ok=kill",
];

/// Deploys `body` with this failpoint and sees the program die. Answers the deployment.
async fn dies(
    place: &mut Place,
    project: &str,
    repository: &Repository,
    body: &str,
    point: &str,
) -> String {
    change(repository, &json!({ "body": body }));
    dies_with(place, project, json!({"git_url": repository.url}), point).await
}

/// The same with other fields of the request.
async fn dies_with(place: &mut Place, project: &str, fields: Value, point: &str) -> String {
    place.rearm(point).await;
    let path = format!("/projects/{project}/deployments");
    // The answer may be lost as well: the work begins when the row is stored.
    let _ = place.orbitra.api.try_call("POST", &path, Some(fields), None).await;
    place.orbitra.killed().await;
    let newest = "SELECT id FROM deployments ORDER BY seq DESC LIMIT 1";
    place.orbitra.database().query_row(newest, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn before_the_switch_the_old_one_serves_and_the_new_one_is_finished() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "0"}));
    let (project, _) = place.live("shop", &repository).await;
    let mut serves = "0".to_owned();
    for (number, point) in BEFORE.into_iter().enumerate() {
        let body = (number + 1).to_string();
        let id = dies(&mut place, &project, &repository, &body, point).await;
        assert_eq!(
            place.engine.running(),
            1 + usize::from(number > 6),
            "{point}: applications run on"
        );
        let gate = Gate::new();
        place.orbitra.restart_with(&[(POINTS, &gate.before_anything())]).await;
        assert_eq!(place.site("shop").await, serves, "{point}");
        gate.open();
        place.orbitra.api.live(&id).await;
        serves = body;
        assert_eq!(place.site("shop").await, serves, "{point}");
        place.sound().await;
    }
    place.sound_for_good().await;
}

#[tokio::test]
async fn a_switch_that_was_cut_off_happened_or_did_not() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "0"}));
    let (project, mut old) = place.live("shop", &repository).await;
    let points = [
        "switch.before_commit=kill",
        "switch.after_commit=kill",
        "drain.start=kill",
        "drain.done=kill",
    ];
    for number in 0..effort("ORBITRA_TEST_SWITCHES", 12) {
        let point = points[number % points.len()];
        let body = (number + 1).to_string();
        let id = dies(&mut place, &project, &repository, &body, point).await;
        let gate = Gate::new();
        place.orbitra.restart_with(&[(POINTS, &gate.before_anything())]).await;
        let expected = if point == points[0] { number.to_string() } else { body.clone() };
        assert_eq!(place.site("shop").await, expected, "{point}");
        gate.open();
        place.orbitra.api.live(&id).await;
        assert_eq!(place.site("shop").await, body, "{point}");
        until("only the new one runs", async || (place.engine.running() == 1).then_some(())).await;
        assert_eq!(
            place.orbitra.api.get(&format!("/deployments/{old}")).await["status"],
            "superseded"
        );
        old = id;
    }
    place.sound_for_good().await;
}

#[tokio::test]
async fn a_rollback_that_was_cut_off_is_finished() {
    // A replaced one is stopped and not paused, so that it has to be started.
    let mut place = Place::start_with(&[("ORBITRA_STOP_AFTER", "0")]).await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, one) = place.live("shop", &repository).await;
    change(&repository, &json!({"body": "two"}));
    let two = place.deploy(&project, &repository).await;
    place.orbitra.api.live(&two).await;
    let mut wanted = [(one, "one"), (two, "two")].into_iter().cycle();
    let points = [
        "change.before_commit=kill",
        "change.before_commit=commit-then-kill",
        "wake.start=kill",
        "wake.started=kill",
        "switch.before_commit=kill",
        "switch.after_commit=kill",
    ];
    for point in points {
        let (id, body) = wanted.next().unwrap();
        let before = place.site("shop").await;
        until("only the live one runs", async || (place.engine.running() == 1).then_some(())).await;
        place.rearm(point).await;
        let path = format!("/deployments/{id}/promote");
        let asked = place.orbitra.api.try_call("POST", &path, Some(json!({})), None).await;
        place.orbitra.killed().await;
        place.orbitra.restart().await;
        // Of the others the answer may be lost as well: the work begins when they are stored.
        if point.starts_with("change") {
            assert!(asked.is_err(), "{point}: {asked:?}");
        }
        if point != "change.before_commit=kill" {
            until("it is back", async || (place.site("shop").await == body).then_some(())).await;
        } else {
            place.quiet().await;
            assert_eq!(place.site("shop").await, before, "{point}: nothing was accepted");
            // The next point asks for the same again.
            wanted.next();
        }
        place.sound().await;
    }
    place.sound_for_good().await;
}

/// A visitor wakes a deployment, and the program dies at this place.
async fn wake_dies(point: &str) {
    // A replaced one is stopped and not paused, so that it has to be started.
    let mut place = Place::start_with(&[("ORBITRA_STOP_AFTER", "0")]).await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, one) = place.live("shop", &repository).await;
    change(&repository, &json!({"body": "two"}));
    let two = place.deploy(&project, &repository).await;
    place.orbitra.api.live(&two).await;
    let shown = place.orbitra.api.get(&format!("/deployments/{one}")).await;
    let host = host_of(&text(&shown, "url"));
    until("the old one sleeps", async || (place.engine.running() == 1).then_some(())).await;
    place.rearm(point).await;
    assert!(try_visit(place.orbitra.port, &host, "/").await.is_err());
    place.orbitra.killed().await;
    place.orbitra.restart().await;
    let answer = try_visit(place.orbitra.port, &host, "/").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "one"));
    assert_eq!(place.site("shop").await, "two");
    // Not for good: what was woken stays awake for minutes.
    place.sound().await;
}

#[tokio::test]
async fn a_wake_that_was_cut_off_is_done_for_the_next_visitor() {
    wake_dies("wake.start=kill").await;
    wake_dies("wake.started=kill").await;
}

#[tokio::test]
async fn a_pause_that_was_cut_off_while_requests_were_finished_is_a_pause() {
    let mut place = Place::start_with(&[("ORBITRA_DRAIN_SECONDS", "60")]).await;
    let repository = place.repository("shop", &json!({"body": "slow", "think": 60_000}));
    let (project, id) = place.live("shop", &repository).await;
    let port = place.orbitra.port;
    let slow = tokio::spawn(async move { try_visit(port, "shop.localhost", "/slow").await });
    until("it is under way", async || (place.engine.thinking() == 1).then_some(())).await;
    place.orbitra.api.done("POST", &format!("/projects/{project}/pause"), Some(json!({}))).await;
    until("it is written down", async || {
        let sql = "SELECT run_state FROM deployments WHERE id = ?1";
        let state: String =
            place.orbitra.database().query_row(sql, [&id], |row| row.get(0)).unwrap();
        (state == "stopped").then_some(())
    })
    .await;
    assert!(place.engine.has_process(&id), "it still answers");
    place.orbitra.kill9();
    slow.abort();
    place.orbitra.restart().await;
    until("nothing runs", async || (!place.engine.has_process(&id)).then_some(())).await;
    place.sound().await;
    place.orbitra.api.done("POST", &format!("/projects/{project}/resume"), Some(json!({}))).await;
    until("it serves", async || (place.site("shop").await == "slow").then_some(())).await;
    place.sound_for_good().await;
}

#[tokio::test]
async fn what_is_being_removed_is_removed_in_the_end() {
    let mut place = Place::start().await;
    for (number, point) in
        ["cleanup=kill", "remove.half=kill", "cleanup=kill@2"].into_iter().enumerate()
    {
        let name = format!("shop-{number}");
        let repository = place.repository(&name, &json!({"body": "one"}));
        let (project, _) = place.live(&name, &repository).await;
        change(&repository, &json!({"body": "two"}));
        let two = place.deploy(&project, &repository).await;
        place.orbitra.api.live(&two).await;
        place.rearm(point).await;
        let path = format!("/projects/{project}");
        let _ = place.orbitra.api.try_call("DELETE", &path, None, None).await;
        place.orbitra.killed().await;
        place.orbitra.restart().await;
        place.sound().await;
        assert_eq!(place.orbitra.api.call("GET", &path, None).await.0, 404, "{point}");
        assert_eq!(place.site(&name).await, "404 Not Found", "{point}");
    }
    // A failed deployment is cleaned up after the kill as well.
    let repository = place.repository("bad", &json!({"build_exit": 1}));
    let project = place.project("bad").await;
    let id =
        dies_with(&mut place, &project, json!({"git_url": repository.url}), "cleanup=kill").await;
    place.orbitra.restart().await;
    assert_eq!(place.orbitra.api.failure(&id).await["code"], "build_failed");
    place.sound_for_good().await;
}

#[tokio::test]
async fn a_deployment_that_takes_the_program_down_again_and_again_fails() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "good"}));
    let (project, _) = place.live("shop", &repository).await;
    let id = dies(&mut place, &project, &repository, "bad", "build.start=kill").await;
    for _ in 0..3 {
        place.orbitra.launch(&[(POINTS, "build.start=kill")]);
        place.orbitra.killed().await;
    }
    place.orbitra.restart_with(&[(POINTS, "build.start=kill")]).await;
    let error = place.orbitra.api.failure(&id).await;
    let message = text(&error, "message");
    assert!(
        message.contains("stopped in the middle of this deployment several times"),
        "{message}"
    );
    assert_eq!(place.site("shop").await, "good");
    place.sound_for_good().await;
}

#[tokio::test]
async fn files_and_images_are_killed_at_the_same_steps() {
    let mut place = Place::start().await;
    let site = place.git.repository_of("site", &[("index.html", "page 0")]);
    let (page, _) = place.live("page", &site).await;
    let reference = "127.0.0.1:5000/app:1";
    place.engine.publish(reference, &json!({"body": "image 0"}));
    let image = place.project("image").await;
    for (number, point) in [
        "clone.done=kill",
        "build.done=kill",
        "switch.before_commit=kill",
        "switch.after_commit=kill",
    ]
    .into_iter()
    .enumerate()
    {
        site.commit("index.html", &format!("page {}", number + 1));
        let id = dies_with(&mut place, &page, json!({"git_url": site.url}), point).await;
        place.orbitra.restart().await;
        place.orbitra.api.live(&id).await;
        assert_eq!(place.site("page").await, format!("page {}", number + 1), "{point}");

        if point.starts_with("clone") {
            continue;
        }
        place.engine.publish(reference, &json!({"body": format!("image {number}")}));
        let id = dies_with(&mut place, &image, json!({"image": reference}), point).await;
        place.orbitra.restart().await;
        place.orbitra.api.live(&id).await;
        assert_eq!(place.site("image").await, format!("image {number}"), "{point}");
        place.sound().await;
    }
    place.sound_for_good().await;
}
