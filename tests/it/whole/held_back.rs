//! After a rollback new deployments wait until somebody promotes; and the variables a rollback comes back with.

use orbitra::app::deployments::NewDeployment;
use orbitra::app::promote::RollbackTo;
use orbitra::app::terms::Terms;
use orbitra::model::deployment::{Status, Trigger};
use orbitra::model::problems::Problems;
use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::text;
use crate::support::git_server::Repository;
use crate::support::load::Load;
use crate::support::until::until;

async fn roll_back(whole: &Whole, project: &str) -> String {
    let (app, to) = (whole.app(), RollbackTo::default());
    let back = app.rollback(whole.actor(), project, to, Problems::default(), &Terms::none()).await;
    let id = back.unwrap().id.to_string();
    assert_eq!(whole.released(&id).await.status(), Status::Live);
    id
}

/// As a push would.
async fn push(whole: &Whole, project: &str, repository: &Repository) -> String {
    let new = NewDeployment {
        git_url: Some(repository.url.clone()),
        trigger: Some(Trigger::GitPush),
        ..NewDeployment::default()
    };
    let (app, none) = (whole.app(), Problems::default());
    let made = app.create_deployment(whole.actor(), project, new, none, &Terms::none()).await;
    made.unwrap().id.to_string()
}

async fn paused(whole: &Whole, project: &str) -> bool {
    whole.api.get(&format!("/projects/{project}")).await["release_paused_at"] != Value::Null
}

async fn two(whole: &Whole) -> (String, Repository) {
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    change(&repository, &json!({"body": "two"}));
    whole.api.deploy_live(&project, &repository).await;
    (project, repository)
}

#[tokio::test]
async fn what_is_pushed_after_a_rollback_waits_until_it_is_promoted() {
    let whole = Whole::start().await;
    let (project, repository) = two(&whole).await;
    assert!(!paused(&whole, &project).await);
    roll_back(&whole, &project).await;
    assert!(paused(&whole, &project).await);
    change(&repository, &json!({"body": "three"}));
    let three = push(&whole, &project, &repository).await;
    assert_eq!(whole.api.finished(&three).await["status"], "staged");
    assert_eq!(whole.site("shop").await, "one");
    let log = whole.api.log(&three).await;
    assert!(log.contains("Visitors stay where they are until it is promoted."), "{log}");
    whole.app().promote_deployment(whole.actor(), &three, &Terms::none()).await.unwrap();
    assert_eq!(whole.released(&three).await.status(), Status::Live);
    assert!(!paused(&whole, &project).await);
    change(&repository, &json!({"body": "four"}));
    whole.api.live(&push(&whole, &project, &repository).await).await;
    assert_eq!(whole.site("shop").await, "four");
}

#[tokio::test]
async fn what_somebody_asks_for_after_a_rollback_is_a_promotion() {
    let whole = Whole::start().await;
    let (project, repository) = two(&whole).await;
    roll_back(&whole, &project).await;
    change(&repository, &json!({"body": "fix"}));
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.site("shop").await, "fix");
    assert!(!paused(&whole, &project).await);
}

#[tokio::test]
async fn what_was_under_way_at_the_rollback_does_not_undo_it() {
    let whole = Whole::start().await;
    let (project, repository) = two(&whole).await;
    change(&repository, &json!({"body": "late", "delay": 800}));
    let late = whole.deploy(&project, &repository).await;
    whole.phase(&late, "checking").await;
    roll_back(&whole, &project).await;
    assert_eq!(whole.api.finished(&late).await["status"], "staged");
    assert_eq!(
        (whole.site("shop").await.as_str(), whole.own_url(&late).await.body.as_str()),
        ("one", "late")
    );
}

#[tokio::test]
async fn to_promote_what_is_live_lets_newer_ones_follow_again() {
    let whole = Whole::start().await;
    let (project, repository) = two(&whole).await;
    let live = roll_back(&whole, &project).await;
    let path = format!("/deployments/{live}/promote");
    assert_eq!(whole.api.done("POST", &path, Some(json!({}))).await["status"], "live");
    assert!(!paused(&whole, &project).await);
    let (name, data) = whole.events().pop().unwrap();
    assert_eq!(
        (name.as_str(), &data["changed"]),
        ("project.updated", &json!(["release_paused_at"]))
    );
    let events = whole.events().len();
    whole.api.done("POST", &path, Some(json!({}))).await;
    assert_eq!(whole.events().len(), events, "a second time changes nothing");
    change(&repository, &json!({"body": "three"}));
    whole.api.live(&push(&whole, &project, &repository).await).await;
}

#[tokio::test]
async fn a_rollback_comes_back_with_its_own_variables_or_with_those_of_today() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let set = async |value: &str| {
        let path = format!("/projects/{project}/env/GREETING");
        whole.api.done("PUT", &path, Some(json!({"value": value}))).await
    };
    set("then").await;
    let one = text(&whole.api.deploy_live(&project, &repository).await, "id");
    change(&repository, &json!({"body": "two"}));
    let two = text(&whole.api.deploy_live(&project, &repository).await, "id");
    set("now").await;
    let back = async |body: Value, id: &str| {
        let path = format!("/projects/{project}/rollback");
        assert_eq!(text(&whole.api.done("POST", &path, Some(body)).await, "id"), id);
        assert_eq!(whole.released(id).await.status(), Status::Live);
        until("one is left that runs", async || {
            let found = whole.engine.variable(id, "GREETING");
            (found.len() == 1).then_some(found)
        })
        .await
    };
    let load = Load::start(whole.api.port, "shop.localhost", 200);
    assert_eq!(back(json!({}), &one).await, [Some("then".to_owned())]);
    assert_eq!(back(json!({"environment": "own"}), &two).await, [Some("then".to_owned())]);
    assert_eq!(back(json!({"environment": "current"}), &one).await, [Some("now".to_owned())]);
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert_eq!(whole.site("shop").await, "one");
    until("the container before is gone", async || (whole.engine.count().0 == 2).then_some(()))
        .await;
    assert!(
        !whole.api.get(&format!("/projects/{project}")).await["pending_redeploy"]
            .as_bool()
            .unwrap()
    );
    // It stays so: the next container of this deployment has them as well.
    assert_eq!(whole.stored(&one).await.failure, None);
    let path = format!("/projects/{project}/rollback");
    let (status, answer) =
        whole.api.call("POST", &path, Some(json!({"environment": "mine"}))).await;
    assert_eq!(
        (status, &answer["error"]["details"]["invalid_fields"][0]["code"]),
        (400, &json!("unknown_value"))
    );
}
