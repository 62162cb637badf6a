//! A project rests, and serves again.

use orbitra::app::terms::Terms;
use orbitra::model::deployment::Status;
use orbitra::model::project::{Project, ProjectStatus};
use serde_json::json;

use super::{Whole, change};
use crate::support::api_client::text;
use crate::support::until::until;

async fn pause(whole: &Whole, project: &str) -> Project {
    whole.app().pause_project(whole.actor(), project, &Terms::none()).await.unwrap()
}

async fn resume(whole: &Whole, project: &str) -> Project {
    whole.app().resume_project(whole.actor(), project, &Terms::none()).await.unwrap()
}

async fn rests(whole: &Whole) {
    until("nothing runs", async || (whole.engine.count().1 == 0).then_some(())).await;
}

#[tokio::test]
async fn a_paused_project_rests_also_after_a_restart_and_then_serves_again() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "open"}));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    assert_eq!(resume(&whole, &project).await.status(), ProjectStatus::Active, "no pause to end");
    assert_eq!(pause(&whole, &project).await.status(), ProjectStatus::Paused);
    pause(&whole, &project).await;
    rests(&whole).await;
    for _ in 0..2 {
        let page = whole.visit("shop.localhost").await;
        assert_eq!(page.status, 503);
        assert!(page.body.contains("paused"), "{}", page.body);
        assert_eq!(whole.own_url(&id).await.status, 503);
        assert_eq!(whole.engine.count().1, 0, "no visitor wakes it");
        whole.cut_off();
        whole.run().await;
    }
    let path = format!("/projects/{project}/deployments");
    let body = json!({"git_url": repository.url});
    let (status, answer) = whole.api.call("POST", &path, Some(body)).await;
    assert_eq!((status, &answer["error"]["details"]["reason"]), (409, &json!("project_paused")));
    assert_eq!(whole.api.get("/projects?status=paused").await["pagination"]["total"], 1);

    assert_eq!(resume(&whole, &project).await.status(), ProjectStatus::Active);
    until("it serves", async || (whole.site("shop").await == "open").then_some(())).await;
    let names: Vec<_> = whole.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[names.len() - 2..], ["project.paused", "project.resumed"]);
}

#[tokio::test]
async fn a_build_that_ends_during_a_pause_is_staged() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "old"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    change(&repository, &json!({"body": "new", "delay": 700}));
    let id = whole.deploy(&project, &repository).await;
    whole.phase(&id, "checking").await;
    pause(&whole, &project).await;
    assert_eq!(whole.api.finished(&id).await["status"], "staged");
    rests(&whole).await;
    let stored = whole.stored(&id).await;
    assert!(!stored.can().promote && !stored.can().redeploy, "not while it is paused");
    let (name, data) = whole.events().pop().unwrap();
    assert_eq!((name.as_str(), &data["status"]), ("deployment.succeeded", &json!("staged")));
    resume(&whole, &project).await;
    until("the old one serves", async || (whole.site("shop").await == "old").then_some(())).await;
    whole.app().promote_deployment(whole.actor(), &id, &Terms::none()).await.unwrap();
    assert_eq!(whole.released(&id).await.status(), Status::Live);
    assert_eq!(whole.site("shop").await, "new");
}
