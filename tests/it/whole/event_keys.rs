//! Every event of the catalogue is told, with exactly the keys that its schema has.

use std::collections::{BTreeMap, BTreeSet};

use orbitra::app::users::NewUser;
use orbitra::model::user::Plan;
use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::{Api, text};
use crate::support::until::until;

/// Told by what this test has no part of: certificates and names (`tls`, `domains`), crashes (`watch`, `interrupted`),
/// the server itself (`alarms`), receivers (`webhook_answers`). Invoices are not made yet.
const ELSEWHERE: [&str; 12] = [
    "billing.invoice.created",
    "deployment.crashed",
    "deployment.recovered",
    "domain.certificate.expiring",
    "domain.certificate.failed",
    "domain.certificate.issued",
    "domain.certificate.revoked",
    "domain.verified",
    "system.disk.low",
    "system.engine.down",
    "webhook.disabled",
    "webhook.ping",
];

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

/// Of every event the keys of its data: all, and those that are always there.
async fn catalogue(api: &Api) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let types = api.get("/event-types").await;
    let of = |one: &Value| {
        let data = &one["schema"]["properties"]["data"];
        let always = data["required"].as_array().cloned().unwrap_or_default();
        let always = always.iter().map(|key| key.as_str().unwrap().to_owned()).collect();
        (text(one, "name"), (keys(&data["properties"]), always))
    };
    types["data"].as_array().unwrap().iter().map(of).collect()
}

async fn admin(whole: &Whole) -> Api {
    let new = NewUser {
        email: "admin@example.com".to_owned(),
        name: "Admin".to_owned(),
        plan: Plan::Enterprise,
        instance_admin: true,
        password: None,
    };
    whole.app().create_user(new).await.unwrap();
    let full = ["full".to_owned()];
    let key = whole.app().create_key_for("admin@example.com", "tests", &full).await.unwrap().1;
    Api { port: whole.api.port, key }
}

#[tokio::test]
async fn every_event_has_exactly_its_keys() {
    let whole = Whole::start().await;
    let api = admin(&whole).await;
    let post = async |path: &str, body: Value| api.done("POST", path, Some(body)).await;
    let patch = async |path: &str, body: Value| api.done("PATCH", path, Some(body)).await;
    let delete = async |path: &str| api.done("DELETE", path, None).await;

    let health = json!({"healthcheck": {"grace_seconds": 1, "timeout_seconds": 1}});
    let id = api.project("shop", json!({ "runtime": health })).await;
    let project = format!("/projects/{id}");
    let repository = whole.repository(&json!({ "body": "one" }));
    let first = text(&api.deploy_live(&id, &repository).await, "id");
    change(&repository, &json!({ "body": "two" }));
    let second = text(&api.deploy_live(&id, &repository).await, "id");
    post(&format!("{project}/rollback"), json!({})).await;
    api.live(&first).await;
    post(&format!("/deployments/{second}/promote"), json!({})).await;
    api.live(&second).await;
    change(&repository, &json!({ "exit": 3 }));
    let failed = api.deploy(&id, &repository, json!({})).await;
    api.failure(&failed).await;
    change(&repository, &json!({ "build_hangs": true }));
    let canceled = api.deploy(&id, &repository, json!({})).await;
    let path = format!("/deployments/{canceled}");
    until("it is built", async || (api.get(&path).await["phase"] == "building").then_some(()))
        .await;
    post(&format!("/deployments/{canceled}/cancel"), json!({})).await;
    assert_eq!(api.finished(&canceled).await["status"], "canceled");
    delete(&format!("/deployments/{failed}")).await;
    patch(&project, json!({ "description": "x" })).await;
    post(&format!("{project}/pause"), json!({})).await;
    post(&format!("{project}/resume"), json!({})).await;
    api.live(&second).await;
    post(&format!("{project}/restart"), json!({})).await;
    api.live(&second).await;
    api.done("PUT", &format!("{project}/env/KEY"), Some(json!({ "value": "x" }))).await;
    let domain =
        post(&format!("{project}/domains"), json!({ "hostname": "www.example.org" })).await;
    let domain = format!("/domains/{}", text(&domain, "id"));
    patch(&domain, json!({ "redirect_to": "example.net", "redirect_code": 301 })).await;
    delete(&domain).await;
    let key = post("/api-keys", json!({ "name": "spare", "scopes": ["read"] })).await;
    let key = format!("/api-keys/{}", text(&key, "id"));
    patch(&key, json!({ "name": "renamed" })).await;
    let key = post(&format!("{key}/rotate"), json!({ "grace_seconds": 0 })).await;
    delete(&format!("/api-keys/{}", text(&key, "id"))).await;
    let user = post("/users", json!({ "email": "new@example.com", "name": "New" })).await;
    let user = format!("/users/{}", text(&user, "id"));
    patch(&user, json!({ "plan": "professional" })).await;
    delete(&user).await;
    delete(&project).await;
    until("nothing is left", async || (whole.engine.count() == (0, 0, 0, 0)).then_some(())).await;

    let catalogue = catalogue(&api).await;
    let mut told = BTreeSet::new();
    for (name, data) in whole.events() {
        let (all, always) = &catalogue[&name];
        let found = keys(&data);
        assert!(found.is_subset(all) && found.is_superset(always), "{name}: {data}");
        told.insert(name);
    }
    told.extend(ELSEWHERE.map(str::to_owned));
    let missing: Vec<_> = catalogue.keys().filter(|name| !told.contains(*name)).collect();
    assert!(missing.is_empty(), "nobody is told of {missing:?}");
}
