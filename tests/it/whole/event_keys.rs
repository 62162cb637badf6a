//! Every event of the catalogue is delivered when it happens, with exactly the keys that were agreed on.

use std::collections::BTreeSet;

use orbitra::app::users::NewUser;
use orbitra::docker::{ContainerEngine, ContainerId};
use orbitra::model::event_type;
use orbitra::model::user::Plan;
use serde_json::{Value, json};

use super::alarms::NEVER_FREE;
use super::webhooks::SOON;
use super::{Whole, change};
use crate::support::api_client::{Api, text};
use crate::support::receiver::{Act, Got, Receiver};
use crate::support::until::within;

/// What was agreed on for events: their names, the keys of their data, and what `status` says, where there is one.
type Agreed = (&'static [&'static str], &'static [&'static str], &'static [&'static str]);

const AGREED: &[Agreed] = &[
    (&["deployment.created"], &["deployment_id", "project_id", "status", "url"], &["building"]),
    (
        &["deployment.succeeded"],
        &["deployment_id", "project_id", "status", "url", "duration_ms"],
        &["live", "staged"],
    ),
    (
        &["deployment.failed"],
        &["deployment_id", "project_id", "status", "url", "duration_ms", "error"],
        &["failed"],
    ),
    (
        &["deployment.canceled"],
        &["deployment_id", "project_id", "status", "url", "cancel_reason"],
        &["canceled"],
    ),
    (
        &["deployment.crashed"],
        &["deployment_id", "project_id", "status", "url", "exit_code", "restarts"],
        &["crashed"],
    ),
    (
        &["deployment.recovered"],
        &["deployment_id", "project_id", "status", "url", "exit_code", "restarts"],
        &["live"],
    ),
    (
        &["deployment.promoted", "deployment.rolled_back"],
        &["deployment_id", "project_id", "status", "url", "previous_deployment_id"],
        &["live"],
    ),
    (&["deployment.deleted"], &["deployment_id", "project_id"], &[]),
    (
        &["project.created"],
        &["project_id", "name", "region", "framework", "status", "created_at"],
        &["pending"],
    ),
    (
        &["project.updated", "project.paused", "project.resumed", "project.restarted"],
        &["project_id", "name", "status", "changed"],
        &["pending", "active", "paused"],
    ),
    (&["project.deleted"], &["project_id", "name", "deleted_at"], &[]),
    (
        &["domain.created", "domain.updated", "domain.verified", "domain.deleted"],
        &["domain_id", "hostname", "project_id", "status"],
        &["pending", "active"],
    ),
    (
        &[
            "domain.certificate.issued",
            "domain.certificate.failed",
            "domain.certificate.expiring",
            "domain.certificate.revoked",
        ],
        &["domain_id", "hostname", "project_id", "status"],
        &["active"],
    ),
    (&["env.updated"], &["project_id", "keys", "target"], &[]),
    (
        &["api_key.created", "api_key.updated", "api_key.revoked"],
        &["api_key_id", "project_id", "actor_id"],
        &[],
    ),
    (&["api_key.rotated"], &["api_key_id", "replaces", "actor_id"], &[]),
    (&["user.created", "user.updated", "user.deleted"], &["user_id", "actor_id"], &[]),
    (&["system.disk.low"], &["free_bytes", "floor_bytes"], &[]),
    (&["system.engine.down"], &["since"], &[]),
    (&["webhook.disabled"], &["webhook_id", "reason"], &[]),
    (&["webhook.ping"], &["webhook_id", "message"], &[]),
];

/// What each of the tests here, and the one of certificates, hears of.
const BY_HAND: &[&str] = &[
    "api_key.created",
    "api_key.revoked",
    "api_key.rotated",
    "api_key.updated",
    "deployment.canceled",
    "deployment.created",
    "deployment.deleted",
    "deployment.failed",
    "deployment.promoted",
    "deployment.rolled_back",
    "deployment.succeeded",
    "domain.created",
    "domain.deleted",
    "domain.updated",
    "env.updated",
    "project.created",
    "project.deleted",
    "project.paused",
    "project.restarted",
    "project.resumed",
    "project.updated",
    "user.created",
    "user.deleted",
    "user.updated",
];
const OF_PROCESSES: &[&str] = &["deployment.crashed", "deployment.recovered"];
const OF_THE_SERVER: &[&str] = &["system.disk.low", "system.engine.down"];
const OF_RECEIVERS: &[&str] = &["webhook.disabled", "webhook.ping"];
/// `tls::issuance` makes them happen, with an authority.
pub const OF_CERTIFICATES: &[&str] = &[
    "domain.certificate.expiring",
    "domain.certificate.failed",
    "domain.certificate.issued",
    "domain.verified",
];
/// `tls::stapling` makes it happen, with a responder.
const OF_RESPONDERS: &[&str] = &["domain.certificate.revoked"];
/// Nobody makes invoices yet.
const NEVER: &[&str] = &["billing.invoice.created"];

fn agreed(name: &str) -> Agreed {
    let found = AGREED.iter().find(|(names, ..)| names.contains(&name));
    *found.unwrap_or_else(|| panic!("nothing was agreed on for {name}"))
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn set(names: &[&'static str]) -> BTreeSet<&'static str> {
    names.iter().copied().collect()
}

/// A receiver that is told of everything.
pub struct Listener {
    receiver: Receiver,
}

impl Listener {
    /// One of whoever has this key.
    pub async fn of(api: &Api) -> Self {
        let receiver = Receiver::start().await;
        let hook = json!({ "url": receiver.url(), "events": ["*"] });
        let hook = api.done("POST", "/webhooks", Some(hook)).await;
        receiver.verify(&text(&hook, "secret"));
        Self { receiver }
    }

    /// Waits until it was told of each of these, and looks closely at whatever it was told.
    pub async fn hears(&self, names: &[&'static str]) {
        let told = |got: &[Got]| -> BTreeSet<String> {
            got.iter().map(|one| one.header("x-orbitra-event").to_owned()).collect()
        };
        let all = within(std::time::Duration::from_secs(60), "everything is told", async || {
            let (got, wanted) = (self.receiver.got(), names.iter());
            let told = told(&got);
            wanted.clone().all(|name| told.contains(*name)).then_some(got)
        });
        for one in all.await {
            exactly(&one);
        }
        assert_eq!(self.receiver.refused(), 0, "all are verified by the reference library");
    }
}

/// An event as it came has its three keys in their order, and its data the keys that were agreed on.
fn exactly(got: &Got) {
    let (name, body) = (got.header("x-orbitra-event"), got.json());
    let (_, wanted, statuses) = agreed(name);
    let at = text(&body, "timestamp");
    let begin = format!(r#"{{"event":"{name}","timestamp":"{at}","data":{{"#);
    assert!(got.body.starts_with(&begin) && got.body.len() <= 20_000, "{}", got.body);
    assert_eq!(keys(&body), set(&["event", "timestamp", "data"]), "{name}");
    let data = &body["data"];
    assert_eq!(keys(data), set(wanted), "{name}");
    match data["status"].as_str() {
        Some(status) => assert!(statuses.contains(&status), "{name}: {status}"),
        None => assert!(statuses.is_empty(), "{name}: {data}"),
    }
    if name == "deployment.failed" {
        assert_eq!(keys(&data["error"]), set(&["code", "phase", "message"]));
    }
    for number in ["duration_ms", "restarts", "free_bytes", "floor_bytes"] {
        assert!(data.get(number).is_none_or(Value::is_u64), "{name}: {data}");
    }
}

/// Whoever adds an event says here which keys its data has, and makes it happen in a test.
#[test]
fn every_event_of_the_catalogue_is_made_to_happen() {
    let catalogue: BTreeSet<_> = event_type::ALL.iter().map(|event| event.name).collect();
    let tested =
        [BY_HAND, OF_PROCESSES, OF_THE_SERVER, OF_RECEIVERS, OF_CERTIFICATES, OF_RESPONDERS, NEVER];
    assert_eq!(set(&tested.concat()), catalogue, "each is in one of the lists above");
    let written: Vec<_> = AGREED.iter().flat_map(|(names, ..)| names.iter().copied()).collect();
    assert_eq!(set(&written), &catalogue - &set(NEVER), "the keys of each are written above");
}

/// An account that sees what concerns the server as well.
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
async fn the_catalogue_says_the_same_keys() {
    let whole = Whole::start().await;
    let types = whole.api.get("/event-types").await;
    for one in types["data"].as_array().unwrap() {
        let name = text(one, "name");
        if NEVER.contains(&name.as_str()) {
            continue;
        }
        let (_, wanted, _) = agreed(&name);
        let data = &one["schema"]["properties"]["data"];
        assert_eq!(keys(&data["properties"]), set(wanted), "{name}: its schema");
        assert_eq!(keys(&one["example"]["data"]), set(wanted), "{name}: its example");
        assert_eq!(data["additionalProperties"], false, "{name}");
    }
}

#[tokio::test]
async fn what_people_do_is_told_with_exactly_its_keys() {
    let whole = Whole::start().await;
    let api = admin(&whole).await;
    let listener = Listener::of(&api).await;
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
    whole.phase_of(&api, &canceled, "building").await;
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
    listener.hears(BY_HAND).await;
    // What was told can be told again, of accounts of others as well.
    let own = &api.get("/webhooks").await["data"][0];
    let again =
        json!({ "since": "2020-01-01T00:00:00Z", "only_failed": false, "events": ["user.*"] });
    let queued = post(&format!("/webhooks/{}/replay", text(own, "id")), again).await;
    assert_eq!(queued, json!({ "queued": 3 }));
}

#[tokio::test]
async fn a_process_that_crashes_and_runs_again_is_told_with_exactly_its_keys() {
    let mut whole = Whole::start().await;
    let listener = Listener::of(&whole.api).await;
    let repository = whole.repository(&json!({ "body": "up" }));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    whole.cut_off();
    whole.engine.crash(&id);
    whole.engine.set_exit(&id, Some(3));
    whole.run().await;
    listener.hears(&["deployment.crashed"]).await;
    whole.stop().await;
    whole.engine.set_exit(&id, None);
    whole.engine.start(&ContainerId(format!("orbitra-{id}"))).await.unwrap();
    whole.run().await;
    listener.hears(OF_PROCESSES).await;
}

#[tokio::test]
async fn what_the_server_lacks_is_told_with_exactly_its_keys() {
    let mut whole = Whole::start().await;
    let api = admin(&whole).await;
    let listener = Listener::of(&api).await;
    whole.engine.set_down(true);
    listener.hears(&["system.engine.down"]).await;
    whole.engine.set_down(false);
    whole.more = vec![("ORBITRA_DISK_FLOOR", NEVER_FREE)];
    whole.stop().await;
    whole.run().await;
    listener.hears(OF_THE_SERVER).await;
}

#[tokio::test]
async fn what_becomes_of_webhooks_is_told_with_exactly_its_keys() {
    let whole = Whole::start_with(SOON).await;
    let gone = Receiver::start().await;
    gone.always(Act::Answer(410, "", ""));
    let hook = json!({ "url": gone.url(), "events": ["project.created"] });
    whole.api.done("POST", "/webhooks", Some(hook)).await;
    let listener = Listener::of(&whole.api).await;
    whole.api.project("shop", json!({})).await;
    let all = whole.api.get("/webhooks").await;
    let all = all["data"].as_array().unwrap();
    let own = all.iter().find(|hook| hook["url"] == listener.receiver.url()).unwrap();
    let path = format!("/webhooks/{}/ping", text(own, "id"));
    whole.api.done("POST", &path, Some(json!({}))).await;
    listener.hears(OF_RECEIVERS).await;
}
