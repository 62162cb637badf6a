//! What is kept has bounds: by count, by age, by what the disk holds. What is needed never goes.

use orbitra::app::users::NewUser;
use orbitra::model::build_cache::Record;
use orbitra::model::timestamp::Timestamp;
use orbitra::model::user::Plan;
use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::{Api, text};
use crate::support::git_server::Repository;
use crate::support::until::until;

/// The API as an instance admin uses it.
async fn admin(whole: &Whole) -> Api {
    let new = NewUser {
        email: "admin@example.com".to_owned(),
        name: "Admin".to_owned(),
        plan: Plan::Enterprise,
        instance_admin: true,
        password: None,
    };
    let app = whole.app();
    app.create_user(new).await.unwrap();
    let key = app.create_key_for("admin@example.com", "tests", &["full".to_owned()]).await;
    Api { port: whole.api.port, key: key.unwrap().1 }
}

/// Deploys another commit and waits until it is live.
async fn redeploy(whole: &Whole, project: &str, repository: &Repository, number: usize) -> String {
    change(repository, &json!({ "body": format!("number {number}") }));
    text(&whole.api.deploy_live(project, repository).await, "id")
}

/// Waits until so many images of this instance are left.
async fn images(whole: &Whole, count: usize) {
    until("images are removed", async || (whole.engine.images().len() == count).then_some(()))
        .await;
}

/// Makes everything older than an hour and lets previews sleep, as if time had passed.
fn an_hour_later(whole: &Whole) {
    let database = rusqlite::Connection::open(whole.data.path().join("orbitra.db")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let sql = "UPDATE deployments SET finished_at = finished_at - 7200000, created_at = created_at - 7200000;
        UPDATE deployments SET run_state = 'stopped' WHERE target = 'preview'";
    database.execute_batch(sql).unwrap();
}

fn ids_of(answer: &Value) -> Vec<String> {
    let mut ids: Vec<_> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["deployment_id"].as_str().map(str::to_owned))
        .collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn redeploys_leave_what_the_project_keeps() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({}));
    let project = whole.project("shop").await;
    whole.api.done("PATCH", &format!("/projects/{project}"), Some(json!({"keep_images": 2}))).await;
    let mut made = Vec::new();
    for number in 0..8 {
        made.push(redeploy(&whole, &project, &repository, number).await);
        // The count holds after each of them, not only at the end.
        images(&whole, made.len().min(3)).await;
    }
    let admin = admin(&whole).await;
    let statuses: Vec<_> =
        whole.api.statuses(&project).await.into_iter().map(|(_, status)| status).collect();
    let (kept, removed) = statuses.split_at(3);
    assert_eq!(kept, ["live", "superseded", "superseded"]);
    assert!(removed.iter().all(|status| status == "removed"), "{removed:?}");
    assert_eq!(whole.site("shop").await, "number 7");

    // Its URL says so, and it cannot get the traffic any more.
    let gone = whole.own_url(&made[0]).await;
    assert_eq!(gone.status, 410, "{}", gone.body);
    for path in
        [format!("/deployments/{}/promote", made[0]), format!("/projects/{project}/rollback")]
    {
        let body = json!({ "deployment_id": made[0] });
        let body = if path.ends_with("promote") { json!({}) } else { body };
        let (status, answer) = whole.api.call("POST", &path, Some(body)).await;
        assert_eq!((status, &answer["error"]["details"]["reason"]), (409, &json!("image_removed")));
    }
    // The record and the log stay.
    assert!(!whole.api.log(&made[0]).await.is_empty());

    let ledger = until("the ledger says so", async || {
        let ledger = admin.get("/system/gc?limit=100").await;
        let done = |entry: &Value| entry["removed_at"].is_string();
        let entries = ledger["data"].as_array().unwrap().clone();
        (entries.len() == 5 && entries.iter().all(done)).then_some(entries)
    })
    .await;
    // The newest first.
    for (entry, id) in ledger.iter().zip(made[..5].iter().rev()) {
        assert_eq!(entry["deployment_id"], **id);
        assert_eq!(
            (&entry["kind"], &entry["rule"]),
            (&json!("deployment"), &json!("old_production"))
        );
        assert_eq!(entry["bytes"], 1000);
        assert!(text(entry, "name").ends_with(".localhost"), "{entry}");
    }
    // What it goes back to is there.
    let path = format!("/projects/{project}/rollback");
    whole.api.done("POST", &path, Some(json!({}))).await;
    whole.released(&made[6]).await;
    assert_eq!(whole.site("shop").await, "number 6");
}

#[tokio::test]
async fn what_would_go_is_said_first_and_nothing_of_others_goes() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({}));
    let project = whole.project("shop").await;
    let live = redeploy(&whole, &project, &repository, 0).await;
    let mut previews = Vec::new();
    for number in 1..4 {
        change(&repository, &json!({ "body": format!("preview {number}") }));
        let fields = json!({ "target": "preview", "promote": false });
        let id = whole.api.deploy(&project, &repository, fields).await;
        assert_eq!(whole.api.finished(&id).await["status"], "staged");
        previews.push(id);
    }
    let theirs = Record {
        id: "theirs".to_owned(),
        parents: Vec::new(),
        description: "mount / from exec /bin/sh -c make world".to_owned(),
        bytes: 5_000_000,
        in_use: false,
        shared: false,
        created_at: Timestamp(0),
        last_used_at: Timestamp(0),
    };
    whole.engine.change_cache(|cache| cache.push(theirs));
    let admin = admin(&whole).await;
    let ask = async |body: Value| admin.done("POST", "/system/gc", Some(body)).await;
    // What is young stays, whoever asks.
    let young = ask(json!({ "build_cache": false })).await;
    assert_eq!(young, json!({ "reclaimed_bytes": 0, "items": [] }));

    an_hour_later(&whole);
    let dry = ask(json!({ "dry_run": true })).await;
    let (older, newest) = previews.split_at(2);
    let mut older = older.to_vec();
    older.sort();
    assert_eq!(ids_of(&dry), older);
    // Four builds of this instance left ten bytes each.
    assert_eq!(dry["reclaimed_bytes"], 2 * 1000 + 4 * 10, "{dry}");
    let cache = dry["items"].as_array().unwrap().iter().find(|item| item["kind"] == "build_cache");
    assert_eq!(cache.unwrap()["project_id"], *project);
    assert_eq!((whole.engine.images().len(), whole.engine.cache().len()), (4, 5));

    let real = ask(json!({})).await;
    assert_eq!(real, dry);
    let left: Vec<_> = whole.engine.cache().into_iter().map(|record| record.id).collect();
    assert_eq!(left, ["theirs"]);
    for (id, status) in whole.api.statuses(&project).await {
        let expected = match &id {
            id if *id == live => "live",
            id if newest.contains(id) => "staged",
            _ => "removed",
        };
        assert_eq!(status, expected, "{id}");
    }
    let again = ask(json!({})).await;
    assert_eq!(again, json!({ "reclaimed_bytes": 0, "items": [] }));
    let audited = admin.get("/audit-log?action=system.gc").await;
    assert_eq!(audited["pagination"]["total"], 3);
    let disk = admin.get("/system").await["disk"].clone();
    assert_eq!(disk["images_bytes"], 1_000_000 + 2 * 1000, "{disk}");
    // An hour is not long enough ago for them to be somebody else's.
    assert_eq!(disk["build_cache_bytes"], 0);
}

#[tokio::test]
async fn a_preview_that_nobody_used_for_its_time_expires_and_what_is_live_does_not() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({}));
    let project = whole.project("shop").await;
    let live = redeploy(&whole, &project, &repository, 0).await;
    let fields = json!({ "target": "preview", "promote": false });
    let preview = whole.api.deploy(&project, &repository, fields).await;
    assert_eq!(whole.api.finished(&preview).await["status"], "staged");
    whole.cut_off();
    // Fourteen days, and a minute.
    let sql = "UPDATE deployments SET finished_at = finished_at - ?1, created_at = created_at - ?1,
        used_at = used_at - ?1, run_state = iif(target = 'preview', 'stopped', run_state)";
    let age = 14 * 86_400_000 + 60_000;
    assert_eq!(whole.change_rows(sql, [&age.to_string()]), 2);
    whole.run().await;
    let admin = admin(&whole).await;
    admin.done("POST", "/system/gc", Some(json!({}))).await;
    until("the preview is gone", async || {
        (whole.own_url(&preview).await.status == 410).then_some(())
    })
    .await;
    assert_eq!(whole.api.get(&format!("/deployments/{live}")).await["status"], "live");
    let shown = whole.api.get(&format!("/deployments/{preview}")).await;
    assert_eq!(shown["status"], "removed", "{shown}");
}

#[tokio::test]
async fn a_removal_that_was_cut_off_is_gone_on_with() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({}));
    let project = whole.project("shop").await;
    whole.api.done("PATCH", &format!("/projects/{project}"), Some(json!({"keep_images": 1}))).await;
    let mut made = Vec::new();
    for number in 0..2 {
        made.push(redeploy(&whole, &project, &repository, number).await);
    }
    whole.engine.set_stubborn(true);
    made.push(redeploy(&whole, &project, &repository, 2).await);
    // Written down, and not possible.
    until("it counts as removed", async || {
        (whole.own_url(&made[0]).await.status == 410).then_some(())
    })
    .await;
    assert_eq!(whole.engine.images().len(), 3);
    let admin = admin(&whole).await;
    let entry = admin.get("/system/gc").await["data"][0].clone();
    assert_eq!((&entry["deployment_id"], &entry["removed_at"]), (&json!(made[0]), &Value::Null));

    whole.cut_off();
    whole.engine.set_stubborn(false);
    whole.run().await;
    images(&whole, 2).await;
    let admin = Api { port: whole.api.port, ..admin };
    let ledger = until("the ledger says so", async || {
        let ledger = admin.get("/system/gc").await;
        ledger["data"][0]["removed_at"].is_string().then_some(ledger)
    })
    .await;
    assert_eq!(ledger["pagination"]["total"], 1);
    assert_eq!(whole.site("shop").await, "number 2");
}

#[tokio::test]
async fn a_full_disk_makes_room_before_it_refuses_and_keeps_what_is_needed() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({}));
    let project = whole.project("shop").await;
    let first = redeploy(&whole, &project, &repository, 0).await;
    redeploy(&whole, &project, &repository, 1).await;
    assert_eq!(whole.engine.cache().len(), 2);
    whole.stop().await;
    whole.more = vec![("ORBITRA_DISK_FLOOR", "99999999")];
    whole.run().await;
    let body = json!({ "git_url": repository.url });
    let path = format!("/projects/{project}/deployments");
    let (status, answer) = whole.api.call("POST", &path, Some(body)).await;
    assert_eq!((status, &answer["error"]["details"]["reason"]), (503, &json!("disk_full")));
    // What could be made again is gone; what visitors get and what the project goes back to is not.
    assert_eq!(whole.engine.cache(), []);
    assert_eq!(whole.engine.images().len(), 2);
    assert_eq!(whole.site("shop").await, "number 1");
    assert_eq!(whole.own_url(&first).await.body, "number 0");
    let admin = admin(&whole).await;
    let rules: Vec<_> = admin.get("/system/gc").await["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| text(entry, "rule"))
        .collect();
    assert!(rules.contains(&"build_cache".to_owned()), "{rules:?}");
}

#[tokio::test]
async fn a_key_that_is_repeated_gets_the_same_answer_and_frees_once() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({}));
    let project = whole.project("shop").await;
    redeploy(&whole, &project, &repository, 0).await;
    let admin = admin(&whole).await;
    let ask = async || {
        let request = http::Request::post("/api/v1/system/gc")
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {}", admin.key))
            .header("content-type", "application/json")
            .header("idempotency-key", "once")
            .body(http_body_util::Full::new(bytes::Bytes::from_static(b"{}")));
        crate::support::api_client::send(admin.port, request.unwrap()).await.unwrap()
    };
    let (first, second) = (ask().await, ask().await);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200), "{}", second.body);
    assert_eq!(first.body, second.body);
    assert!(first.body.contains("\"reclaimed_bytes\":10,"), "{}", first.body);
    assert_eq!(second.headers["idempotent-replayed"], "true");
    assert_eq!(admin.get("/system/gc").await["pagination"]["total"], 1);
}
