//! Deployments are canceled at every step and at random moments: each ends soon, and nothing is left.

use std::time::{Duration, Instant};

use orbitra::crypto::random;
use serde_json::json;

use super::{Gate, Place, change};
use crate::support::effort::effort;
use crate::support::until::until;

/// The longest until a canceled deployment has ended.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn at_every_step_a_cancel_ends_it_soon() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "good"}));
    let (project, _) = place.live("shop", &repository).await;
    let steps = [
        ("queued", "queued"),
        ("clone.start", "cloning"),
        ("clone.done", "cloning"),
        ("build.start", "building"),
        ("build.done", "building"),
        ("start.start", "starting"),
        ("container.created", "starting"),
        ("container.started", "starting"),
        ("check.start", "checking"),
        ("health.first_ok", "checking"),
    ];
    for (step, phase) in steps {
        // The cancel comes while it stands there.
        let gate = Gate::new();
        place.rearm(&gate.at(step)).await;
        let id = place.deploy(&project, &repository).await;
        let shown = format!("/deployments/{id}");
        until("it is there", async || {
            (place.orbitra.api.get(&shown).await["phase"] == phase).then_some(())
        })
        .await;
        let (api, path) = (place.orbitra.api.clone(), format!("{shown}/cancel"));
        let canceling = tokio::spawn(async move { api.done("POST", &path, Some(json!({}))).await });
        until("somebody has asked", async || {
            let sql = "SELECT cancel_requested IS NOT NULL OR state = 'canceled' FROM deployments WHERE id = ?1";
            let asked = place.orbitra.database().query_row(sql, [&id], |row| row.get(0));
            asked.unwrap_or(false).then_some(())
        })
        .await;
        gate.open();
        // It waits five seconds for the end and no longer: what it answers has ended by then.
        assert_eq!(canceling.await.unwrap()["status"], "canceled", "{step}");
        place.sound().await;
    }
    assert_eq!(place.site("shop").await, "good");
    place.sound_for_good().await;
}

#[tokio::test]
async fn at_any_moment_a_cancel_ends_it_or_it_is_live() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "0"}));
    let (project, _) = place.live("shop", &repository).await;
    let mut serves = "0".to_owned();
    let mut canceled = 0;
    for number in 1..=effort("ORBITRA_TEST_CANCELS", 40) {
        let body = number.to_string();
        change(&repository, &json!({ "body": body }));
        let id = place.deploy(&project, &repository).await;
        let [moment] = random::bytes::<1>();
        tokio::time::sleep(Duration::from_millis(u64::from(moment))).await;
        let begin = Instant::now();
        let path = format!("/deployments/{id}/cancel");
        let (status, answer) = place.orbitra.api.call("POST", &path, Some(json!({}))).await;
        assert!(matches!(status, 200..=202 | 409), "{status} {answer}");
        let ended = place.orbitra.api.finished(&id).await;
        assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
        match ended["status"].as_str().unwrap() {
            "canceled" => canceled += 1,
            "live" => serves = body,
            other => panic!("{other}: {ended}"),
        }
        assert_eq!(place.site("shop").await, serves);
    }
    assert!(canceled > 0, "every cancel came too late");
    place.sound_for_good().await;
}
