//! What is kept has bounds, on real Docker.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api_client::{Api, text};
use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, docker};
use crate::support::until::{until, within};

/// The API as an instance admin uses it.
fn admin(orbitra: &Orbitra) -> Api {
    let run = |arguments: &[&str]| {
        let output = orbitra.command().arg("admin").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let user = run(&[
        "create-user",
        "--email",
        "admin@example.com",
        "--name",
        "Admin",
        "--instance-admin",
    ]);
    let key = run(&["create-key", "--user", &user, "--name", "tests", "--scopes", "full"]);
    Api { port: orbitra.port, key }
}

#[tokio::test]
async fn twelve_redeploys_leave_three_images_and_the_cache_is_counted_and_freed() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let repository = git.repository_of("app", &apps::node(&apps::answering("first")));
    let api = &orbitra.api;
    let settings = json!({ "keep_images": 2, "runtime": { "memory_mb": 96 } });
    let project = api.project("bounded", settings).await;
    // Somebody else's image with the same steps is not ours.
    let foreign = format!("orbitra-test-foreign-{}:1", std::process::id());
    docker(&["tag", "node:22-slim", &foreign]);
    let mut made = Vec::new();
    for number in 0..13 {
        // A step that only this test has, so that its cache is told apart from what others build now.
        let step =
            format!("FROM node:22-slim\nRUN head -c 200000 /dev/urandom > /{project} # {number}\n");
        let rest = apps::DOCKERFILE.split_once('\n').unwrap().1;
        repository.commit("Dockerfile", &format!("{step}{rest}"));
        repository.commit("server.js", &apps::answering(&number.to_string()));
        made.push(text(&api.deploy_live(&project, &repository).await, "id"));
    }
    until("three images are left", async || (orbitra.owned("image").len() == 3).then_some(()))
        .await;
    until("three containers are left", async || {
        (orbitra.owned("container").len() == 3).then_some(())
    })
    .await;
    let statuses: Vec<_> = api.statuses(&project).await.into_iter().map(|one| one.1).collect();
    assert_eq!(statuses[..3], ["live", "superseded", "superseded"]);
    assert!(statuses[3..].iter().all(|status| status == "removed"), "{statuses:?}");
    assert_eq!(orbitra.visit("bounded.localhost", "/").await.body, "12");

    let admin = admin(&orbitra);
    let ledger = until("the ledger is complete", async || {
        let ledger = admin.get("/system/gc?limit=100").await;
        let entries = ledger["data"].as_array().unwrap().clone();
        let done = |entry: &Value| entry["removed_at"].is_string();
        (entries.len() >= 10 && entries.iter().all(done)).then_some(entries)
    })
    .await;
    for entry in &ledger {
        assert_eq!(entry["rule"], "old_production");
        // Its own layers and not the base image.
        let bytes = entry["bytes"].as_u64().unwrap();
        assert!((200_000..5_000_000).contains(&bytes), "{entry}");
    }

    // Only previews and the cache may go now; the newest rollback target stays whoever asks. An engine with much to
    // add up takes longer than an answer waits.
    admin.done("POST", "/system/gc", Some(json!({}))).await;
    let freed = within(Duration::from_secs(120), "the cache went", async || {
        let ledger = admin.get("/system/gc?limit=100").await;
        let of_cache = |entry: &&Value| {
            entry["kind"] == "build_cache"
                && entry["project_id"] == *project
                && entry["removed_at"].is_string()
        };
        let gone: Vec<_> =
            ledger["data"].as_array().unwrap().iter().filter(of_cache).cloned().collect();
        (!gone.is_empty()).then_some(gone)
    })
    .await;
    let cache: u64 = freed.iter().map(|entry| entry["bytes"].as_u64().unwrap()).sum();
    assert!(cache >= 10 * 200_000, "{freed:?}");
    assert_eq!(orbitra.owned("image").len(), 3);
    assert!(!docker(&["image", "ls", "-q", &foreign]).is_empty());
    docker(&["rmi", &foreign]);
    api.done("POST", &format!("/projects/{project}/rollback"), Some(json!({}))).await;
    until("it went back", async || {
        (orbitra.visit("bounded.localhost", "/").await.body == "11").then_some(())
    })
    .await;
    let disk = admin.get("/system").await["disk"].clone();
    let images = disk["images_bytes"].as_u64().unwrap();
    assert!((3 * 200_000..20_000_000).contains(&images), "{disk}");
}
