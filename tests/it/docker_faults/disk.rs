//! The engine's disk is full.

use std::time::Duration;

use orbitra::config::machine;
use serde_json::json;

use super::IMAGE;
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::orbitra::Orbitra;
use crate::support::own_dockerd::OwnDockerd;
use crate::support::until::within;

/// MiB of the engine's disk.
const SIZE: u32 = 1_500;

#[tokio::test]
async fn a_build_that_fills_it_fails_with_the_reason_and_gives_the_space_back() {
    let dockerd = OwnDockerd::start_with_room_for(SIZE, &[IMAGE]).await;
    let (git, floor) = (GitServer::start(), ("ORBITRA_DISK_FLOOR", "64"));
    let orbitra = Orbitra::start_on(&dockerd.host(), &[floor]).await;
    let api = &orbitra.api;
    let shop = git.repository_of("shop", &apps::node(&apps::answering("one")));
    let project = api.project("shop", json!({})).await;
    api.deploy_live(&project, &shop).await;
    let free = || machine::disk(&dockerd.data()).unwrap().available;
    let before = free();

    let greedy = format!("FROM {IMAGE}\nRUN head -c {SIZE}M /dev/zero > /filler\n");
    shop.commit("Dockerfile", &greedy);
    let id = api.deploy(&project, &shop, json!({})).await;
    let error = api.failure(&id).await;
    assert_eq!((&error["code"], &error["phase"]), (&json!("disk_full"), &json!("building")));
    assert_eq!(orbitra.visit("shop.localhost", "/").await.body, "one");
    within(Duration::from_secs(60), "the space is back", async || {
        (free() + 16 * 1024 * 1024 > before).then_some(())
    })
    .await;

    shop.commit("Dockerfile", apps::DOCKERFILE);
    shop.commit("server.js", &apps::answering("two"));
    api.deploy_live(&project, &shop).await;
    assert_eq!(orbitra.visit("shop.localhost", "/").await.body, "two");
}
