//! The address of a branch follows its newest ready deployment.

use orbitra::app::terms::Terms;
use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::{host_of, text};
use crate::support::until::until;

async fn shown(whole: &Whole, id: &str) -> Value {
    whole.api.get(&format!("/deployments/{id}")).await
}

/// The host of a deployment's branch.
async fn branch(whole: &Whole, id: &str) -> String {
    host_of(&text(&shown(whole, id).await, "branch_url"))
}

#[tokio::test]
async fn the_newest_ready_deployment_of_a_branch_answers_at_its_address() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let building = whole.deploy(&project, &repository).await;
    let one = text(&whole.api.live(&building).await, "id");
    assert_eq!(branch(&whole, &one).await, "shop-git-main.localhost");
    assert_eq!(whole.visit("shop-git-main.localhost").await.body, "one");
    change(&repository, &json!({"body": "two"}));
    let staged = whole.api.deploy(&project, &repository, json!({"promote": false})).await;
    assert_eq!(whole.api.finished(&staged).await["status"], "staged");
    assert_eq!(whole.visit("shop-git-main.localhost").await.body, "two");
    assert_eq!(whole.site("shop").await, "one");
    // One that fails changes nothing.
    change(&repository, &json!({"exit": 1}));
    let failed = whole.deploy(&project, &repository).await;
    whole.api.failure(&failed).await;
    assert_eq!(whole.visit("shop-git-main.localhost").await.body, "two");
    assert_eq!(branch(&whole, &failed).await, "shop-git-main.localhost");
    // When the newest goes, the one before it answers; when the last goes, nobody.
    whole.app().delete_deployment(whole.actor(), &staged, &Terms::none()).await.unwrap();
    until("the one before answers", async || {
        (whole.visit("shop-git-main.localhost").await.body == "one").then_some(())
    })
    .await;
    whole.api.call("DELETE", &format!("/projects/{project}"), None).await;
    until("nobody answers", async || {
        (whole.visit("shop-git-main.localhost").await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_branch_that_is_no_label_gets_one_with_a_hash() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "main"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    let mut hosts = Vec::new();
    let long = format!("feature/{}", "very-".repeat(20) + "long");
    for name in ["feature/login", "feature-login", "Feature/Login", &long] {
        repository.branch(name, "app.json", &json!({"body": name}).to_string());
        let fields = json!({"branch": name, "promote": false});
        let id = whole.api.deploy(&project, &repository, fields).await;
        assert_eq!(whole.api.finished(&id).await["status"], "staged");
        let host = branch(&whole, &id).await;
        assert_eq!(whole.visit(&host).await.body, name, "{host}");
        let label = host.split('.').next().unwrap();
        assert!(label.len() <= 63 && label.starts_with("shop-git-"), "{label}");
        hosts.push(host);
    }
    assert_eq!(hosts[1], "shop-git-feature-login.localhost");
    assert!(hosts[0].starts_with("shop-git-feature-login-"));
    hosts.sort();
    hosts.dedup();
    assert_eq!(hosts.len(), 4);
    assert_eq!(whole.visit("shop-git-main.localhost").await.body, "main");
}

#[tokio::test]
async fn an_address_of_a_branch_is_never_that_of_a_project() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "shop"}));
    // It was there first.
    let first = whole.project("shop-git-main").await;
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    let host = branch(&whole, &id).await;
    assert_ne!(host, "shop-git-main.localhost");
    assert_eq!(whole.visit(&host).await.body, "shop");
    assert_eq!(whole.visit("shop-git-main.localhost").await.status, 503, "nothing is deployed");
    // The address is there first.
    let label = host.split('.').next().unwrap();
    let body = json!({"name": label, "region": "local"});
    let (status, answer) = whole.api.call("POST", "/projects", Some(body)).await;
    assert_eq!((status, &answer["error"]["details"]["reason"]), (409, &json!("name_taken")));
    let path = format!("/projects/{first}");
    let (status, answer) = whole.api.call("PATCH", &path, Some(json!({"name": label}))).await;
    assert_eq!((status, &answer["error"]["details"]["reason"]), (409, &json!("name_taken")));
    assert_eq!(whole.visit(&host).await.body, "shop");
}

#[tokio::test]
async fn what_is_not_made_of_a_branch_has_no_address_of_one() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let id = whole.deploy(&project, &repository).await;
    whole.phase(&id, "done").await;
    whole.api.live(&id).await;
    // A renamed project's branch has another address with its next deployment.
    whole.api.done("PATCH", &format!("/projects/{project}"), Some(json!({"name": "store"}))).await;
    change(&repository, &json!({"body": "two"}));
    let next = text(&whole.api.deploy_live(&project, &repository).await, "id");
    assert_eq!(branch(&whole, &next).await, "store-git-main.localhost");
    assert_eq!(whole.visit("store-git-main.localhost").await.body, "two");
    assert_eq!(whole.visit("shop-git-main.localhost").await.status, 404);
    let other = whole.project("files").await;
    let archive = crate::support::archive::of(&[("index.html", "an upload")]);
    let upload = whole.api.upload(&other, archive).await;
    let id = whole.api.deploy_with(&other, json!({"upload_id": upload})).await;
    assert_eq!(whole.api.live(&id).await["branch_url"], Value::Null);
}
