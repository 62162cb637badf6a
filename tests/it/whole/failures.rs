//! What fails leaves the old one serving and says exactly why.

use serde_json::json;

use super::{Whole, change};
use crate::support::api_client::text;
use crate::support::until::until;

/// Deploys something good, then this: the error, and the site is as before.
async fn fails(app: serde_json::Value) -> serde_json::Value {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "good"}));
    let project = whole.project("shop").await;
    let good = whole.api.deploy_live(&project, &repository).await;
    let before = whole.engine.count();
    change(&repository, &app);
    let id = whole.deploy(&project, &repository).await;
    let error = whole.api.failure(&id).await;

    assert_eq!(whole.site("shop").await, "good");
    assert_eq!(whole.engine.count(), before, "nothing of the failed one is left");
    let shown = whole.api.get(&format!("/projects/{project}")).await;
    assert_eq!(shown["live_deployment_id"], good["id"]);
    assert_eq!(shown["latest_deployment_id"], *id);
    // The routes follow the failure by a moment.
    let page = until("its own URL says so", async || {
        let page = whole.own_url(&id).await;
        page.body.contains("This version of the site did not start.").then_some(page)
    })
    .await;
    assert_eq!(page.status, 503);
    let first = text(&error, "message").lines().next().unwrap().to_owned();
    assert!(whole.api.log(&id).await.contains(&first));
    error
}

#[tokio::test]
async fn a_build_step() {
    let error = fails(json!({"build_exit": 3})).await;
    assert_eq!(
        error,
        json!({"code": "build_failed", "phase": "building", "message": "RUN make ended with exit code 3", "exit_code": 3,
               "cause": "exit_code", "evidence": ["RUN make ended with exit code 3"],
               "hint": "Run `make` on your machine: most often it fails there in the same way."})
    );
}

#[tokio::test]
async fn a_step_that_was_ended_because_the_server_was_busy_is_begun_again() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({ "body": "built", "build_unheld": 4 }));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    assert_eq!(whole.site("shop").await, "built");
    let log = whole.api.log(&id).await;
    assert_eq!(log.matches("ran before its network was closed").count(), 4, "{log}");

    change(&repository, &json!({ "build_unheld": 5 }));
    let id = whole.deploy(&project, &repository).await;
    let error = whole.api.failure(&id).await;
    assert_eq!(error["code"], "build_failed", "{error}");
    assert!(text(&error, "message").contains("too busy"), "{error}");
    assert_eq!(whole.site("shop").await, "built");
}

#[tokio::test]
async fn a_process_that_ends() {
    let error = fails(json!({"exit": 78, "says": "no DATABASE_URL"})).await;
    assert_eq!(error["code"], "start_failed");
    assert_eq!(error["exit_code"], 78);
    assert_eq!(
        error["message"],
        "The application stopped with exit code 78. Last output:\nno DATABASE_URL"
    );
}

#[tokio::test]
async fn a_process_that_never_listens() {
    let error = fails(json!({"deaf": true})).await;
    assert_eq!(
        error,
        json!({"code": "port_not_listening", "phase": "checking", "exit_code": null,
               "message": "Nothing listens on port 3000 after 1 s. It wrote nothing.",
               "cause": "nothing_listens", "evidence": ["It wrote nothing and listens nowhere."],
               "hint": "Let the application listen on `0.0.0.0` and the variable `PORT` (3000 here). If it is only slow to start, raise the health check's grace period."})
    );
}

#[tokio::test]
async fn a_process_that_is_too_slow() {
    let error = fails(json!({"delay": 60_000, "says": "warming up"})).await;
    assert_eq!(error["code"], "port_not_listening");
    assert_eq!(
        error["message"],
        "Nothing listens on port 3000 after 1 s. Last output:\nwarming up"
    );
}

#[tokio::test]
async fn an_application_that_is_not_healthy() {
    let error = fails(json!({"status": 500, "body": "no database"})).await;
    assert_eq!(
        error,
        json!({"code": "healthcheck_failed", "phase": "checking", "exit_code": null,
               "message": "GET / answered 500 for 1 s; expected is 200-399. Last body: no database It wrote nothing.",
               "cause": "health_error", "evidence": ["GET / → 500", "no database"],
               "hint": "Read what it wrote when it was asked for `/`: it answers with an error."})
    );
}

#[tokio::test]
async fn a_first_deployment_that_fails_leaves_a_page() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"exit": 1}));
    let project = whole.project("shop").await;
    let id = whole.deploy(&project, &repository).await;
    whole.api.failure(&id).await;
    // The routes follow the failure by a moment.
    let page = until("its host name says so", async || {
        let page = whole.visit("shop.localhost").await;
        page.body.contains("This version of the site did not start.").then_some(page)
    })
    .await;
    assert_eq!(page.status, 503);
    let (containers, running, images, _) = whole.engine.count();
    assert_eq!((containers, running, images), (0, 0, 0));
    // The next one is as good as if nothing had been.
    change(&repository, &json!({"body": "at last"}));
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.site("shop").await, "at last");
}

#[tokio::test]
async fn an_engine_that_does_not_answer() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "good"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    whole.engine.set_down(true);
    let id = whole.deploy(&project, &repository).await;
    let error = whole.api.failure(&id).await;
    assert_eq!(error["code"], "engine_error");
    assert_eq!(error["message"], "Docker does not answer: there is no socket");
    assert_eq!(whole.site("shop").await, "good");
    whole.engine.set_down(false);
    whole.api.deploy_live(&project, &repository).await;
}

#[tokio::test]
async fn a_file_that_is_not_there_and_a_directory_that_is_not_there() {
    let whole = Whole::start().await;
    let repository = whole.git.repository_of("empty", &[("README.txt", "nothing to run")]);
    let project = whole.project("shop").await;
    let id = whole.deploy(&project, &repository).await;
    let error = whole.api.failure(&id).await;
    assert_eq!((&error["code"], &error["phase"]), (&json!("detect_failed"), &json!("detecting")));
    let id = whole.api.deploy(&project, &repository, json!({"root_dir": "/apps/web"})).await;
    let error = whole.api.failure(&id).await;
    assert_eq!(error["code"], "detect_failed");
    assert!(text(&error, "message").contains("apps/web"), "{error}");
}
