//! A new container takes the place of the live one's.

use orbitra::app::terms::Terms;
use orbitra::model::deployment::{Phase, Status};
use serde_json::json;

use super::Whole;
use crate::support::api_client::text;
use crate::support::load::Load;
use crate::support::until::until;

async fn restart(whole: &Whole, project: &str) {
    whole.app().restart_project(whole.actor(), project, &Terms::none()).await.unwrap();
}

fn restarts(whole: &Whole) -> usize {
    whole.events().iter().filter(|(name, _)| name == "project.restarted").count()
}

#[tokio::test]
async fn a_restart_loses_no_request_and_leaves_one_container() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "here", "delay": 200}));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    let load = Load::start(whole.api.port, "shop.localhost", 400);
    for round in 1..=2 {
        let before = whole.container(&id).await;
        restart(&whole, &project).await;
        let after = whole.released(&id).await;
        assert_eq!((after.status(), restarts(&whole)), (Status::Live, round));
        assert_ne!(after.containers().next().map(str::to_owned), before);
        until("one is left", async || (whole.engine.count().0 == 1).then_some(())).await;
    }
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert!(seen.requests > 50, "{}", seen.requests);
    // What is restarted can still be deployed over and deleted with its project.
    whole.api.call("DELETE", &format!("/projects/{project}"), None).await;
    until("nothing is left", async || (whole.engine.count() == (0, 0, 0, 0)).then_some(())).await;
}

#[tokio::test]
async fn a_restart_that_was_cut_off_is_finished_at_the_start() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "here", "delay": 700}));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    restart(&whole, &project).await;
    until("two run", async || (whole.engine.count().1 == 2).then_some(())).await;
    whole.cut_off();
    whole.run().await;
    let after = whole.released(&id).await;
    assert_eq!((after.status(), after.phase()), (Status::Live, Phase::Done));
    assert_eq!(restarts(&whole), 1);
    until("one is left", async || (whole.engine.count().0 == 1).then_some(())).await;
    assert_eq!(whole.site("shop").await, "here");
}

#[tokio::test]
async fn a_restart_that_fails_leaves_the_old_container_serving() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "here"}));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    let before = whole.container(&id).await;
    whole.engine.set_image_exit(&id, Some(1));
    restart(&whole, &project).await;
    let after = whole.released(&id).await;
    assert_eq!(
        (after.status(), after.containers().next().map(str::to_owned)),
        (Status::Live, before)
    );
    assert!(after.failure.is_some());
    assert_eq!((whole.site("shop").await.as_str(), restarts(&whole)), ("here", 0));
    assert_eq!(whole.engine.count().0, 1);
}

#[tokio::test]
async fn without_anything_live_there_is_nothing_to_restart() {
    let whole = Whole::start().await;
    let project = whole.project("shop").await;
    restart(&whole, &project).await;
    assert_eq!(whole.events().last().unwrap().0, "project.created");
}
