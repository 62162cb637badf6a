//! Values of variables stay where they belong, on real Docker.

use serde_json::json;

use crate::support::apps;
use crate::support::git_server::GitServer;
use crate::support::orbitra::{Orbitra, docker};
use crate::support::until::until;

/// Prints its secret where an application should not, and answers it to whoever asks.
const INDISCREET: &str = r#"const secret = process.env.API_TOKEN;
console.log(`the token is ${secret}`);
console.error(`and again: ${secret}${secret}`);
require("node:http").createServer((q, r) => r.end(secret)).listen(process.env.PORT, "0.0.0.0");"#;

#[tokio::test]
async fn a_secret_reaches_its_process_and_nothing_that_is_kept_or_shown() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let (repository, api) = (git.repository_of("app", &apps::node(INDISCREET)), &orbitra.api);
    let secret = format!("tok-{}-Zf83kQp1x", std::process::id());
    let project = api.project("discreet", json!({})).await;
    let environment = json!({"API_TOKEN": secret});
    let id = api.deploy(&project, &repository, json!({"environment": environment})).await;
    let deployment = api.live(&id).await;
    assert_eq!(orbitra.visit("discreet.localhost", "/").await.body, secret);

    let log = until("the application's lines are in the log", async || {
        Some(api.log(&id).await).filter(|log| log.contains("and again: "))
    })
    .await;
    assert!(log.contains("the token is ***") && !log.contains(&secret), "{log}");

    let list = format!("/projects/{project}/deployments?include=environment_keys,git,error");
    let shown = [
        deployment.to_string(),
        api.get(&list).await.to_string(),
        api.get(&format!("/projects/{project}")).await.to_string(),
        orbitra.log(),
    ];
    for text in &shown {
        assert!(!text.contains(&secret), "{text}");
    }
    assert_eq!(deployment["environment_keys"], json!(["API_TOKEN"]));

    for image in orbitra.owned("image") {
        let history = docker(&["image", "history", "--no-trunc", &image]);
        let description = docker(&["image", "inspect", &image]);
        assert!(!history.contains(&secret) && !description.contains(&secret), "{image}");
    }
    let found = orbitra.files_with(secret.as_bytes());
    assert!(found.is_empty(), "the secret stands in {found:?}");
}

#[tokio::test]
async fn a_secret_in_a_failure_is_masked() {
    let (git, orbitra) = (GitServer::start(), Orbitra::start().await);
    let server = "throw new Error(`cannot log in with ${process.env.PASSWORD}`);";
    let (repository, api) = (git.repository_of("app", &apps::node(server)), &orbitra.api);
    let project = api.project("careless", json!({})).await;
    let environment = json!({"PASSWORD": "correct horse battery"});
    let id = api.deploy(&project, &repository, json!({"environment": environment})).await;
    let error = api.failure(&id).await.to_string();
    assert!(!error.contains("correct horse battery"), "{error}");
    assert!(!api.log(&id).await.contains("correct horse battery"));
    assert!(orbitra.files_with(b"correct horse battery").is_empty());
}

#[tokio::test]
async fn the_key_of_the_api_is_stored_as_a_hash() {
    let orbitra = Orbitra::start().await;
    assert_eq!(orbitra.api.call("GET", "/users/me", None).await.0, 200);
    let found = orbitra.files_with(orbitra.api.key.as_bytes());
    assert!(found.is_empty(), "the key stands in {found:?}");
}
