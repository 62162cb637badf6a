//! Frameworks whose builds make a server or a site, from a repository to a visitor's page, on real Docker.

use serde_json::json;

use crate::support::api_client::text;
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, need_image};

/// Deploys an example; answers what a visitor gets and the deployment's log.
async fn served(orbitra: &Orbitra, git: &GitServer, example: &str) -> (String, String) {
    let repository = git.repository(example, example);
    let project = orbitra.api.project(example, json!({})).await;
    let deployment = orbitra.api.deploy_live(&project, &repository).await;
    assert_eq!(deployment["framework"], framework(example), "{deployment}");
    let page = orbitra.visit(&format!("{example}.localhost"), "/").await;
    let log = orbitra.api.log(&text(&deployment, "id")).await;
    assert_eq!(page.status, 200, "{example}: {}\n{log}", page.body);
    (page.body, log)
}

fn framework(example: &str) -> &str {
    if example == "python-pdm" { "flask" } else { example }
}

#[tokio::test]
async fn nuxt_is_served_by_the_server_it_makes() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (page, _) = served(&orbitra, &git, "nuxt").await;
    assert!(page.contains("<h1>Hello from Nuxt</h1>"), "{page}");
}

#[tokio::test]
async fn react_router_is_served_by_its_own_server() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (page, _) = served(&orbitra, &git, "remix").await;
    assert!(page.contains("<h1>Hello from React Router</h1>"), "{page}");
    // What the browser needs is there as well.
    let script = page.split('"').find(|part| part.starts_with("/assets/") && part.ends_with(".js"));
    let answer = orbitra.visit("remix.localhost", script.unwrap()).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn svelte_kit_is_served_by_the_server_it_makes() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (page, _) = served(&orbitra, &git, "sveltekit").await;
    assert!(page.contains("Hello from SvelteKit</h1>"), "{page}");
}

#[tokio::test]
async fn astro_is_served_as_files() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (page, log) = served(&orbitra, &git, "astro").await;
    assert!(page.contains("Hello from Astro</h1>"), "{page}");
    assert!(log.contains("No container is needed: they are served directly."), "{log}");
    assert!(orbitra.owned("container").is_empty() && orbitra.owned("image").is_empty());
    let missing = orbitra.visit("astro.localhost", "/no/such/page").await;
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("This page does not exist"), "{}", missing.body);
}

#[tokio::test]
async fn pdm_installs_what_its_lock_file_says() {
    need_image("python:3.13-slim-trixie");
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (page, log) = served(&orbitra, &git, "python-pdm").await;
    assert_eq!(page, "Hello from PDM\n");
    assert!(log.contains("pdm install --check --prod --no-self"), "{log}");
}
