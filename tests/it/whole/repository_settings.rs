//! What `orbitra.toml` says of running an application, from the repository to the container.

use serde_json::{Value, json};

use super::{DOCKERFILE, Whole};
use crate::support::api_client::{text, try_visit};
use crate::support::until::until;

const FILE: &str = "[runtime]\nport = 4567\nhealthcheck = \"/healthz\"\n";

#[tokio::test]
async fn port_and_health_path_count_more_than_the_projects() {
    let whole = Whole::start().await;
    // An application that knows one path: nothing else makes it healthy.
    let app = json!({"only": "/healthz", "body": "well"}).to_string();
    let files = [("Dockerfile", DOCKERFILE), ("app.json", app.as_str()), ("orbitra.toml", FILE)];
    let repository = whole.git.repository_of("app", &files);
    let health = json!({"path": "/other", "grace_seconds": 1, "timeout_seconds": 1});
    let settings = json!({"runtime": {"port": 3001, "healthcheck": health}});
    let project = whole.api.project("shop", settings).await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    let page = try_visit(whole.api.port, "shop.localhost", "/healthz").await.unwrap();
    assert_eq!((page.status.as_u16(), page.body.as_str()), (200, "well"));
    let log = whole.api.log(&id).await;
    assert!(log.contains("`orbitra.toml` sets runtime.healthcheck, runtime.port."), "{log}");
    assert!(log.contains("GET /healthz answered 200"), "{log}");
    assert!(log.contains("ms on port 4567."), "{log}");
    let port = |id: &str| whole.engine.variable(id, "PORT");
    assert_eq!(port(&id), [Some("4567".to_owned())]);

    // A restart makes a new container by what the deployment's commit says.
    whole.api.done("POST", &format!("/projects/{project}/restart"), None).await;
    let stored = whole.released(&id).await;
    assert!(stored.failure.is_none(), "{:?}", stored.failure);
    until("the old one is gone", async || (whole.engine.count().0 == 1).then_some(())).await;
    assert_eq!(port(&id), [Some("4567".to_owned())]);
    let page = try_visit(whole.api.port, "shop.localhost", "/healthz").await.unwrap();
    assert_eq!(page.status, 200);

    // The project's own settings are as they were, and count again once the file is silent.
    let shown = whole.api.get(&format!("/projects/{project}")).await;
    assert_eq!(shown["runtime"]["port"], 3001);
    repository.commit("orbitra.toml", "");
    let id = whole.deploy(&project, &repository).await;
    let error: Value = whole.api.failure(&id).await;
    assert_eq!(error["code"], "healthcheck_failed");
    let message = text(&error, "message");
    assert!(message.starts_with("GET /other answered 404"), "{message}");
    let log = whole.api.log(&id).await;
    assert!(log.contains("PORT=3001"), "{log}");
    let page = try_visit(whole.api.port, "shop.localhost", "/healthz").await.unwrap();
    assert_eq!(page.body, "well", "the old one serves");
}

#[tokio::test]
async fn a_member_of_a_workspace_is_read_from_its_own_directory() {
    let whole = Whole::start().await;
    let root = json!({"workspaces": ["apps/*"]}).to_string();
    let files = [
        ("package.json", root.as_str()),
        ("package-lock.json", "{}"),
        ("app.json", r#"{"body": "of the workspace"}"#),
        ("apps/web/package.json", r#"{"scripts":{"start":"node server.js"}}"#),
        ("apps/web/server.js", ""),
        ("apps/web/orbitra.toml", "[runtime]\nport = 4568\n"),
    ];
    let repository = whole.git.repository_of("app", &files);
    let source = json!({"source": {"root_dir": "apps/web"}});
    let project = whole.api.project("shop", source).await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    // Only a context with the files above the project's directory has this application.
    assert_eq!(whole.site("shop").await, "of the workspace");
    assert_eq!(whole.engine.variable(&id, "PORT"), [Some("4568".to_owned())]);
}

#[tokio::test]
async fn a_file_that_is_wrong_ends_the_deployment_before_it_is_built() {
    let whole = Whole::start().await;
    let files =
        [("Dockerfile", DOCKERFILE), ("app.json", "{}"), ("orbitra.toml", "[runtime]\nports = 1")];
    let repository = whole.git.repository_of("app", &files);
    let project = whole.project("shop").await;
    let id = whole.deploy(&project, &repository).await;
    let error = whole.api.failure(&id).await;
    assert_eq!((&error["code"], &error["phase"]), (&json!("detect_failed"), &json!("detecting")));
    assert!(text(&error, "message").contains("Is `port` meant?"), "{error}");
    assert_eq!(whole.engine.builds().1, 0);
}
