//! An archive that was sent and an image out of a registry with a password, on real Docker.

use serde_json::{Value, json};

use crate::support::api_client::{Api, text};
use crate::support::apps;
use crate::support::archive;
use crate::support::orbitra::{Orbitra, docker};
use crate::support::registry::{PASSWORD, Registry, USERNAME};
use crate::support::until::until;

/// Names of everything on the engine that comes from this registry.
fn references(registry: &Registry) -> Vec<String> {
    let format = "{{.Repository}}@{{.Digest}}";
    let all = docker(&["image", "ls", "--digests", "--format", format]);
    let ours = all.lines().filter(|line| line.starts_with(&registry.address));
    ours.map(str::to_owned).collect()
}

async fn keep_credentials(api: &Api, registry: &Registry, password: &str) -> String {
    let body = json!({"host": registry.address, "username": USERNAME, "password": password});
    text(&api.done("POST", "/registries", Some(body)).await, "id")
}

#[tokio::test]
async fn an_archive_becomes_a_site() {
    let orbitra = Orbitra::start().await;
    let api = &orbitra.api;
    let project = api.project("sent", json!({})).await;
    let upload = api.upload(&project, archive::of_example("node-hello")).await;
    let id = api.deploy_with(&project, json!({"upload_id": upload})).await;
    let live = api.live(&id).await;
    let page = orbitra.visit("sent.localhost", "/").await;
    assert!(page.body.contains("Hello from Orbitra"), "{}", page.body);
    assert_eq!((&live["framework"], &live["upload_id"]), (&json!("nodejs"), &json!(upload)));

    let project = api.project("pages", json!({})).await;
    let upload = api.upload(&project, archive::of_example("static-site")).await;
    api.live(&api.deploy_with(&project, json!({"upload_id": upload})).await).await;
    assert_eq!(orbitra.visit("pages.localhost", "/about/").await.status, 200);
}

#[tokio::test]
async fn a_private_image_is_pulled_served_and_kept_by_its_digest() {
    let registry = Registry::start().await;
    let orbitra = Orbitra::start().await;
    let api = &orbitra.api;
    let image = registry.push("team/app:1", &apps::node(&apps::answering("first")));
    let project = api.project("pulled", json!({})).await;
    let deploy = async || api.deploy_with(&project, json!({"image": image})).await;

    let error = api.failure(&deploy().await).await;
    assert_eq!(error["code"], "auth_failed", "{error}");
    let wrong = keep_credentials(api, &registry, "ORBCANARY-wrong").await;
    let error = api.failure(&deploy().await).await;
    assert_eq!(error["code"], "auth_failed", "{error}");
    assert!(text(&error, "message").contains("refused the user name and the password"), "{error}");
    api.done("DELETE", &format!("/registries/{wrong}"), None).await;
    assert_eq!(references(&registry), Vec::<String>::new());

    keep_credentials(api, &registry, PASSWORD).await;
    let missing = json!({"image": format!("{}/team/none:1", registry.address)});
    let error = api.failure(&api.deploy_with(&project, missing).await).await;
    assert_eq!(error["code"], "image_not_found", "{error}");

    let first = deploy().await;
    let live = api.live(&first).await;
    assert_eq!(orbitra.visit("pulled.localhost", "/").await.body, "first");
    assert_eq!((&live["image"], &live["git"]["url"]), (&json!(image), &Value::Null));
    let log = api.log(&first).await;
    let pinned = log.lines().find_map(|line| line.strip_prefix("Pulling 127.0.0.1"));
    let digest = pinned.unwrap().split_once('@').unwrap().1.to_owned();
    assert!(digest.starts_with("sha256:") && log.contains("Pull complete"), "{log}");
    // The container has the profile of every other.
    let container = orbitra.container_of(&first);
    assert_eq!(container["HostConfig"]["CapDrop"], json!(["ALL"]));

    // The tag moves; what is repeated is the same image.
    registry.push("team/app:1", &apps::node(&apps::answering("second")));
    let again = api.done("POST", &format!("/deployments/{first}/redeploy"), None).await;
    let again = text(&again, "id");
    api.live(&again).await;
    assert_eq!(orbitra.visit("pulled.localhost", "/").await.body, "first");
    let container = orbitra.container_of(&again);
    assert_eq!(container["Image"], orbitra.container_of(&first)["Image"]);
    let second = deploy().await;
    api.live(&second).await;
    assert_eq!(orbitra.visit("pulled.localhost", "/").await.body, "second");
    assert_eq!(references(&registry).len(), 2);

    // Nothing holds the password in clear, and nothing of the images outlives the project.
    assert_eq!(orbitra.files_with(b"ORBCANARY"), Vec::<std::path::PathBuf>::new());
    api.done("DELETE", &format!("/projects/{project}"), None).await;
    until("the images are gone", async || references(&registry).is_empty().then_some(())).await;
    until("the tags of the deployments and the network are gone", async || {
        let tags = docker(&["image", "ls", "-q", &format!("orbitra/{project}")]);
        (tags.is_empty() && orbitra.owned("network").is_empty()).then_some(())
    })
    .await;
}
