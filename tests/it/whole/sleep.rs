//! What nobody asks for is paused, then stopped; whoever asks wakes it.

use std::time::{Duration, Instant};

use orbitra::app::promote::RollbackTo;
use orbitra::app::terms::Terms;
use orbitra::model::deployment::{RunState, Status};
use orbitra::model::problems::Problems;
use serde_json::json;

use super::{Whole, change};
use crate::support::api_client::{host_of, text, try_visit};
use crate::support::git_server::Repository;
use crate::support::until::until;

const SOON: &[(&str, &str)] = &[("ORBITRA_SLEEP_AFTER", "1")];

/// A project with a live deployment and a staged one; answers their ids, the staged one's first.
async fn staged(whole: &Whole) -> (String, String) {
    let repository = whole.repository(&json!({"body": "live"}));
    let project = whole.project("shop").await;
    let live = text(&whole.api.deploy_live(&project, &repository).await, "id");
    change(&repository, &json!({"body": "staged", "think": 2500}));
    let staged = whole.api.deploy(&project, &repository, json!({"promote": false})).await;
    assert_eq!(whole.api.finished(&staged).await["status"], "staged");
    (staged, live)
}

/// A project whose second deployment is live and whose first is paused; answers it, its repository and the first.
async fn replaced(whole: &Whole) -> (String, Repository, String) {
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let one = text(&whole.api.deploy_live(&project, &repository).await, "id");
    change(&repository, &json!({"body": "two"}));
    whole.api.deploy_live(&project, &repository).await;
    paused(whole, &one).await;
    (project, repository, one)
}

async fn paused(whole: &Whole, id: &str) {
    until("it is paused", async || whole.engine.pauses(id).0.then_some(())).await;
    assert_eq!(whole.stored(id).await.run_state, RunState::Paused);
}

async fn stopped(whole: &Whole, id: &str) {
    until("it is stopped", async || (!whole.engine.has_process(id)).then_some(())).await;
    assert_eq!(whole.stored(id).await.run_state, RunState::Stopped);
}

#[tokio::test]
async fn an_idle_deployment_is_paused_then_stopped_and_wakes_from_both() {
    let settings = [("ORBITRA_SLEEP_AFTER", "1"), ("ORBITRA_STOP_AFTER", "3")];
    let whole = Whole::start_with(&settings).await;
    let (id, live) = staged(&whole).await;
    paused(&whole, &id).await;
    let page = whole.own_url(&id).await;
    assert_eq!((page.status.as_u16(), page.body.as_str()), (200, "staged"));
    assert_eq!((whole.engine.starts(&id), whole.engine.pauses(&id)), (Some(1), (false, 1)));
    stopped(&whole, &id).await;
    assert_eq!(whole.engine.pauses(&id).1, 2, "it was paused before it was stopped");
    assert_eq!(whole.own_url(&id).await.body, "staged");
    assert_eq!(whole.engine.starts(&id), Some(2));
    // Nobody has asked for the live one either.
    assert_eq!((whole.engine.starts(&live), whole.engine.pauses(&live)), (Some(1), (false, 0)));
}

#[tokio::test]
async fn a_request_that_is_under_way_keeps_it_awake() {
    let whole = Whole::start_with(SOON).await;
    let (id, _) = staged(&whole).await;
    let host = host_of(&text(&whole.api.get(&format!("/deployments/{id}")).await, "url"));
    let begin = Instant::now();
    let page = try_visit(whole.api.port, &host, "/slow").await.unwrap();
    assert_eq!(page.body, "staged");
    assert!(begin.elapsed() > Duration::from_secs(2), "longer than it takes to be paused");
    assert_eq!(whole.engine.pauses(&id).1, 0);
    paused(&whole, &id).await;
}

#[tokio::test]
async fn many_requests_for_a_paused_one_let_it_go_on_once() {
    let whole = Whole::start().await;
    let (_, _, one) = replaced(&whole).await;
    let visits = futures_util::future::join_all((0..20).map(|_| whole.own_url(&one))).await;
    for page in visits {
        assert_eq!((page.status.as_u16(), page.body.as_str()), (200, "one"));
    }
    assert_eq!((whole.engine.starts(&one), whole.engine.pauses(&one)), (Some(1), (false, 1)));
    assert_eq!(whole.site("shop").await, "two");
}

#[tokio::test]
async fn the_live_one_sleeps_when_its_project_wants_it() {
    let whole = Whole::start_with(SOON).await;
    let repository = whole.repository(&json!({"body": "shop"}));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    whole.set_runtime(&project, "$.sleep", &json!({"live": true, "crawlers": false}));
    paused(&whole, &id).await;
    assert_eq!(whole.site("shop").await, "shop");
    assert_eq!(whole.engine.starts(&id), Some(1));
    paused(&whole, &id).await;
    // When it does not want it any more, nobody has to come for it.
    whole.set_runtime(&project, "$.sleep", &json!({"live": false, "crawlers": false}));
    until("it runs", async || (!whole.engine.pauses(&id).0).then_some(())).await;
}

#[tokio::test]
async fn a_pause_outlives_orbitra() {
    let mut whole = Whole::start().await;
    let (_, _, one) = replaced(&whole).await;
    whole.cut_off();
    whole.run().await;
    assert_eq!(whole.engine.pauses(&one), (true, 1));
    assert_eq!(whole.own_url(&one).await.body, "one");
    assert_eq!(whole.engine.starts(&one), Some(1));
}

#[tokio::test]
async fn what_the_engine_lost_is_started_again() {
    let mut whole = Whole::start().await;
    let (project, _, one) = replaced(&whole).await;
    whole.engine.crash(&one);
    assert_eq!(whole.own_url(&one).await.body, "one");
    assert_eq!(whole.engine.starts(&one), Some(2));
    // The same for one that is found so at the start.
    whole.app().pause_project(whole.actor(), &project, &Terms::none()).await.unwrap();
    stopped(&whole, &one).await;
    whole.app().resume_project(whole.actor(), &project, &Terms::none()).await.unwrap();
    assert_eq!(whole.own_url(&one).await.body, "one");
    whole.cut_off();
    whole.set_run_state(&one, "paused");
    whole.engine.crash(&one);
    whole.run().await;
    until("it counts as stopped", async || {
        (whole.stored(&one).await.run_state == RunState::Stopped).then_some(())
    })
    .await;
    assert_eq!(whole.own_url(&one).await.body, "one");
}

#[tokio::test]
async fn what_was_cut_off_half_way_into_a_pause_or_out_of_it_is_put_right() {
    let mut whole = Whole::start().await;
    let (project, _, one) = replaced(&whole).await;
    let live = text(&whole.api.get(&format!("/projects/{project}")).await, "live_deployment_id");
    whole.cut_off();
    whole.engine.set_paused(&one, false);
    whole.engine.set_paused(&live, true);
    whole.run().await;
    assert_eq!(whole.site("shop").await, "two");
    until("it is paused again", async || whole.engine.pauses(&one).0.then_some(())).await;
    assert!(!whole.engine.pauses(&live).0);
}

#[tokio::test]
async fn a_rollback_to_a_paused_one_starts_nothing() {
    let whole = Whole::start().await;
    let (project, _, one) = replaced(&whole).await;
    let begin = Instant::now();
    let to = RollbackTo::default();
    let (app, terms) = (whole.app(), Terms::none());
    app.rollback(whole.actor(), &project, to, Problems::default(), &terms).await.unwrap();
    assert_eq!(whole.released(&one).await.status(), Status::Live);
    until("visitors get it", async || (whole.site("shop").await == "one").then_some(())).await;
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(whole.engine.starts(&one), Some(1));
    until("the other one sleeps", async || (whole.engine.count().1 == 1).then_some(())).await;
}

#[tokio::test]
async fn a_paused_one_can_be_promoted_and_deleted_and_stopped_with_its_project() {
    let whole = Whole::start_with(SOON).await;
    let (staged, live) = staged(&whole).await;
    let project = whole.stored(&staged).await.project_id.to_string();
    paused(&whole, &staged).await;
    let app = whole.app();
    app.promote_deployment(whole.actor(), &staged, &Terms::none()).await.unwrap();
    assert_eq!(whole.released(&staged).await.status(), Status::Live);
    until("visitors get it", async || (whole.site("shop").await == "staged").then_some(())).await;
    assert_eq!(whole.engine.starts(&staged), Some(1));
    paused(&whole, &live).await;
    app.pause_project(whole.actor(), &project, &Terms::none()).await.unwrap();
    for id in [&staged, &live] {
        stopped(&whole, id).await;
    }
    app.resume_project(whole.actor(), &project, &Terms::none()).await.unwrap();
    until("it serves", async || (whole.site("shop").await == "staged").then_some(())).await;
    assert_eq!(whole.own_url(&live).await.body, "live");
    paused(&whole, &live).await;
    app.delete_deployment(whole.actor(), &live, &Terms::none()).await.unwrap();
    until("one is left", async || (whole.engine.count() == (1, 1, 1, 1)).then_some(())).await;
    // And with everything else when the project goes.
    whole.set_runtime(&project, "$.sleep", &json!({"live": true, "crawlers": false}));
    paused(&whole, &staged).await;
    whole.api.call("DELETE", &format!("/projects/{project}"), None).await;
    until("nothing is left", async || (whole.engine.count() == (0, 0, 0, 0)).then_some(())).await;
}

#[tokio::test]
async fn a_live_one_that_is_paused_can_be_restarted() {
    let whole = Whole::start_with(SOON).await;
    let repository = whole.repository(&json!({"body": "shop"}));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    whole.set_runtime(&project, "$.sleep", &json!({"live": true, "crawlers": false}));
    paused(&whole, &id).await;
    let before = whole.container(&id).await;
    whole.app().restart_project(whole.actor(), &project, &Terms::none()).await.unwrap();
    let after = whole.released(&id).await;
    assert_ne!(after.containers().next().map(str::to_owned), before);
    assert_eq!(whole.site("shop").await, "shop");
    until("one is left", async || (whole.engine.count().0 == 1).then_some(())).await;
}

#[tokio::test]
async fn what_must_not_run_twice_is_stopped_and_not_paused() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let one = text(&whole.api.deploy_live(&project, &repository).await, "id");
    whole.set_runtime(&project, "$.release.strategy", &json!("single"));
    change(&repository, &json!({"body": "two"}));
    whole.api.deploy_live(&project, &repository).await;
    stopped(&whole, &one).await;
    assert_eq!(whole.engine.pauses(&one).1, 0);
}

#[tokio::test]
async fn an_engine_that_is_away_wakes_nothing_and_loses_nothing() {
    let whole = Whole::start().await;
    let (_, _, one) = replaced(&whole).await;
    whole.engine.set_down(true);
    let begin = Instant::now();
    assert_eq!(whole.own_url(&one).await.status, 503);
    assert!(begin.elapsed() < Duration::from_secs(10), "nobody waits for what will not come");
    assert_eq!(whole.site("shop").await, "two");
    whole.engine.set_down(false);
    assert_eq!(whole.own_url(&one).await.body, "one");
    assert_eq!(whole.engine.starts(&one), Some(1));
}

#[tokio::test]
async fn what_is_paused_makes_room_for_a_build() {
    let mut whole = Whole::start().await;
    let (project, repository, one) = replaced(&whole).await;
    whole.cut_off();
    whole.more = vec![("ORBITRA_BUILD_MEMORY_FREE", "100000000")];
    whole.run().await;
    assert_eq!(whole.engine.pauses(&one), (true, 1));
    let waits = whole.deploy(&project, &repository).await;
    stopped(&whole, &one).await;
    assert_eq!(whole.site("shop").await, "two");
    whole.api.done("POST", &format!("/deployments/{waits}/cancel"), Some(json!({}))).await;
}
