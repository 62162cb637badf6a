//! A new deployment that crashes or fails in its first minute gives the traffic back by itself.

use std::time::Duration;

use orbitra::model::deployment::Status;
use orbitra::model::failure::FailureCode;
use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::text;
use crate::support::git_server::Repository;
use crate::support::load::Load;
use crate::support::until::{until, within};

const RATE: u32 = 200;

/// A project that is watched for so long, and two deployments of it; the second is live.
async fn two(whole: &Whole, watch: u32, first: Value) -> (String, Repository, String, String) {
    let runtime = json!({
        "healthcheck": {"grace_seconds": 1, "timeout_seconds": 1}, "release": {"watch_seconds": watch},
    });
    let project = whole.api.project("shop", json!({"runtime": runtime})).await;
    let repository = whole.repository(&first);
    let one = text(&whole.api.deploy_live(&project, &repository).await, "id");
    change(&repository, &json!({"body": "two"}));
    let two = text(&whole.api.deploy_live(&project, &repository).await, "id");
    (project, repository, one, two)
}

/// The event of a return, once there is one.
async fn returned(whole: &Whole) -> Value {
    until("the traffic goes back", async || {
        let events = whole.events();
        events.into_iter().find(|(name, _)| name == "deployment.rolled_back").map(|(_, data)| data)
    })
    .await
}

fn watched(whole: &Whole) -> i64 {
    let database = rusqlite::Connection::open(whole.data.path().join("orbitra.db")).unwrap();
    database.query_row("SELECT count(*) FROM watches", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_process_that_is_gone_brings_the_one_before_back() {
    let whole = Whole::start().await;
    let (project, _, one, two) = two(&whole, 60, json!({"body": "one"})).await;
    whole.engine.set_exit(&two, Some(3));
    whole.engine.crash(&two);
    let event = returned(&whole).await;
    assert_eq!(
        event,
        json!({
            "deployment_id": one, "project_id": project, "status": "live", "url": event["url"],
            "previous_deployment_id": two,
        })
    );
    assert_eq!(whole.released(&one).await.status(), Status::Live);
    assert_eq!(whole.site("shop").await, "one");
    let failed = whole.stored(&two).await;
    let failure = failed.failure.clone().unwrap();
    assert_eq!((failed.status(), failure.code), (Status::Superseded, FailureCode::StartFailed));
    assert!(failure.message.contains("The deployment before gets it back."), "{}", failure.message);
    let shown = whole.api.get(&format!("/projects/{project}")).await;
    assert!(shown["release_paused_at"].is_string(), "{shown}");
    assert_eq!(watched(&whole), 0, "what came back is not watched");
}

#[tokio::test]
async fn a_process_that_is_started_again_and_again_does_too() {
    let whole = Whole::start().await;
    let (_, _, one, two) = two(&whole, 60, json!({"body": "one"})).await;
    let mut restarts = 0;
    let live = until("the traffic goes back", async || {
        restarts += 1;
        whole.engine.set_restarts(&two, restarts);
        let stored = whole.stored(&one).await;
        (stored.status() == Status::Live).then_some(stored)
    })
    .await;
    assert_eq!(live.id.as_str(), one);
    assert_eq!(returned(&whole).await["previous_deployment_id"], two);
    let message = whole.stored(&two).await.failure.unwrap().message;
    assert!(message.contains("times right after it got the traffic"), "{message}");
}

#[tokio::test]
async fn failing_requests_bring_the_one_before_back() {
    let whole = Whole::start().await;
    let (_, _, one, two) = two(&whole, 60, json!({"body": "one"})).await;
    whole.engine.set_status(&two, 500);
    let load = Load::start(whole.api.port, "shop.localhost", RATE);
    let event = returned(&whole).await;
    assert_eq!(event["previous_deployment_id"], two);
    until("visitors get the one before", async || {
        (load.seen().bodies.get("one") > Some(&20)).then_some(())
    })
    .await;
    load.stop().await;
    assert_eq!(whole.stored(&one).await.status(), Status::Live);
    let failure = whole.stored(&two).await.failure.unwrap();
    assert_eq!(failure.code, FailureCode::HealthcheckFailed);
    assert!(failure.message.contains("requests failed right after"), "{}", failure.message);
}

#[tokio::test]
async fn requests_that_failed_before_as_well_mean_nothing() {
    let whole = Whole::start().await;
    let runtime = json!({
        "healthcheck": {"grace_seconds": 1, "timeout_seconds": 1, "path": "/up"},
        "release": {"watch_seconds": 4},
    });
    let project = whole.api.project("shop", json!({"runtime": runtime})).await;
    let repository = whole.repository(&json!({"body": "one", "only": "/up"}));
    whole.api.deploy_live(&project, &repository).await;
    let fails = async || {
        whole.visit("shop.localhost").await;
    };
    for _ in 0..40 {
        whole.engine.set_status(&whole.api.statuses(&project).await[0].0, 500);
        fails().await;
    }
    // The health check of the new one is good; visitors meet failures as they did before.
    change(&repository, &json!({"body": "two"}));
    let two = text(&whole.api.deploy_live(&project, &repository).await, "id");
    whole.engine.set_status(&two, 500);
    let load = Load::start(whole.api.port, "shop.localhost", RATE);
    within(Duration::from_secs(30), "the watch is over", async || {
        (watched(&whole) == 0).then_some(())
    })
    .await;
    load.stop().await;
    assert_eq!(whole.stored(&two).await.status(), Status::Live);
    assert!(whole.events().iter().all(|(name, _)| name != "deployment.rolled_back"));
}

#[tokio::test]
async fn the_watch_outlives_orbitra() {
    let mut whole = Whole::start().await;
    let (_, _, one, two) = two(&whole, 600, json!({"body": "one"})).await;
    assert_eq!(watched(&whole), 1);
    whole.cut_off();
    whole.engine.set_exit(&two, Some(3));
    whole.engine.crash(&two);
    whole.run().await;
    assert_eq!(returned(&whole).await["previous_deployment_id"], two);
    assert_eq!(whole.released(&one).await.status(), Status::Live);
}

#[tokio::test]
async fn when_the_one_before_does_not_start_the_new_one_stays() {
    let whole = Whole::start().await;
    let (project, _, one, two) = two(&whole, 60, json!({"body": "one"})).await;
    until("the one before rests", async || (whole.engine.count().1 == 1).then_some(())).await;
    whole.engine.set_exit(&one, Some(7));
    whole.engine.crash(&one);
    whole.engine.set_exit(&two, Some(3));
    whole.engine.crash(&two);
    let failure = until("it was tried", async || whole.stored(&one).await.failure).await;
    assert_eq!(failure.code, FailureCode::StartFailed);
    let shown = whole.api.get(&format!("/projects/{project}")).await;
    assert_eq!(shown["live_deployment_id"], json!(two));
    assert_eq!(shown["release_paused_at"], Value::Null);
    assert_eq!(watched(&whole), 0, "it is tried once");
    assert_eq!(whole.stored(&two).await.failure.unwrap().code, FailureCode::StartFailed);
}

#[tokio::test]
async fn nothing_is_watched_that_has_nothing_before_it_or_is_not_to_be() {
    let whole = Whole::start().await;
    let (project, repository, ..) = two(&whole, 0, json!({"body": "one"})).await;
    assert_eq!(watched(&whole), 0, "0 s is never");
    let release = json!({"runtime": {"release": {"watch_seconds": 1}}});
    whole.api.done("PATCH", &format!("/projects/{project}"), Some(release)).await;
    change(&repository, &json!({"body": "three"}));
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(watched(&whole), 1);
    until("the time is over", async || (watched(&whole) == 0).then_some(())).await;
    let other = whole.api.project("other", json!({})).await;
    whole.api.deploy_live(&other, &repository).await;
    assert_eq!(watched(&whole), 0, "the first one has nothing to go back to");
}
