//! Deployments that cannot run side by side: requests wait while one stops and the other starts.

use orbitra::app::promote::RollbackTo;
use orbitra::app::terms::Terms;
use orbitra::docker::{ContainerEngine, ContainerId};
use orbitra::model::deployment::{RunState, Status};
use orbitra::model::failure::FailureCode;
use orbitra::model::problems::Problems;
use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::{text, try_visit};
use crate::support::git_server::Repository;
use crate::support::load::Load;
use crate::support::until::until;

const RATE: u32 = 200;

/// A project whose deployments never run side by side, with one that is live.
async fn single(whole: &Whole, first: Value) -> (String, Repository, String) {
    let runtime = json!({
        "healthcheck": {"grace_seconds": 1, "timeout_seconds": 1}, "release": {"strategy": "single"},
    });
    let project = whole.api.project("shop", json!({"runtime": runtime})).await;
    let repository = whole.repository(&first);
    let live = text(&whole.api.deploy_live(&project, &repository).await, "id");
    (project, repository, live)
}

async fn roll_back(whole: &Whole, project: &str) {
    let (app, to) = (whole.app(), RollbackTo::default());
    app.rollback(whole.actor(), project, to, Problems::default(), &Terms::none()).await.unwrap();
}

/// As somebody would behind our back: the next one is made of the image as it is now.
async fn remove_container(whole: &Whole, id: &str) {
    let container = ContainerId(whole.container(id).await.unwrap());
    whole.engine.remove(&container).await.unwrap();
}

/// Nothing but the live one runs, nothing waits, and no two ever ran at once.
async fn quiet(whole: &Whole) {
    until("one runs", async || (whole.engine.count().1 == 1).then_some(())).await;
    assert_eq!(whole.engine.most_running(), 1);
    let database = rusqlite::Connection::open(whole.data.path().join("orbitra.db")).unwrap();
    let holds: i64 =
        database.query_row("SELECT count(*) FROM holds", [], |row| row.get(0)).unwrap();
    assert_eq!(holds, 0);
}

#[tokio::test]
async fn a_redeploy_stops_the_old_one_first_and_loses_no_request() {
    let whole = Whole::start().await;
    let (project, repository, one) = single(&whole, json!({"body": "one"})).await;
    let load = Load::patient(whole.api.port, "shop.localhost", RATE);
    change(&repository, &json!({"body": "two", "delay": 300}));
    let two = text(&whole.api.deploy_live(&project, &repository).await, "id");
    assert_eq!(whole.site("shop").await, "two");
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    quiet(&whole).await;
    assert!(whole.api.log(&two).await.contains("Requests wait while"));
    // The old one's own URL does not start it beside the new one.
    assert_eq!(whole.own_url(&one).await.status, 503);
    assert_eq!(
        (whole.own_url(&two).await.status.as_u16(), whole.engine.starts(&one)),
        (200, Some(1))
    );
    quiet(&whole).await;
}

#[tokio::test]
async fn when_the_new_one_fails_the_old_one_comes_back_and_answers_who_waited() {
    let whole = Whole::start().await;
    let (project, repository, one) = single(&whole, json!({"body": "one"})).await;
    let load = Load::patient(whole.api.port, "shop.localhost", RATE);
    for (app, code) in [
        (json!({"body": "two", "status": 500}), "healthcheck_failed"),
        (json!({"deaf": true}), "port_not_listening"),
        (json!({"exit": 3}), "start_failed"),
    ] {
        change(&repository, &app);
        let error = whole.api.failure(&whole.deploy(&project, &repository).await).await;
        assert_eq!(error["code"], code);
        assert_eq!(whole.site("shop").await, "one");
        assert_eq!(whole.stored(&one).await.status(), Status::Live);
    }
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert_eq!(seen.bodies.keys().collect::<Vec<_>>(), ["one"]);
    quiet(&whole).await;
}

#[tokio::test]
async fn what_is_stopped_for_another_has_not_crashed() {
    let whole = Whole::start().await;
    let (project, repository, _) = single(&whole, json!({"body": "one"})).await;
    change(&repository, &json!({"body": "two"}));
    let two = text(&whole.api.deploy_live(&project, &repository).await, "id");
    // It is watched, and stands still for several looks while the next one is tried.
    let patient = json!({"runtime": {"healthcheck": {"grace_seconds": 4}}});
    whole.api.done("PATCH", &format!("/projects/{project}"), Some(patient)).await;
    change(&repository, &json!({"deaf": true}));
    whole.api.failure(&whole.deploy(&project, &repository).await).await;
    assert_eq!(whole.site("shop").await, "two");
    let stored = whole.stored(&two).await;
    assert_eq!((stored.status(), stored.failure), (Status::Live, None));
    assert!(whole.events().iter().all(|(name, _)| name != "deployment.rolled_back"));
    quiet(&whole).await;
}

#[tokio::test]
async fn a_request_in_flight_is_finished_before_the_old_one_stops() {
    let whole = Whole::start_with(&[("ORBITRA_DRAIN_SECONDS", "20")]).await;
    let (project, repository, _) = single(&whole, json!({"body": "one", "think": 800})).await;
    let path = format!("/projects/{project}");
    let patient = json!({"runtime": {"release": {"drain_seconds": 20}}});
    whole.api.done("PATCH", &path, Some(patient)).await;
    change(&repository, &json!({"body": "two"}));
    let slow = try_visit(whole.api.port, "shop.localhost", "/slow");
    let redeployed = async {
        until("it thinks", async || whole.engine.thinks().then_some(())).await;
        whole.api.deploy_live(&project, &repository).await
    };
    let (slow, _) = tokio::join!(slow, redeployed);
    assert_eq!(slow.unwrap().body, "one");
    assert_eq!(whole.site("shop").await, "two");
    quiet(&whole).await;
}

#[tokio::test]
async fn a_switch_that_is_canceled_or_cut_off_leaves_the_old_one_serving() {
    let mut whole = Whole::start().await;
    let (project, repository, one) = single(&whole, json!({"body": "one"})).await;
    let patient = json!({"runtime": {"healthcheck": {"grace_seconds": 600}}});
    whole.api.done("PATCH", &format!("/projects/{project}"), Some(patient)).await;
    change(&repository, &json!({"deaf": true}));
    let two = whole.deploy(&project, &repository).await;
    until("it is started", async || (whole.engine.starts(&two) == Some(1)).then_some(())).await;
    assert_eq!(whole.stored(&one).await.run_state, RunState::Stopped);
    for _ in 0..2 {
        whole.cut_off();
        whole.run().await;
        // What was cut off begins anew, and stops the old one anew.
        until("it is checked again", async || {
            let checked =
                whole.stored(&two).await.state == orbitra::model::transition::State::Checking;
            (checked && whole.engine.starts(&two) == Some(1)).then_some(())
        })
        .await;
    }
    let waiting = tokio::spawn(try_visit(whole.api.port, "shop.localhost", "/"));
    whole.api.done("POST", &format!("/deployments/{two}/cancel"), Some(json!({}))).await;
    assert_eq!(whole.api.finished(&two).await["status"], "canceled");
    assert_eq!(waiting.await.unwrap().unwrap().body, "one");
    quiet(&whole).await;
}

#[tokio::test]
async fn after_a_crash_between_two_deployments_the_old_one_serves() {
    let mut whole = Whole::start().await;
    let (project, repository, one) = single(&whole, json!({"body": "one"})).await;
    change(&repository, &json!({"body": "two", "delay": 400}));
    let two = whole.deploy(&project, &repository).await;
    until("the old one is stopped", async || {
        (whole.stored(&one).await.run_state == RunState::Stopped).then_some(())
    })
    .await;
    whole.cut_off();
    // Somebody cancels what was cut off before it begins again: only the old one can serve now.
    let database = rusqlite::Connection::open(whole.data.path().join("orbitra.db")).unwrap();
    let asked = "UPDATE deployments SET cancel_requested = 'user' WHERE id = ?1";
    assert_eq!(database.execute(asked, [&two]).unwrap(), 1);
    whole.run().await;
    assert_eq!(whole.api.finished(&two).await["status"], "canceled");
    assert_eq!(whole.site("shop").await, "one");
    quiet(&whole).await;
}

#[tokio::test]
async fn rollback_promote_and_restart_never_run_two() {
    let mut whole = Whole::start().await;
    let (project, repository, one) = single(&whole, json!({"body": "one"})).await;
    change(&repository, &json!({"body": "two"}));
    let two = text(&whole.api.deploy_live(&project, &repository).await, "id");
    let load = Load::patient(whole.api.port, "shop.localhost", RATE);
    roll_back(&whole, &project).await;
    assert_eq!(whole.released(&one).await.status(), Status::Live);
    assert_eq!(whole.site("shop").await, "one");
    let app = whole.app();
    app.restart_project(whole.actor(), &project, &Terms::none()).await.unwrap();
    let before = whole.container(&one).await;
    let after = whole.released(&one).await;
    assert_ne!(after.containers().next().map(str::to_owned), before);
    app.promote_deployment(whole.actor(), &two, &Terms::none()).await.unwrap();
    assert_eq!(whole.released(&two).await.status(), Status::Live);
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    quiet(&whole).await;
    // One that does not come up gives the traffic back.
    whole.engine.set_image_exit(&one, Some(4));
    remove_container(&whole, &one).await;
    roll_back(&whole, &project).await;
    let failed = whole.released(&one).await;
    assert_eq!(
        (failed.status(), failed.failure.unwrap().code),
        (Status::Superseded, FailureCode::StartFailed)
    );
    assert_eq!(whole.site("shop").await, "two");
    quiet(&whole).await;
    // A rollback that is cut off is finished at the start.
    whole.engine.set_image_exit(&one, None);
    remove_container(&whole, &one).await;
    roll_back(&whole, &project).await;
    until("the other one is stopped", async || {
        (whole.stored(&two).await.run_state == RunState::Stopped).then_some(())
    })
    .await;
    whole.cut_off();
    whole.run().await;
    assert_eq!(whole.released(&one).await.status(), Status::Live);
    assert_eq!(whole.site("shop").await, "one");
    quiet(&whole).await;
}

#[tokio::test]
async fn one_that_gets_no_visitors_yet_is_not_started() {
    let whole = Whole::start().await;
    let (project, repository, _) = single(&whole, json!({"body": "one"})).await;
    change(&repository, &json!({"body": "two"}));
    let two = whole.api.deploy(&project, &repository, json!({"promote": false})).await;
    assert_eq!(whole.api.finished(&two).await["status"], "staged");
    assert_eq!(
        (whole.engine.starts(&two), whole.own_url(&two).await.status.as_u16()),
        (Some(0), 503)
    );
    assert_eq!(whole.site("shop").await, "one");
    whole.app().promote_deployment(whole.actor(), &two, &Terms::none()).await.unwrap();
    assert_eq!(whole.released(&two).await.status(), Status::Live);
    assert_eq!(whole.site("shop").await, "two");
    quiet(&whole).await;
}
