//! The program ends in the middle and starts again on the same directory.

use orbitra::docker::{ContainerEngine, ContainerId};
use serde_json::json;

use super::{Whole, change};
use crate::support::api_client::{text, try_visit};
use crate::support::until::until;

#[tokio::test]
async fn what_was_cut_off_begins_again() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "good"}));
    let project = whole.project("shop").await;
    let good = whole.api.deploy_live(&project, &repository).await;
    change(&repository, &json!({"build_hangs": true}));
    let id = whole.deploy(&project, &repository).await;
    whole.phase(&id, "building").await;
    whole.cut_off();

    change(&repository, &json!({"body": "better"}));
    whole.run().await;
    assert_ne!(whole.visit("shop.localhost").await.status, 404, "routes are there at once");
    whole.api.live(&id).await;
    assert_eq!(whole.site("shop").await, "better");
    let good = good["id"].as_str().unwrap();
    assert_eq!(whole.engine.starts(good), Some(1), "the old one was never started again");
}

#[tokio::test]
async fn what_was_stopped_goes_on() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"build_hangs": true}));
    let project = whole.project("shop").await;
    let running = whole.deploy(&project, &repository).await;
    let waiting = whole.deploy(&project, &repository).await;
    whole.phase(&running, "building").await;
    whole.stop().await;
    assert_eq!(whole.engine.builds().0, 0, "the build ended with the program");

    change(&repository, &json!({"body": "both"}));
    whole.run().await;
    whole.api.live(&waiting).await;
    assert_eq!(whole.api.get(&format!("/deployments/{running}")).await["status"], "superseded");
    let log = whole.api.log(&running).await;
    assert!(log.contains("Orbitra is stopping. The deployment goes on when it is back."), "{log}");
}

#[tokio::test]
async fn a_cancel_that_nobody_was_there_for_is_done_at_the_start() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"deaf": true}));
    let patient = json!({"runtime": {"healthcheck": {"grace_seconds": 600}}});
    let project = whole.api.project("shop", patient).await;
    let id = whole.deploy(&project, &repository).await;
    whole.phase(&id, "checking").await;
    whole.cut_off();
    // The request was stored, and then the power went.
    let database = rusqlite::Connection::open(whole.data.path().join("orbitra.db")).unwrap();
    let asked = "UPDATE deployments SET cancel_requested = 'user' WHERE id = ?1";
    assert_eq!(database.execute(asked, [&id]).unwrap(), 1);
    whole.run().await;
    assert_eq!(whole.api.finished(&id).await["status"], "canceled");
    until("nothing runs", async || (whole.engine.count().0 == 0).then_some(())).await;
}

#[tokio::test]
async fn a_deployment_that_takes_the_program_down_is_given_up() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"build_hangs": true}));
    let project = whole.project("shop").await;
    let id = whole.deploy(&project, &repository).await;
    for _ in 0..4 {
        whole.phase(&id, "building").await;
        until("the build runs", async || (whole.engine.builds().0 == 1).then_some(())).await;
        whole.cut_off();
        until("the build is gone", async || (whole.engine.builds().0 == 0).then_some(())).await;
        whole.run().await;
    }
    let error = whole.api.failure(&id).await;
    assert_eq!(error["code"], "engine_error");
    assert_eq!(
        error["message"],
        "Orbitra stopped in the middle of this deployment several times. Deploy again."
    );
    let page = whole.visit("shop.localhost").await;
    assert_eq!(page.status, 503);
}

#[tokio::test]
async fn an_application_that_stopped_meanwhile_is_brought_back() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "back"}));
    let project = whole.project("shop").await;
    let live = whole.api.deploy_live(&project, &repository).await;
    let id = live["id"].as_str().unwrap().to_owned();
    whole.cut_off();
    whole.engine.crash(&id);
    whole.run().await;
    until("it answers again", async || (whole.site("shop").await == "back").then_some(())).await;
    assert_eq!(whole.engine.starts(&id), Some(2));
    assert_eq!(whole.api.get(&format!("/deployments/{id}")).await["status"], "live");
}

#[tokio::test]
async fn an_old_one_that_was_finishing_its_requests_is_stopped_after_the_restart() {
    let mut whole = Whole::start_with(&[("ORBITRA_DRAIN_SECONDS", "60")]).await;
    let repository = whole.repository(&json!({"body": "old", "think": 60_000}));
    let project = whole.project("shop").await;
    let old = text(&whole.api.deploy_live(&project, &repository).await, "id");
    let port = whole.api.port;
    let slow = tokio::spawn(async move { try_visit(port, "shop.localhost", "/slow").await });
    until("the slow request is under way", async || whole.engine.thinks().then_some(())).await;
    change(&repository, &json!({"body": "new"}));
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.engine.count().1, 2, "the old one finishes its request");
    whole.cut_off();
    assert!(slow.await.unwrap().is_err());

    whole.run().await;
    until("the old one stops", async || (whole.engine.count().1 == 1).then_some(())).await;
    assert_eq!(whole.site("shop").await, "new");
    // It can still be woken.
    assert_eq!(whole.own_url(&old).await.body, "old");
}

#[tokio::test]
async fn a_check_that_was_cut_off_goes_on() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "heard", "delay": 3000}));
    let patient = json!({"runtime": {"healthcheck": {"grace_seconds": 600}}});
    let project = whole.api.project("shop", patient).await;
    let id = whole.deploy(&project, &repository).await;
    whole.phase(&id, "checking").await;
    whole.cut_off();
    change(&repository, &json!({"body": "what was committed meanwhile"}));
    whole.run().await;
    whole.api.live(&id).await;
    assert_eq!(whole.site("shop").await, "heard");
    assert_eq!(whole.engine.starts(&id), Some(1), "it was not started a second time");
    let (containers, _, images, _) = whole.engine.count();
    assert_eq!((containers, images), (1, 1));
}

#[tokio::test]
async fn a_live_container_that_somebody_removed_is_made_again() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "again"}));
    let settings = json!({"runtime": {"port": 4100}});
    let project = whole.api.project("shop", settings).await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    whole.cut_off();
    whole.engine.remove(&ContainerId(format!("orbitra-{id}"))).await.unwrap();
    whole.run().await;
    until("it answers again", async || (whole.site("shop").await == "again").then_some(())).await;
    assert_eq!(whole.engine.starts(&id), Some(1));
    assert_eq!(whole.api.get(&format!("/deployments/{id}")).await["status"], "live");
}

#[tokio::test]
async fn a_live_application_that_cannot_be_brought_back_has_crashed_until_it_runs() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "up"}));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    whole.cut_off();
    whole.engine.crash(&id);
    whole.engine.set_exit(&id, Some(1));
    whole.run().await;
    until("the project is degraded", async || {
        let shown = whole.api.get(&format!("/projects/{project}")).await;
        (shown["status"] == "degraded").then_some(())
    })
    .await;
    assert_eq!(whole.visit("shop.localhost").await.status, 503);

    // The engine brings it back by itself.
    whole.stop().await;
    whole.engine.set_exit(&id, None);
    whole.engine.start(&ContainerId(format!("orbitra-{id}"))).await.unwrap();
    whole.run().await;
    until("it answers again", async || (whole.site("shop").await == "up").then_some(())).await;
    assert_eq!(whole.api.get(&format!("/projects/{project}")).await["status"], "active");
}

#[tokio::test]
async fn an_engine_that_is_away_at_the_start_costs_no_application_its_place() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "runs on"}));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    whole.cut_off();
    whole.engine.set_down(true);
    whole.run().await;
    assert_eq!(whole.site("shop").await, "runs on");
    assert_eq!(whole.api.get(&format!("/deployments/{id}")).await["status"], "live");
    whole.engine.set_down(false);
    assert_eq!(whole.engine.starts(&id), Some(1));
}
