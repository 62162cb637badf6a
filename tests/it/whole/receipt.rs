//! What a deployment was made of is kept, and two of them are compared.

use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::text;

async fn receipt(whole: &Whole, id: &str) -> Value {
    whole.api.get(&format!("/deployments/{id}/receipt")).await
}

fn names(receipt: &Value) -> Vec<String> {
    receipt["variables"].as_array().unwrap().iter().map(|one| text(one, "name")).collect()
}

fn hash(receipt: &Value, name: &str) -> String {
    let all = receipt["variables"].as_array().unwrap();
    text(all.iter().find(|one| one["name"] == name).unwrap(), "hash")
}

#[tokio::test]
async fn a_deployment_keeps_what_it_was_made_of() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let fields = json!({"environment": {"TOKEN": "hunter2-hunter2", "MODE": "fast"}});
    let id = whole.api.deploy(&project, &repository, fields).await;
    whole.api.live(&id).await;

    let kept = receipt(&whole, &id).await;
    assert_eq!(kept["deployment_id"], *id);
    assert_eq!(kept["project_id"], *project);
    assert!(kept["written_at"].is_string());
    assert_eq!(kept["commit"]["sha"], repository.head());
    assert_eq!(kept["commit"]["branch"], "main");
    assert_eq!(kept["image"]["id"], format!("sha256:orbitra/{project}:{id}"));
    assert_eq!(kept["image"]["size_bytes"], 1);
    assert_eq!(
        kept["base_images"],
        json!([{"name": "base:1", "digest": "sha256:b45e", "id": null}])
    );
    assert_eq!(kept["files"], Value::Null);
    assert_eq!(kept["plan"]["framework"], "dockerfile");
    assert_eq!(kept["plan"]["output"], "container");
    assert_eq!(kept["limits"], json!({"memory_mb": 512, "cpu_millis": 1000, "instances": 1}));
    let own = whole.stored(&id).await.hostname;
    assert_eq!(kept["hostnames"], json!([own, "shop.localhost"]));
    assert_eq!(names(&kept), ["MODE", "TOKEN"]);
    assert_eq!(hash(&kept, "TOKEN").len(), 64);
    assert!(!kept.to_string().contains("hunter2"), "{kept}");
    let probes = kept["probes"].as_array().unwrap();
    assert_eq!(probes.last().unwrap()["status"], 200);
    assert!((1..=20).contains(&probes.len()), "{kept}");
    let phases: Vec<_> =
        kept["phases"].as_array().unwrap().iter().map(|step| text(step, "phase")).collect();
    assert_eq!(phases, ["queued", "cloning", "detecting", "building", "starting", "checking"]);
    assert!(kept["phases"].as_array().unwrap().iter().all(|step| step["duration_ms"].is_u64()));
}

#[tokio::test]
async fn one_that_failed_keeps_what_was_known() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"status": 503, "body": "warming up"}));
    let project = whole.project("shop").await;
    let fields = json!({"environment": {"TOKEN": "hunter2-hunter2"}});
    let id = whole.api.deploy(&project, &repository, fields).await;
    whole.api.failure(&id).await;
    let kept = receipt(&whole, &id).await;
    assert!(kept["written_at"].is_string());
    assert_eq!(kept["commit"]["sha"], repository.head());
    assert!(kept["image"].is_object() && kept["plan"].is_object(), "{kept}");
    let statuses: Vec<_> =
        kept["probes"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses.last(), Some(&json!(503)), "{kept}");
    assert_eq!(names(&kept), ["TOKEN"]);

    // One that never came to a commit.
    let other = whole.api.deploy(&project, &repository, json!({"branch": "nowhere"})).await;
    whole.api.failure(&other).await;
    let kept = receipt(&whole, &other).await;
    assert!(kept["written_at"].is_string());
    assert_eq!((&kept["commit"], &kept["image"]), (&Value::Null, &Value::Null));
    assert_eq!(kept["limits"]["memory_mb"], 512);
}

#[tokio::test]
async fn the_receipt_is_there_with_the_end_also_after_a_power_cut() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    whole.cut_off();
    whole.run().await;
    assert!(receipt(&whole, &id).await["written_at"].is_string());
}

#[tokio::test]
async fn two_deployments_are_compared() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let first =
        json!({"environment": {"KEPT": "same-value", "OLD": "x", "TOKEN": "hunter2-hunter2"}});
    let before = whole.api.deploy(&project, &repository, first).await;
    whole.api.live(&before).await;
    let first_commit = repository.head();
    change(&repository, &json!({"body": "two"}));
    let settings = json!({"runtime": {"memory_mb": 256}});
    whole.api.done("PATCH", &format!("/projects/{project}"), Some(settings)).await;
    let second =
        json!({"environment": {"KEPT": "same-value", "NEW": "y", "TOKEN": "hunter3-hunter3"}});
    let after = whole.api.deploy(&project, &repository, second).await;
    whole.api.live(&after).await;

    let path = format!("/deployments/{before}/diff/{after}");
    let difference = whole.api.get(&path).await;
    assert_eq!((&difference["before"], &difference["after"]), (&json!(before), &json!(after)));
    let fields = difference["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["field"] == name).cloned();
    assert_eq!(
        field("limits.memory_mb").unwrap(),
        json!({"field": "limits.memory_mb", "before": "512", "after": "256"})
    );
    assert!(field("image.id").is_some() && field("base_images.base:1").is_none(), "{difference}");
    assert_eq!(
        difference["variables"],
        json!({"added": ["NEW"], "removed": ["OLD"], "changed": ["TOKEN"]})
    );
    assert_eq!(difference["commits"]["before"]["sha"], first_commit);
    assert_eq!(difference["commits"]["after"]["sha"], repository.head());
    assert!(difference["timings"].as_array().unwrap().iter().any(|one| one["phase"] == "building"));
    assert!(!difference.to_string().contains("hunter"), "{difference}");

    // With itself nothing changed.
    let same = whole.api.get(&format!("/deployments/{before}/diff/{before}")).await;
    assert_eq!(same["fields"], json!([]));
    assert_eq!(same["variables"], json!({"added": [], "removed": [], "changed": []}));
}

#[tokio::test]
async fn what_has_nothing_to_compare_is_refused() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let (one, two) = (whole.project("shop").await, whole.project("blog").await);
    let ours = text(&whole.api.deploy_live(&one, &repository).await, "id");
    let other = text(&whole.api.deploy_live(&two, &repository).await, "id");
    let (status, answer) =
        whole.api.call("GET", &format!("/deployments/{ours}/diff/{other}"), None).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("invalid_request")));
    assert_eq!(answer["error"]["details"]["invalid_fields"][0]["field"], "other");
    for path in [
        format!("/deployments/{ours}/diff/dep_0000000000000000"),
        format!("/deployments/dep_0000000000000000/diff/{ours}"),
        format!("/deployments/{ours}/diff/rubbish"),
        "/deployments/dep_0000000000000000/receipt".to_owned(),
    ] {
        assert_eq!(whole.api.call("GET", &path, None).await.0, 404, "{path}");
    }
    let (status, _) =
        whole.api.call("GET", &format!("/deployments/{ours}/receipt?x=1"), None).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_restart_with_other_variables_changes_the_receipt() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let variable = json!({"key": "TOKEN", "value": "hunter2-hunter2"});
    whole.api.done("POST", &format!("/projects/{project}/env"), Some(variable)).await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    let before = receipt(&whole, &id).await;
    let value = json!({"value": "hunter3-hunter3"});
    whole.api.done("PUT", &format!("/projects/{project}/env/TOKEN"), Some(value)).await;
    assert_eq!(receipt(&whole, &id).await, before, "nothing has got the new value yet");
    whole.api.done("POST", &format!("/projects/{project}/restart"), Some(json!({}))).await;
    whole.released(&id).await;
    let after = receipt(&whole, &id).await;
    assert_ne!(hash(&after, "TOKEN"), hash(&before, "TOKEN"));
    assert_eq!(after["image"], before["image"]);
}

#[tokio::test]
async fn what_is_not_over_has_what_is_known_so_far() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"build_hangs": true}));
    let project = whole.project("shop").await;
    let fields = json!({"environment": {"TOKEN": "hunter2-hunter2"}});
    let id = whole.api.deploy(&project, &repository, fields).await;
    whole.phase(&id, "building").await;
    let known = receipt(&whole, &id).await;
    assert_eq!(known["written_at"], Value::Null);
    assert_eq!(known["commit"]["sha"], repository.head());
    assert_eq!(known["variables"], json!([{"name": "TOKEN", "hash": null}]));
    whole.api.done("POST", &format!("/deployments/{id}/cancel"), None).await;
    whole.api.finished(&id).await;
}
