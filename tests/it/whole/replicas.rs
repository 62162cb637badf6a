//! One deployment in several containers.

use std::time::Duration;

use orbitra::app::promote::RollbackTo;
use orbitra::app::terms::Terms;
use orbitra::model::deployment::{RunState, Status};
use orbitra::model::problems::Problems;
use serde_json::{Value, json};

use super::{NO_PAUSE, Whole, change};
use crate::support::api_client::text;
use crate::support::git_server::Repository;
use crate::support::load::Load;
use crate::support::until::{until, within};

const RATE: u32 = 400;

/// A project that runs in so many containers.
async fn project(whole: &Whole, instances: u32) -> String {
    let health = json!({"grace_seconds": 2, "timeout_seconds": 1});
    let runtime = json!({"instances": instances, "healthcheck": health});
    whole.api.project("shop", json!({ "runtime": runtime })).await
}

/// One whose first deployment is live; answers both and its repository.
async fn live(whole: &Whole, instances: u32, app: Value) -> (String, Repository, String) {
    let (project, repository) = (project(whole, instances).await, whole.repository(&app));
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    (project, repository, id)
}

/// Waits until so many of a deployment's containers run.
async fn run(whole: &Whole, id: &str, count: usize) {
    within(Duration::from_secs(20), "so many run", async || {
        (whole.engine.running_of(id) == count).then_some(())
    })
    .await;
}

/// Waits until all of a deployment's containers get requests.
async fn serve(whole: &Whole, id: &str, count: usize) {
    within(Duration::from_secs(20), "so many serve", async || {
        let stored = whole.stored(id).await;
        let serving = stored.replicas.iter().filter(|one| one.serves).count();
        (stored.run_state == RunState::Running && serving == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn three_share_the_requests_and_a_redeploy_loses_none() {
    let whole = Whole::start().await;
    let (project, repository, one) = live(&whole, 3, json!({"body": "one {replica}"})).await;
    let named = |id: &str| ["", ".2", ".3"].map(|more| (format!("orbitra-{id}{more}"), true));
    assert_eq!(whole.engine.containers_of(&one), named(&one));
    let load = Load::start(whole.api.port, "shop.localhost", RATE);
    until("all answer", async || {
        let bodies = load.seen().bodies;
        let enough = |number| bodies.get(&format!("one {number}")).is_some_and(|count| *count > 20);
        (1..=3).all(enough).then_some(())
    })
    .await;
    change(&repository, &json!({"body": "two {replica}", "delay": 200}));
    let two = text(&whole.api.deploy_live(&project, &repository).await, "id");
    until("the old ones are paused", async || (whole.engine.running_of(&one) == 0).then_some(()))
        .await;
    until("all answer", async || (load.seen().bodies.len() == 6).then_some(())).await;
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert_eq!(whole.engine.containers_of(&two), named(&two));
    let receipt = whole.api.get(&format!("/deployments/{two}/receipt")).await;
    assert_eq!(receipt["limits"]["instances"], 3);
    whole.api.call("DELETE", &format!("/projects/{project}"), None).await;
    until("nothing is left", async || (whole.engine.count() == (0, 0, 0, 0)).then_some(())).await;
}

#[tokio::test]
async fn one_that_does_not_start_fails_the_deployment_and_nothing_is_left() {
    let whole = Whole::start().await;
    let (project, repository, _) = live(&whole, 3, json!({"body": "good"})).await;
    let before = whole.engine.count();
    change(&repository, &json!({"body": "bad", "broken_replica": 2}));
    let id = whole.deploy(&project, &repository).await;
    let error = whole.api.failure(&id).await;
    assert_eq!((&error["code"], &error["exit_code"]), (&json!("start_failed"), &json!(70)));
    assert_eq!(
        error["message"],
        "Replica 2 of 3: The application stopped with exit code 70. Last output:\nnumber 2 has no seat"
    );
    assert!(whole.api.log(&id).await.contains("number 2 has no seat"));
    assert_eq!(whole.engine.count(), before);
    assert_eq!(whole.site("shop").await, "good");
}

#[tokio::test]
async fn one_that_ends_is_taken_out_and_started_again_while_the_others_serve() {
    let whole = Whole::start().await;
    let (project, _, id) = live(&whole, 3, json!({"body": "here {replica}"})).await;
    let load = Load::start(whole.api.port, "shop.localhost", RATE);
    for round in 1..=2 {
        whole.engine.crash_container(&format!("orbitra-{id}.2"));
        within(Duration::from_secs(20), "it is back", async || {
            let starts = whole.engine.starts_of(&format!("orbitra-{id}.2"));
            assert_eq!(whole.stored(&id).await.status(), Status::Live);
            (starts == Some(1 + round)).then_some(())
        })
        .await;
        serve(&whole, &id, 3).await;
    }
    let before = load.seen().bodies.get("here 2").copied();
    until("it is asked", async || {
        (load.seen().bodies.get("here 2").copied() > before).then_some(())
    })
    .await;
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    let shown = whole.api.get(&format!("/projects/{project}")).await;
    assert_eq!(shown["status"], "active");
    assert!(!whole.events().iter().any(|(name, _)| name == "deployment.crashed"));
    assert_eq!(whole.engine.starts_of(&format!("orbitra-{id}")), Some(1));
}

#[tokio::test]
async fn one_that_cannot_come_back_leaves_the_others_alone() {
    let whole = Whole::start().await;
    let (_, _, id) = live(&whole, 2, json!({"body": "here {replica}"})).await;
    let name = format!("orbitra-{id}.2");
    whole.engine.set_exit_of(&name, Some(1));
    whole.engine.crash_container(&name);
    within(Duration::from_secs(20), "it was tried", async || {
        (whole.engine.starts_of(&name) == Some(2)).then_some(())
    })
    .await;
    for _ in 0..20 {
        assert_eq!(whole.site("shop").await, "here 1");
    }
    assert_eq!(whole.stored(&id).await.status(), Status::Live);
    // At the next look it is tried again.
    whole.engine.set_exit_of(&name, None);
    within(Duration::from_secs(40), "it is back", async || {
        (whole.stored(&id).await.replicas.iter().all(|one| one.serves)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn when_all_end_all_are_started_again() {
    let whole = Whole::start().await;
    let (_, _, id) = live(&whole, 3, json!({"body": "here"})).await;
    for (name, _) in whole.engine.containers_of(&id) {
        whole.engine.crash_container(&name);
    }
    until("it answers again", async || (whole.site("shop").await == "here").then_some(())).await;
    serve(&whole, &id, 3).await;
    assert_eq!(whole.engine.running_of(&id), 3);
    assert_eq!(whole.stored(&id).await.status(), Status::Live);
}

#[tokio::test]
async fn all_are_paused_and_stopped_and_the_first_that_wakes_answers() {
    let settings = [("ORBITRA_SLEEP_AFTER", "1"), ("ORBITRA_STOP_AFTER", "4")];
    let whole = Whole::start_with(&settings).await;
    let (project, _, id) = live(&whole, 3, json!({"body": "here"})).await;
    whole.set_runtime(&project, "$.sleep", &json!({"live": true, "crawlers": false}));
    until("all are paused", async || {
        let paused = whole.stored(&id).await.run_state == RunState::Paused;
        (paused && whole.engine.running_of(&id) == 0).then_some(())
    })
    .await;
    assert_eq!(whole.site("shop").await, "here");
    serve(&whole, &id, 3).await;
    let starts = |more: &str| whole.engine.starts_of(&format!("orbitra-{id}{more}"));
    assert_eq!((starts(""), starts(".2"), starts(".3")), (Some(1), Some(1), Some(1)));
    within(Duration::from_secs(20), "all are stopped", async || {
        let stopped = whole.stored(&id).await.run_state == RunState::Stopped;
        (stopped && whole.engine.running_of(&id) == 0).then_some(())
    })
    .await;
    // Two of them do not come: the other one answers.
    for more in ["", ".3"] {
        whole.engine.set_exit_of(&format!("orbitra-{id}{more}"), Some(1));
    }
    assert_eq!(whole.site("shop").await, "here");
    assert_eq!(starts(".2"), Some(2));
}

#[tokio::test]
async fn a_restart_and_a_rollback_are_about_all_of_them() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let (project, repository, one) = live(&whole, 2, json!({"body": "one"})).await;
    let load = Load::start(whole.api.port, "shop.localhost", RATE);
    whole.set_runtime(&project, "$.instances", &json!(3));
    whole.app().restart_project(whole.actor(), &project, &Terms::none()).await.unwrap();
    assert_eq!(whole.released(&one).await.replicas.len(), 3);
    until("three are left", async || (whole.engine.count().0 == 3).then_some(())).await;
    run(&whole, &one, 3).await;
    change(&repository, &json!({"body": "two"}));
    whole.set_runtime(&project, "$.instances", &json!(1));
    let two = text(&whole.api.deploy_live(&project, &repository).await, "id");
    run(&whole, &one, 0).await;
    assert_eq!((whole.engine.count().0, whole.engine.running_of(&two)), (4, 1));
    let (app, to) = (whole.app(), RollbackTo::default());
    app.rollback(whole.actor(), &project, to, Problems::default(), &Terms::none()).await.unwrap();
    assert_eq!(whole.released(&one).await.status(), Status::Live);
    serve(&whole, &one, 3).await;
    run(&whole, &two, 0).await;
    let seen = load.stop().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    whole.app().pause_project(whole.actor(), &project, &Terms::none()).await.unwrap();
    run(&whole, &one, 0).await;
    whole.app().resume_project(whole.actor(), &project, &Terms::none()).await.unwrap();
    serve(&whole, &one, 3).await;
    whole.app().delete_deployment(whole.actor(), &two, &Terms::none()).await.unwrap();
    until("three are left", async || (whole.engine.count().0 == 3).then_some(())).await;
}

#[tokio::test]
async fn all_go_on_when_orbitra_ends_and_one_that_ended_meanwhile_is_brought_back() {
    let mut whole = Whole::start().await;
    let (_, _, id) = live(&whole, 3, json!({"body": "here"})).await;
    whole.cut_off();
    whole.engine.crash_container(&format!("orbitra-{id}.3"));
    whole.run().await;
    assert_eq!(whole.site("shop").await, "here");
    within(Duration::from_secs(40), "it is back", async || {
        (whole.engine.starts_of(&format!("orbitra-{id}.3")) == Some(2)).then_some(())
    })
    .await;
    serve(&whole, &id, 3).await;
    assert_eq!(whole.engine.starts_of(&format!("orbitra-{id}")), Some(1));
    assert_eq!(whole.engine.count().0, 3);
}

#[tokio::test]
async fn what_may_not_run_twice_is_alone() {
    let whole = Whole::start().await;
    let runtime = json!({"instances": 2, "release": {"strategy": "single"}});
    let body = json!({"name": "both", "region": "us-west-2", "runtime": runtime});
    let (status, answer) = whole.api.call("POST", "/projects", Some(body)).await;
    assert_eq!(status, 400, "{answer}");
    let invalid = &answer["error"]["details"]["invalid_fields"][0];
    assert_eq!(invalid["field"], "runtime.instances", "{answer}");
    let (project, repository, _) = live(&whole, 3, json!({"body": "one"})).await;
    let path = format!("/projects/{project}");
    let single = json!({"runtime": {"release": {"strategy": "single"}}});
    assert_eq!(whole.api.call("PATCH", &path, Some(single)).await.0, 400);
    let both = json!({"runtime": {"instances": 1, "release": {"strategy": "single"}}});
    whole.api.done("PATCH", &path, Some(both)).await;
    // The three stop before the one starts, although the file in the repository says nothing of it.
    change(&repository, &json!({"body": "two"}));
    let two = text(&whole.api.deploy_live(&project, &repository).await, "id");
    assert_eq!(whole.engine.containers_of(&two).len(), 1);
    assert_eq!(whole.engine.most_running(), 3);
    assert_eq!(whole.site("shop").await, "two");
}
