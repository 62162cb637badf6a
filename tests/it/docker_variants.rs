//! Engines that are not as the machine's own: one that is newer than anybody knows, and one that no root runs. The oldest
//! that is supported (API 1.41) is the one of Debian 12, which all other tests run on where they run there.

use orbitra::model::vulnerability;
use serde_json::json;

use crate::support::api_client::text;
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::orbitra::Orbitra;
use crate::support::relay::Relay;
use crate::support::rootless::RootlessDockerd;
use crate::support::until::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_newer_than_anybody_knows_is_used_as_it_is() {
    let (git, relay) = (GitServer::start(), Relay::start());
    let orbitra = Orbitra::start_with(&[("ORBITRA_DOCKER_HOST", &relay.host())]).await;
    let repository = git.repository_of("app", &apps::node(&apps::answering("one")));
    let project = orbitra.api.project("newer", json!({})).await;
    orbitra.api.deploy_live(&project, &repository).await;
    assert_eq!(orbitra.visit("newer.localhost", "/").await.body, "one");
    repository.commit("server.js", &apps::answering("two"));
    let second = orbitra.api.deploy_live(&project, &repository).await;
    assert_eq!(orbitra.visit("newer.localhost", "/").await.body, "two");
    // Removed behind its back: heard, and made again.
    let container = format!("orbitra-{}", text(&second, "id"));
    crate::support::orbitra::docker(&["rm", "-f", &container]);
    until("it answers again", async || {
        let answer = orbitra.visit("newer.localhost", "/").await;
        (answer.status == 200).then(|| assert_eq!(answer.body, "two"))
    })
    .await;
    let engine = orbitra.admin_api().get("/system").await["engine"].clone();
    assert_eq!((&engine["available"], &engine["trouble"]), (&json!(true), &json!(null)));
    // What this machine's engine is known for, by its own versions.
    let said = crate::support::orbitra::docker(&["version", "--format", "{{json .Server}}"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let mut components = said["Components"].as_array().unwrap().iter();
    let runtime = components.find(|one| one["Name"] == "runc").map(|one| text(one, "Version"));
    let known = vulnerability::of(&text(&said, "Version"), runtime.as_deref());
    let ids: Vec<_> = known.iter().map(|one| one.id).collect();
    let shown = engine["vulnerabilities"].as_array().unwrap().iter().map(|one| text(one, "id"));
    assert_eq!(shown.collect::<Vec<_>>(), ids, "{engine}");
    assert!(ids.iter().all(|id| orbitra.log().contains(id)), "{}", orbitra.log());
    orbitra.api.done("DELETE", &format!("/projects/{project}"), None).await;
    until("nothing is left", async || {
        let left = ["container", "network", "image"].map(|kind| orbitra.owned(kind).len());
        (left == [0, 0, 0]).then_some(())
    })
    .await;
    assert!(relay.claims() > 10, "{} claims", relay.claims());
    assert_eq!(relay.versions(), 0, "a request that names no version is of none that is too old");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_engine_that_no_root_runs_it_is_said_what_to_do() {
    let dockerd = RootlessDockerd::start(&["node:22-bookworm-slim"]).await;
    let git = GitServer::start();
    let orbitra = Orbitra::start_on(&dockerd.host(), &[]).await;
    until("it is said at the start", async || {
        orbitra.log().contains("Docker runs without root (rootless)").then_some(())
    })
    .await;
    let engine = orbitra.admin_api().get("/system").await["engine"].clone();
    assert_eq!(engine["available"], true, "{engine}");
    let advice = "Set ORBITRA_DOCKER_HOST to a Docker that root runs";
    assert!(text(&engine, "trouble").contains(advice), "{engine}");
    let repository = git.repository_of("app", &apps::node(&apps::answering("never seen")));
    let project = orbitra.api.project("shop", json!({})).await;
    let id = orbitra.api.deploy(&project, &repository, json!({})).await;
    let error = orbitra.api.failure(&id).await;
    assert_eq!(error["code"], "engine_error", "{error}");
    let message = text(&error, "message");
    assert!(message.contains("rootless") && message.contains(advice), "{message}");
    // What needs no container is served all the same.
    let site = git.repository_of("site", &[("index.html", "a page")]);
    let page = orbitra.api.project("page", json!({})).await;
    orbitra.api.deploy_live(&page, &site).await;
    assert_eq!(orbitra.visit("page.localhost", "/").await.body, "a page");
}
