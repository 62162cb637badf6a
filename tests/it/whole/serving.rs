//! Which deployment a visitor sees.

use serde_json::json;

use super::{NO_PAUSE, Whole, change};
use crate::support::api_client::text;
use crate::support::until::until;

#[tokio::test]
async fn a_deployment_that_is_not_promoted_is_staged() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let live = whole.api.deploy_live(&project, &repository).await;
    change(&repository, &json!({"body": "two"}));
    let id = whole.api.deploy(&project, &repository, json!({"promote": false})).await;
    let staged = whole.api.finished(&id).await;
    assert_eq!(staged["status"], "staged", "{staged}");
    assert_eq!(staged["live_at"], json!(null));
    assert_eq!(whole.site("shop").await, "one");
    let page = whole.own_url(&id).await;
    assert_eq!((page.status.as_u16(), page.body.as_str()), (200, "two"));
    assert_eq!(page.headers["x-robots-tag"], "noindex");
    let shown = whole.api.get(&format!("/projects/{project}")).await;
    assert_eq!(shown["live_deployment_id"], live["id"]);
}

#[tokio::test]
async fn a_superseded_deployment_sleeps_and_is_woken_once_by_many_requests() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let repository = whole.repository(&json!({"body": "old", "delay": 200}));
    let project = whole.project("shop").await;
    let old = text(&whole.api.deploy_live(&project, &repository).await, "id");
    change(&repository, &json!({"body": "new"}));
    let new = text(&whole.api.deploy_live(&project, &repository).await, "id");
    until("the old one sleeps", async || (whole.engine.count().1 == 1).then_some(())).await;

    let visits = futures_util::future::join_all((0..20).map(|_| whole.own_url(&old))).await;
    for page in visits {
        assert_eq!((page.status.as_u16(), page.body.as_str()), (200, "old"));
    }
    assert_eq!(whole.engine.starts(&old), Some(2), "started once more, not twenty times");
    assert_eq!(whole.engine.starts(&new), Some(1));
    assert_eq!(whole.site("shop").await, "new");
    assert_eq!(whole.own_url(&new).await.body, "new");
}

#[tokio::test]
async fn a_renamed_project_serves_under_its_new_name() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "same"}));
    let project = whole.project("before").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    let path = format!("/projects/{project}");
    whole.api.done("PATCH", &path, Some(json!({"name": "after"}))).await;
    until("the new name answers", async || (whole.site("after").await == "same").then_some(()))
        .await;
    assert_eq!(whole.visit("before.localhost").await.status, 404);
    assert_eq!(whole.own_url(&id).await.body, "same", "its own URL stays");
    assert_eq!(whole.engine.starts(&id), Some(1));
    // And so does the next deployment.
    change(&repository, &json!({"body": "next"}));
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.site("after").await, "next");
}

#[tokio::test]
async fn what_a_visitor_sees_before_the_first_deployment_is_ready() {
    let whole = Whole::start().await;
    assert_eq!(whole.visit("shop.localhost").await.status, 404);
    let repository = whole.repository(&json!({"build_hangs": true}));
    let project = whole.project("shop").await;
    let says = async |text: &str| {
        until(text, async || {
            let page = whole.visit("shop.localhost").await;
            (page.status == 503 && page.body.contains(text)).then_some(page)
        })
        .await
    };
    says("This site is being set up.").await;
    let id = whole.deploy(&project, &repository).await;
    let page = says("This site is being built.").await;
    assert_eq!(page.headers["retry-after"], "10");
    assert_eq!(page.headers["cache-control"], "no-store");
    whole.api.done("POST", &format!("/deployments/{id}/cancel"), Some(json!({}))).await;
    says("This site is being set up.").await;
}

#[tokio::test]
async fn two_projects_have_networks_of_their_own() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "x"}));
    for name in ["one", "two"] {
        let project = whole.project(name).await;
        whole.api.deploy_live(&project, &repository).await;
        assert_eq!(whole.site(name).await, "x");
    }
    assert_eq!(whole.engine.count().3, 2);
}

#[tokio::test]
async fn a_rejected_request_makes_nothing() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "x"}));
    let project = whole.project("shop").await;
    let path = format!("/projects/{project}/deployments");
    for (body, field) in [
        (json!({}), "git_url"),
        (json!({"git_url": "file:///etc"}), "git_url"),
        (json!({"git_url": "http://10.0.0.1/x.git"}), "git_url"),
        (json!({"git_url": repository.url, "branch": "--upload-pack=x"}), "branch"),
        (json!({"git_url": repository.url, "root_dir": "../.."}), "root_dir"),
        (json!({"git_url": repository.url, "environment": {"A-B": "1"}}), "environment"),
    ] {
        let (status, answer) = whole.api.call("POST", &path, Some(body)).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer.to_string().contains(field), "{answer}");
    }
    assert!(whole.api.statuses(&project).await.is_empty());
    assert_eq!(whole.engine.count(), (0, 0, 0, 0));
}
