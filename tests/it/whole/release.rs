//! Traffic goes to another deployment and back; deployments are repeated and deleted.

use orbitra::app::AppError;
use orbitra::app::promote::RollbackTo;
use orbitra::app::redeploy::Again;
use orbitra::app::terms::Terms;
use orbitra::docker::ContainerEngine;
use orbitra::model::deployment::{Deployment, Phase, Status, Trigger};
use orbitra::model::failure::FailureCode;
use orbitra::model::problems::Problems;
use serde_json::{Value, json};

use super::{NO_PAUSE, Whole, change};
use crate::support::api_client::{host_of, text};
use crate::support::git_server::Repository;
use crate::support::load::Load;
use crate::support::until::until;

/// The reason of a conflict.
fn reason<T: std::fmt::Debug>(answer: Result<T, AppError>) -> &'static str {
    match answer {
        Err(AppError::Conflict { reason, .. }) => reason,
        other => panic!("no conflict: {other:?}"),
    }
}

async fn rollback(whole: &Whole, project: &str, to: Option<&str>) -> Result<Deployment, AppError> {
    let to = RollbackTo { deployment: to.map(str::to_owned), ..RollbackTo::default() };
    let (app, terms) = (whole.app(), Terms::none());
    app.rollback(whole.actor(), project, to, Problems::default(), &terms).await
}

async fn promote(whole: &Whole, id: &str) -> Result<Deployment, AppError> {
    whole.app().promote_deployment(whole.actor(), id, &Terms::none()).await
}

async fn delete(whole: &Whole, id: &str) -> Result<(), AppError> {
    whole.app().delete_deployment(whole.actor(), id, &Terms::none()).await
}

/// A project whose first deployment answers `one` and whose second, which is live, `two`.
async fn two(whole: &Whole, first: Value) -> (String, Repository, String, String) {
    let repository = whole.repository(&first);
    let project = whole.project("shop").await;
    let one = text(&whole.api.deploy_live(&project, &repository).await, "id");
    change(&repository, &json!({"body": "two"}));
    let two = text(&whole.api.deploy_live(&project, &repository).await, "id");
    until("the old one sleeps", async || (whole.engine.count().1 == 1).then_some(())).await;
    (project, repository, one, two)
}

#[tokio::test]
async fn a_rollback_starts_the_last_one_and_loses_no_request() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let (project, _, one, two) = two(&whole, json!({"body": "one"})).await;
    let load = Load::start(whole.api.port, "shop.localhost", 200);
    let wanted = rollback(&whole, &project, None).await.unwrap();
    assert_eq!((wanted.id.as_str(), wanted.status()), (one.as_str(), Status::Superseded));
    assert_eq!(wanted.phase(), Phase::Starting);
    let live = whole.released(&one).await;
    assert_eq!((live.status(), live.phase()), (Status::Live, Phase::Done));
    assert_eq!(whole.site("shop").await, "one");
    until("the other one sleeps", async || (whole.engine.count().1 == 1).then_some(())).await;
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert_eq!(whole.stored(&two).await.status(), Status::Superseded);
    let (name, data) = whole.events().pop().unwrap();
    assert_eq!(name, "deployment.rolled_back");
    let keys: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["deployment_id", "previous_deployment_id", "project_id", "status", "url"];
    assert_eq!(keys, expected);
    assert_eq!((&data["status"], &data["previous_deployment_id"]), (&json!("live"), &json!(two)));
    // What lost the traffic last is what the next rollback goes back to.
    rollback(&whole, &project, None).await.unwrap();
    assert_eq!(whole.released(&two).await.status(), Status::Live);
}

#[tokio::test]
async fn a_rollback_to_what_does_not_start_leaves_everything_as_it_was() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let (project, _, one, two) = two(&whole, json!({"body": "one"})).await;
    whole.engine.set_exit(&one, Some(3));
    let load = Load::start(whole.api.port, "shop.localhost", 200);
    rollback(&whole, &project, Some(&one)).await.unwrap();
    let failed = whole.released(&one).await;
    assert_eq!((failed.status(), failed.phase()), (Status::Superseded, Phase::Done));
    assert_eq!(failed.failure.unwrap().code, FailureCode::StartFailed);
    assert_eq!(whole.stored(&two).await.status(), Status::Live);
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert!(seen.bodies.keys().all(|body| body == "two"));
    // It can be tried again, and then the error goes.
    whole.engine.set_exit(&one, None);
    rollback(&whole, &project, Some(&one)).await.unwrap();
    let live = whole.released(&one).await;
    assert!(live.failure.is_none() && live.status() == Status::Live);
}

#[tokio::test]
async fn a_rollback_whose_image_is_gone_says_so_and_then_is_refused() {
    let whole = Whole::start().await;
    let (project, _, one, _) = two(&whole, json!({"body": "one"})).await;
    let container = whole.container(&one).await.unwrap();
    whole.engine.remove(&orbitra::docker::ContainerId(container)).await.unwrap();
    whole.engine.remove_image(&whole.stored(&one).await.image.unwrap()).await.unwrap();
    rollback(&whole, &project, Some(&one)).await.unwrap();
    let gone = whole.released(&one).await;
    assert_eq!(gone.status(), Status::Removed);
    assert_eq!(gone.failure.unwrap().code, FailureCode::ImageNotFound);
    assert_eq!(whole.site("shop").await, "two");
    assert_eq!(reason(rollback(&whole, &project, Some(&one)).await), "image_removed");
    assert_eq!(reason(promote(&whole, &one).await), "image_removed");
    assert_eq!(reason(rollback(&whole, &project, None).await), "no_rollback_target");
}

#[tokio::test]
async fn what_cannot_be_released_is_refused() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"build_exit": 1}));
    let project = whole.project("shop").await;
    let failed = whole.deploy(&project, &repository).await;
    whole.api.failure(&failed).await;
    assert_eq!(reason(rollback(&whole, &project, None).await), "no_rollback_target");
    assert_eq!(reason(promote(&whole, &failed).await), "deployment_not_promotable");
    let named = rollback(&whole, &project, Some(&failed)).await;
    assert_eq!(reason(named), "deployment_not_promotable");
    change(&repository, &json!({"body": "live"}));
    let live = text(&whole.api.deploy_live(&project, &repository).await, "id");
    let named = rollback(&whole, &project, Some(&live)).await;
    assert_eq!(reason(named), "deployment_not_promotable");
    // To promote what is live changes nothing.
    assert!(promote(&whole, &live).await.unwrap().release.is_none());
    let unknown = rollback(&whole, &project, Some("dep_000000")).await;
    assert!(matches!(unknown, Err(AppError::NotFound { .. })), "{unknown:?}");
}

#[tokio::test]
async fn a_staged_deployment_is_promoted() {
    let whole = Whole::start().await;
    let (project, repository, _, two) = two(&whole, json!({"body": "one"})).await;
    change(&repository, &json!({"body": "three"}));
    let id = whole.api.deploy(&project, &repository, json!({"promote": false})).await;
    whole.api.finished(&id).await;
    assert!(whole.stored(&id).await.can().promote && !whole.stored(&id).await.can().rollback);
    promote(&whole, &id).await.unwrap();
    assert_eq!(whole.released(&id).await.status(), Status::Live);
    assert_eq!(whole.site("shop").await, "three");
    assert_eq!(whole.engine.starts(&id), Some(1), "it ran already");
    let (name, data) = whole.events().pop().unwrap();
    assert_eq!(
        (name.as_str(), &data["previous_deployment_id"]),
        ("deployment.promoted", &json!(two))
    );
}

#[tokio::test]
async fn a_release_that_was_cut_off_is_finished_at_the_start() {
    let mut whole = Whole::start_with(NO_PAUSE).await;
    let (project, _, one, _) = two(&whole, json!({"body": "one", "delay": 700})).await;
    rollback(&whole, &project, None).await.unwrap();
    until("it is being started", async || (whole.engine.starts(&one) == Some(2)).then_some(()))
        .await;
    whole.cut_off();
    whole.run().await;
    assert_eq!(whole.released(&one).await.status(), Status::Live);
    assert_eq!(whole.site("shop").await, "one");
    let events = whole.events();
    let rolled = events.iter().filter(|(name, _)| name == "deployment.rolled_back").count();
    assert_eq!(rolled, 1);
}

#[tokio::test]
async fn a_newer_wish_replaces_an_older_one() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let (project, repository, one, two) = two(&whole, json!({"body": "one", "delay": 700})).await;
    change(&repository, &json!({"body": "three"}));
    whole.api.deploy_live(&project, &repository).await;
    rollback(&whole, &project, Some(&one)).await.unwrap();
    rollback(&whole, &project, Some(&two)).await.unwrap();
    assert_eq!(whole.released(&two).await.status(), Status::Live);
    assert_eq!(whole.site("shop").await, "two");
    assert_eq!(whole.released(&one).await.status(), Status::Superseded);
    until("only one runs", async || (whole.engine.count().1 == 1).then_some(())).await;
}

#[tokio::test]
async fn a_static_site_goes_back_too() {
    let whole = Whole::start().await;
    let repository = whole.git.repository_of("site", &[("index.html", "one")]);
    let project = whole.project("shop").await;
    let one = text(&whole.api.deploy_live(&project, &repository).await, "id");
    repository.commit("index.html", "two");
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.site("shop").await, "two");
    rollback(&whole, &project, None).await.unwrap();
    assert_eq!(whole.released(&one).await.status(), Status::Live);
    assert_eq!(whole.site("shop").await, "one");
    assert_eq!(whole.engine.count().0, 0);
}

#[tokio::test]
async fn a_redeploy_has_the_same_commit_and_not_the_environment_of_the_request() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let fields = json!({"environment": {"ONLY_THERE": "secret"}});
    let one = whole.api.deploy(&project, &repository, fields).await;
    whole.api.live(&one).await;
    change(&repository, &json!({"body": "two"}));
    whole.api.deploy_live(&project, &repository).await;
    let again =
        Again { clear_cache: true, environment: [("MINE".to_owned(), "1".to_owned())].into() };
    let (app, terms) = (whole.app(), Terms::none());
    let made = app.redeploy(whole.actor(), &one, again, Problems::default(), &terms).await.unwrap();
    whole.api.live(made.id.as_str()).await;
    assert_eq!(whole.site("shop").await, "one");
    let (first, made) = (whole.stored(&one).await, whole.stored(made.id.as_str()).await);
    assert_eq!(made.commit, first.commit);
    assert_eq!(made.source_deployment_id.as_ref(), Some(&first.id));
    assert_eq!((made.trigger, made.clear_cache), (Trigger::Redeploy, true));
    assert_eq!(made.environment_keys, ["MINE"]);
}

#[tokio::test]
async fn a_deleted_deployment_leaves_nothing_but_a_gone_address() {
    let whole = Whole::start().await;
    let (project, repository, one, two) = two(&whole, json!({"body": "one"})).await;
    assert_eq!(reason(delete(&whole, &two).await), "deployment_is_live");
    let host = host_of(&text(&whole.api.get(&format!("/deployments/{one}")).await, "url"));
    delete(&whole, &one).await.unwrap();
    assert_eq!(whole.api.call("GET", &format!("/deployments/{one}"), None).await.0, 404);
    until("nothing is left", async || (whole.engine.count() == (1, 1, 1, 1)).then_some(())).await;
    until("the address is gone", async || (whole.visit(&host).await.status == 410).then_some(()))
        .await;
    assert_eq!(whole.api.statuses(&project).await, [(two, "live".to_owned())]);
    assert!(matches!(delete(&whole, &one).await, Err(AppError::NotFound { .. })));
    assert_eq!(reason(rollback(&whole, &project, None).await), "no_rollback_target");
    let (name, data) = whole.events().pop().unwrap();
    assert_eq!(
        (name.as_str(), data),
        ("deployment.deleted", json!({"deployment_id": one, "project_id": project}))
    );
    change(&repository, &json!({"build_hangs": true}));
    let built = whole.deploy(&project, &repository).await;
    whole.phase(&built, "building").await;
    assert_eq!(reason(delete(&whole, &built).await), "deployment_not_cancelable");
    whole.api.done("POST", &format!("/deployments/{built}/cancel"), Some(json!({}))).await;
}

#[tokio::test]
async fn a_deletion_that_the_engine_refuses_is_finished_later() {
    let mut whole = Whole::start().await;
    let (_, _, one, _) = two(&whole, json!({"body": "one"})).await;
    whole.engine.set_down(true);
    delete(&whole, &one).await.unwrap();
    whole.cut_off();
    whole.engine.set_down(false);
    whole.run().await;
    until("nothing is left", async || (whole.engine.count() == (1, 1, 1, 1)).then_some(())).await;
}
