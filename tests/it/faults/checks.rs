//! kill -9 while an application is asked whether it is healthy: it is asked on, and its time is not given again.

use std::time::Duration;

use serde_json::json;

use super::{Place, change};
use crate::support::api_client::text;
use crate::support::engine::Engine;
use crate::support::until::{until, within};

/// When a step of a deployment began and ended, in milliseconds since the epoch.
fn step(place: &Place, deployment: &str, phase: &str) -> Option<(i64, Option<i64>)> {
    let sql = "SELECT started_at, finished_at FROM deployment_phases WHERE deployment_id = ?1 AND phase = ?2";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    place.orbitra.database().query_row(sql, [deployment, phase], read).ok()
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn the_time_that_an_application_has_outlives_a_kill() {
    const GRACE: i64 = 15;
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, _) = place.live("shop", &repository).await;
    let patient = json!({"runtime": {"healthcheck": {"grace_seconds": GRACE}}});
    place.orbitra.api.done("PATCH", &format!("/projects/{project}"), Some(patient)).await;
    change(&repository, &json!({"deaf": true, "says": "never there"}));
    let id = place.deploy(&project, &repository).await;
    let began = until("it is checked", async || step(&place, &id, "checking")).await.0;
    within(Duration::from_secs(20), "two thirds of its time are over", async || {
        (now() - began > GRACE * 1000 * 2 / 3).then_some(())
    })
    .await;
    place.orbitra.kill9();
    place.orbitra.restart().await;
    assert_eq!(place.site("shop").await, "one", "the old one serves");
    let error = place.orbitra.api.failure(&id).await;
    assert_eq!(error["code"], "port_not_listening", "{error}");
    let (stored, ended) = step(&place, &id, "checking").unwrap();
    assert_eq!(stored, began, "it was not begun again");
    let took = ended.unwrap() - stored;
    // A time that begins anew would end at five thirds of it at the soonest.
    assert!((GRACE * 1000..GRACE * 1500).contains(&took), "{took} ms");
    assert_eq!(place.site("shop").await, "one");
    place.sound_for_good().await;
}

#[tokio::test]
async fn what_becomes_healthy_after_a_kill_was_started_once() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, first) = place.live("shop", &repository).await;
    change(&repository, &json!({"body": "two", "delay": 3000}));
    let second = place.deploy(&project, &repository).await;
    until("it is checked", async || step(&place, &second, "checking")).await;
    place.orbitra.kill9();
    place.orbitra.restart().await;
    assert_eq!(place.site("shop").await, "one", "the old one serves");
    place.orbitra.api.live(&second).await;
    assert_eq!(place.site("shop").await, "two");
    assert_eq!(place.engine.starts(&second), Some(1), "it was not built and started again");
    assert_eq!(place.engine.starts(&first), Some(1));
    let log = place.orbitra.api.log(&second).await;
    assert!(log.contains("The application is asked on."), "{log}");
    // What the build found out is not lost with the process that built.
    let receipt = place.orbitra.api.get(&format!("/deployments/{second}/receipt")).await;
    assert!(receipt["image"]["id"].is_string(), "{receipt}");
    place.sound_for_good().await;
}

#[tokio::test]
async fn one_that_ended_or_lost_its_network_meanwhile_begins_again() {
    begins_again_after(Engine::crash).await;
    begins_again_after(Engine::unplug).await;
}

async fn begins_again_after(fault: impl Fn(&Engine, &str)) {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"deaf": true}));
    let patient = json!({"runtime": {"healthcheck": {"grace_seconds": 600}}});
    let project = place.orbitra.api.project("shop", patient).await;
    let id = place.deploy(&project, &repository).await;
    until("it is checked", async || step(&place, &id, "checking")).await;
    place.orbitra.kill9();
    fault(&place.engine, &id);
    change(&repository, &json!({"body": "heard"}));
    place.orbitra.restart().await;
    place.orbitra.api.live(&id).await;
    assert_eq!(place.site("shop").await, "heard");
    place.sound_for_good().await;
}

#[tokio::test]
async fn a_check_that_takes_the_program_down_again_and_again_fails() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "good"}));
    let (project, _) = place.live("shop", &repository).await;
    place.rearm("check.start=kill").await;
    let path = format!("/projects/{project}/deployments");
    let fields = json!({"git_url": repository.url});
    let _ = place.orbitra.api.try_call("POST", &path, Some(fields), None).await;
    place.orbitra.killed().await;
    for _ in 0..3 {
        place.orbitra.launch(&[(super::POINTS, "check.resumed=kill")]);
        place.orbitra.killed().await;
    }
    place.orbitra.restart_with(&[(super::POINTS, "check.resumed=kill")]).await;
    let newest = "SELECT id FROM deployments ORDER BY seq DESC LIMIT 1";
    let id: String = place.orbitra.database().query_row(newest, [], |row| row.get(0)).unwrap();
    let message = text(&place.orbitra.api.failure(&id).await, "message");
    assert!(message.contains("several times"), "{message}");
    assert_eq!(place.site("shop").await, "good");
    place.sound_for_good().await;
}
