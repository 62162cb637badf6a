//! The engine is away at the start, goes, hangs, or says nothing of what happens: what runs is served, and is looked
//! after again when it is back.

use std::time::{Duration, Instant};

use orbitra::docker::{ContainerEngine, ContainerId};
use serde_json::json;

use super::{Place, change};
use crate::support::load::Load;
use crate::support::until::{until, within};

#[tokio::test]
async fn an_engine_that_comes_later_is_used_as_soon_as_it_is_there() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, _) = place.live("shop", &repository).await;
    place.orbitra.kill9();
    place.socket.go();
    place.orbitra.restart().await;
    assert_eq!(place.site("shop").await, "one", "what runs is served without an engine");
    let id = place.deploy(&project, &repository).await;
    let error = place.orbitra.api.failure(&id).await;
    assert_eq!(error["code"], "engine_error", "{error}");
    assert!(error["message"].as_str().unwrap().contains("Docker does not answer"), "{error}");
    place.socket.come();
    place.orbitra.api.deploy_live(&project, &repository).await;
    place.sound_for_good().await;
}

#[tokio::test]
async fn a_socket_that_is_another_users_is_told_with_what_to_do() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, _) = place.live("shop", &repository).await;
    place.orbitra.kill9();
    place.socket.give_away();
    place.orbitra.restart_as_a_stranger().await;
    assert_eq!(place.site("shop").await, "one", "what runs is served");
    let id = place.deploy(&project, &repository).await;
    let error = place.orbitra.api.failure(&id).await;
    assert_eq!(error["code"], "engine_error", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("as root or as a member of the group `docker`"), "{message}");
    let engine = place.orbitra.admin_api().get("/system").await["engine"].clone();
    let trouble = engine["trouble"].as_str().unwrap();
    assert!(trouble.contains("as root or as a member of the group `docker`"), "{engine}");
    // Nothing else is needed when it may use it.
    place.orbitra.kill9();
    place.orbitra.restart().await;
    place.orbitra.api.deploy_live(&project, &repository).await;
    place.sound_for_good().await;
}

#[tokio::test]
async fn without_an_engine_a_stop_is_over_at_once() {
    let mut place = Place::start().await;
    place.socket.go();
    for _ in 0..6 {
        until("it knows that the engine is away", async || {
            place.orbitra.log().contains("the engine is away").then_some(())
        })
        .await;
        let begin = Instant::now();
        place.orbitra.ask_to_stop();
        assert!(place.orbitra.ended().await.success());
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        place.orbitra.restart().await;
    }
}

#[tokio::test]
async fn an_engine_that_hangs_holds_up_no_visitor_and_no_page() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (project, _) = place.live("shop", &repository).await;
    place.sound().await;
    let load = Load::start(place.orbitra.port, "shop.localhost", 200);
    place.socket.set_hanging(true);
    let id = place.deploy(&project, &repository).await;
    // Lists that are answered while the engine owes the deployment an answer: none of them waits for it as well.
    let mut lists = 0;
    let error = within(Duration::from_secs(70), "every call to the engine has ended", async || {
        place.orbitra.api.get("/projects").await;
        let shown = place.orbitra.api.get(&format!("/deployments/{id}")).await;
        lists += 1;
        (shown["status"] == "failed").then(|| shown["error"].clone())
    })
    .await;
    assert!(error["message"].as_str().unwrap().contains("did not answer in time"), "{error}");
    assert!(lists > 20, "{lists} lists while one call to the engine took its time");
    place.socket.set_hanging(false);
    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    change(&repository, &json!({"body": "two"}));
    place.orbitra.api.deploy_live(&project, &repository).await;
    place.sound_for_good().await;
}

#[tokio::test]
async fn what_is_removed_behind_its_back_is_made_again_without_a_visitor() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (_, id) = place.live("shop", &repository).await;
    place.sound().await;
    // Heard from the engine.
    let container = ContainerId(format!("orbitra-{id}"));
    place.engine.remove(&container).await.unwrap();
    within(Duration::from_secs(5), "it is there again", async || {
        (place.engine.starts(&id) == Some(1)).then_some(())
    })
    .await;
    until("it answers", async || (place.site("shop").await == "one").then_some(())).await;
    // Not heard: found by the look that comes anyhow.
    place.engine.set_silent(true);
    place.engine.remove(&container).await.unwrap();
    within(Duration::from_secs(20), "it is found missing", async || {
        (place.engine.starts(&id) == Some(1)).then_some(())
    })
    .await;
    until("it answers", async || (place.site("shop").await == "one").then_some(())).await;
    place.sound_for_good().await;
}

#[tokio::test]
async fn the_engine_goes_and_comes_back_with_its_containers_elsewhere() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (_, id) = place.live("shop", &repository).await;
    place.sound().await;
    place.socket.go();
    assert_eq!(place.site("shop").await, "one");
    place.engine.move_container(&id);
    place.socket.come();
    within(Duration::from_secs(5), "the new address is used", async || {
        (place.site("shop").await == "one").then_some(())
    })
    .await;
    assert_eq!(place.engine.starts(&id), Some(2));
    place.sound_for_good().await;
}

#[tokio::test]
async fn one_that_is_taken_out_of_its_network_is_replaced() {
    let mut place = Place::start().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (_, id) = place.live("shop", &repository).await;
    place.sound().await;
    let container = ContainerId(format!("orbitra-{id}"));
    let reached = async |limit: Duration| {
        within(limit, "one that is reached is there", async || {
            let state = place.engine.inspect(&container).await.unwrap();
            state.is_some_and(|state| state.running && state.in_network).then_some(())
        })
        .await;
    };
    // Heard, and then found by the look that comes anyhow.
    for (silent, limit) in [(false, 5), (true, 20)] {
        place.engine.set_silent(silent);
        place.engine.unplug(&id);
        reached(Duration::from_secs(limit)).await;
        until("it answers", async || (place.site("shop").await == "one").then_some(())).await;
    }
    place.sound_for_good().await;
}
