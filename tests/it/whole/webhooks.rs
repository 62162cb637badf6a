//! Webhooks from an event to a receiver that verifies it.

use serde_json::{Value, json};

use super::Whole;
use crate::support::api_client::text;
use crate::support::receiver::{Act, Got, Receiver};
use crate::support::until::until;

/// Retries come soon.
pub const SOON: &[(&str, &str)] =
    &[("ORBITRA_WEBHOOK_SCHEDULE", "0,0,0"), ("ORBITRA_WEBHOOK_TIMEOUT", "2")];

/// A webhook as it is answered when it is made.
pub async fn hook(whole: &Whole, receiver: &Receiver, events: &[&str]) -> Value {
    let body = json!({ "url": receiver.url(), "events": events });
    whole.api.done("POST", "/webhooks", Some(body)).await
}

/// Waits until a webhook's newest delivery is over, and answers it with all that is known of it.
pub async fn over(whole: &Whole, hook: &Value) -> Value {
    let path = format!("/webhooks/{}/deliveries", text(hook, "id"));
    let id = until("a delivery is over", async || {
        let list = whole.api.get(&path).await;
        let newest = &list["data"][0];
        newest["completed_at"].is_string().then(|| text(newest, "id"))
    })
    .await;
    whole.api.get(&format!("{path}/{id}")).await
}

/// The same event: the same id and, byte for byte, the same body.
fn same(one: &Got, other: &Got) -> bool {
    one.event_id() == other.event_id()
        && one.body == other.body
        && one.header("webhook-id") == other.header("webhook-id")
}

#[tokio::test]
async fn events_reach_a_receiver_that_verifies_them() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    let hook = hook(&whole, &receiver, &["project.*", "deployment.*"]).await;
    let secret = text(&hook, "secret");
    let project = whole.api.project("shop", json!({})).await;
    let repository = whole.repository(&json!({"body": "one"}));
    let live = whole.api.deploy_live(&project, &repository).await;
    let got = receiver.wait(3).await;
    let names: Vec<_> = got.iter().map(|one| one.header("x-orbitra-event").to_owned()).collect();
    for name in ["project.created", "deployment.created", "deployment.succeeded"] {
        assert!(names.iter().any(|one| one == name), "{names:?}");
    }
    for one in &got {
        assert!(one.verifies(&secret), "{one:?}");
        assert_eq!(one.path, "/hook");
        assert_eq!(one.header("content-type"), "application/json");
        assert_eq!(one.header("user-agent"), "Orbitra-Webhooks/1");
        assert_eq!(one.header("x-orbitra-attempt"), "1");
        assert!(one.header("x-orbitra-delivery").starts_with("dlv_"));
        assert_eq!(one.event_id(), one.header("webhook-id"));
        let signature = one.header("x-orbitra-signature");
        let at = one.header("webhook-timestamp");
        assert!(signature.starts_with(&format!("t={at},v1=")), "{signature}");
        assert!(one.body.starts_with(r#"{"event":""#) && one.body.contains(r#"","timestamp":""#));
        let body = one.json();
        assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
        assert_eq!(body["event"], one.header("x-orbitra-event"));
        // What is altered is refused, by the body as by each header.
        let altered =
            Got { body: one.body.replace("shop", "shoq").replace('p', "q"), ..one.clone() };
        assert!(!altered.verifies(&secret));
        let mut headers = one.headers.clone();
        headers.insert("webhook-id", "evt_0000000000000000".parse().unwrap());
        assert!(!Got { headers, ..one.clone() }.verifies(&secret));
    }
    let succeeded = got.iter().find(|one| one.json()["event"] == "deployment.succeeded").unwrap();
    let data = &succeeded.json()["data"];
    let keys: Vec<_> = data.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["deployment_id", "duration_ms", "project_id", "status", "url"]);
    assert_eq!((&data["deployment_id"], &data["status"]), (&live["id"], &json!("live")));
    // It is the event of the log.
    let event = whole.api.get(&format!("/events/{}", succeeded.event_id())).await;
    assert_eq!((&event["event"], &event["data"]), (&json!("deployment.succeeded"), data));
    assert_eq!(event["timestamp"], succeeded.json()["timestamp"]);
    let shown = over(&whole, &hook).await;
    assert_eq!(shown["status"], "succeeded");
    let attempt = &shown["attempts"][0];
    assert_eq!(
        (&attempt["response_status"], &attempt["response_body"]),
        (&json!(200), &json!("ok"))
    );
    let sent = got.iter().find(|one| one.event_id() == shown["event_id"]).unwrap();
    assert_eq!(shown["request_body"], sent.body);
    let signature = &attempt["request_headers"]["X-Orbitra-Signature"];
    assert_eq!(signature, sent.header("x-orbitra-signature"));
    assert_eq!(attempt["request_headers"]["webhook-signature"], sent.header("webhook-signature"));
    let shown = whole.api.get(&format!("/webhooks/{}", text(&hook, "id"))).await;
    assert_eq!(
        (&shown["status"], &shown["last_delivery"]["response_status"]),
        (&json!("active"), &json!(200))
    );
}

#[tokio::test]
async fn only_what_was_chosen_is_sent_and_only_of_the_project() {
    let whole = Whole::start().await;
    let (all, mine, other) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let shop = whole.api.project("shop", json!({})).await;
    hook(&whole, &all, &["*"]).await;
    let body = json!({ "url": mine.url(), "events": ["project.updated"], "project_id": "shop" });
    let made = whole.api.done("POST", "/webhooks", Some(body)).await;
    assert_eq!(made["project_id"], shop.as_str());
    let off = json!({ "url": other.url(), "events": ["*"], "enabled": false });
    let off = whole.api.done("POST", "/webhooks", Some(off)).await;
    assert_eq!((&off["enabled"], &off["status"]), (&json!(false), &json!("disabled")));
    let blog = whole.api.project("blog", json!({})).await;
    for project in [&shop, &blog] {
        let change = json!({ "description": "x" });
        whole.api.done("PATCH", &format!("/projects/{project}"), Some(change)).await;
    }
    let got = mine.wait(1).await;
    all.wait(3).await;
    assert_eq!((got.len(), &got[0].json()["data"]["project_id"]), (1, &json!(shop)));
    assert_eq!((mine.count(), other.count()), (1, 0));
    // What happens to a project at its end is still told.
    let path = format!("/webhooks/{}", text(&made, "id"));
    whole.api.done("PATCH", &path, Some(json!({ "events": ["project.deleted"] }))).await;
    whole.api.done("DELETE", &format!("/projects/{shop}"), None).await;
    let got = mine.wait(2).await;
    assert_eq!(got[1].json()["data"]["name"], "shop");
}

#[tokio::test]
async fn a_ping_waits_for_the_answer_and_is_sent_once() {
    let whole = Whole::start_with(SOON).await;
    let receiver = Receiver::start().await;
    let hook = hook(&whole, &receiver, &["project.created"]).await;
    let path = format!("/webhooks/{}/ping", text(&hook, "id"));
    receiver.next(&[Act::Answer(500, "", "<b>broken</b>")]);
    let failed = whole.api.done("POST", &path, None).await;
    assert_eq!((&failed["status"], &failed["attempt_count"]), (&json!("failed"), &json!(1)));
    assert_eq!(failed["attempts"][0]["response_status"], 500);
    let good = whole.api.done("POST", &path, Some(json!({}))).await;
    assert_eq!((&good["status"], &good["event"]), (&json!("succeeded"), &json!("webhook.ping")));
    let got = receiver.got();
    assert_eq!(got.len(), 2, "no retries");
    assert!(got[1].verifies(&text(&hook, "secret")));
    let body = got[1].json();
    assert_eq!(body["data"], json!({ "webhook_id": hook["id"], "message": "Hello from Orbitra" }));
    // It is nothing that happened.
    let events = whole.api.get("/events?event=webhook.*").await;
    assert_eq!(events["pagination"]["total"], 0);
    let shown = whole.api.get(&format!("/webhooks/{}", text(&hook, "id"))).await;
    assert_eq!(shown["status"], "active");
    // One that hangs is given up after the time of an attempt.
    receiver.next(&[Act::Hang]);
    let slow = whole.api.done("POST", &path, None).await;
    assert_eq!(slow["attempts"][0]["error"], "timeout");
    // The same request again sends nothing more.
    let (_, first) = whole.api.try_call("POST", &path, None, Some("once")).await.unwrap();
    let count = receiver.count();
    let (_, again) = whole.api.try_call("POST", &path, None, Some("once")).await.unwrap();
    assert_eq!((first, receiver.count()), (again, count));
    let off = json!({ "enabled": false });
    whole.api.done("PATCH", &format!("/webhooks/{}", text(&hook, "id")), Some(off)).await;
    let (status, refused) = whole.api.call("POST", &path, None).await;
    assert_eq!((status, &refused["error"]["details"]["reason"]), (409, &json!("webhook_disabled")));
}

#[tokio::test]
async fn a_redelivery_has_the_same_event_and_a_new_signature() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    let hook = hook(&whole, &receiver, &["project.created"]).await;
    receiver.always(Act::Answer(500, "set-cookie: id=secret\r\nx-why: test\r\n", "no"));
    whole.api.project("shop", json!({})).await;
    receiver.wait(1).await;
    let list = format!("/webhooks/{}/deliveries", text(&hook, "id"));
    let first = until("an attempt is stored", async || {
        let first = whole.api.get(&list).await["data"][0].clone();
        (first["attempt_count"] == 1).then_some(first)
    })
    .await;
    assert_eq!(first["status"], "retrying");
    assert!(first["next_attempt_at"].is_string());
    let shown = whole.api.get(&format!("{list}/{}", text(&first, "id"))).await;
    let headers = &shown["attempts"][0]["response_headers"];
    assert_eq!((&headers["x-why"], &headers["set-cookie"]), (&json!("test"), &Value::Null));
    receiver.always(Act::Answer(204, "", ""));
    let path = format!("{list}/{}/redeliver", text(&first, "id"));
    let again = whole.api.done("POST", &path, None).await;
    assert_eq!(again["redelivery_of"], first["id"]);
    assert_ne!(again["id"], first["id"]);
    let got = receiver.wait(2).await;
    assert!(same(&got[0], &got[1]));
    assert!(got.iter().all(|one| one.verifies(&text(&hook, "secret"))));
    assert_eq!(got[1].header("x-orbitra-delivery"), text(&again, "id"));
    assert_eq!(over(&whole, &hook).await["status"], "succeeded");
    let (status, _) = whole.api.call("POST", &format!("{list}/dlv_000000/redeliver"), None).await;
    assert_eq!(status, 404);
    // After a delivery, the oldest first; and by what is asked for.
    let page = whole.api.get(&format!("{list}?after={}", text(&first, "id"))).await;
    assert_eq!(page["data"][0]["id"], again["id"]);
    let page = whole.api.get(&format!("{list}?status=succeeded,failed&event=project.*")).await;
    assert_eq!(page["pagination"]["total"], 1);
    let page = whole.api.get(&format!("{list}?event_id={}", got[0].event_id())).await;
    assert_eq!(page["pagination"]["total"], 2);
    for (query, total) in [
        ("created_after=2020-01-01T00:00:00Z", 2),
        ("created_after=2100-01-01T00:00:00Z", 0),
        ("created_before=2020-01-01T00:00:00Z", 0),
    ] {
        let page = whole.api.get(&format!("{list}?{query}")).await;
        assert_eq!(page["pagination"]["total"], total, "{query}");
    }
}

#[tokio::test]
async fn during_a_rotation_both_secrets_verify() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    let hook = hook(&whole, &receiver, &["project.created"]).await;
    let first = text(&hook, "secret");
    let path = format!("/webhooks/{}", text(&hook, "id"));
    let rotated = whole.api.done("POST", &format!("{path}/rotate-secret"), None).await;
    let second = text(&rotated, "secret");
    assert!(rotated["previous_secret_expires_at"].is_string());
    whole.api.project("one", json!({})).await;
    let got = receiver.wait(1).await;
    assert!(got[0].verifies(&first) && got[0].verifies(&second));
    assert_eq!(got[0].header("x-orbitra-signature").matches("v1=").count(), 2);
    // Never more than two.
    let rotated = whole.api.done("POST", &format!("{path}/rotate-secret"), None).await;
    whole.api.project("two", json!({})).await;
    let got = receiver.wait(2).await;
    assert!(!got[1].verifies(&first) && got[1].verifies(&second));
    assert!(got[1].verifies(&text(&rotated, "secret")));
    // A leak ends it at once.
    let body = json!({ "grace_seconds": 0 });
    let rotated = whole.api.done("POST", &format!("{path}/rotate-secret"), Some(body)).await;
    assert_eq!(rotated["previous_secret_expires_at"], Value::Null);
    whole.api.project("three", json!({})).await;
    let got = receiver.wait(3).await;
    assert!(!got[2].verifies(&second) && got[2].verifies(&text(&rotated, "secret")));
    let shown = whole.api.get(&path).await;
    let end = text(&rotated, "secret");
    assert_eq!(shown["secret_hint"], format!("whsec_…{}", &end[end.len() - 4..]));
    assert_eq!(shown["secret"], Value::Null);
}

#[tokio::test]
async fn what_was_missed_is_replayed() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    let hook = hook(&whole, &receiver, &["project.*"]).await;
    let path = format!("/webhooks/{}", text(&hook, "id"));
    whole.api.project("one", json!({})).await;
    let first = receiver.wait(1).await.remove(0);
    over(&whole, &hook).await;
    whole.api.done("PATCH", &path, Some(json!({ "enabled": false }))).await;
    whole.api.project("two", json!({})).await;
    whole.api.project("three", json!({})).await;
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    let replay = format!("{path}/replay");
    let (status, _) = whole.api.call("POST", &replay, Some(since.clone())).await;
    assert_eq!(status, 409);
    whole.api.done("PATCH", &path, Some(json!({ "enabled": true }))).await;
    let queued = whole.api.done("POST", &replay, Some(since.clone())).await;
    assert_eq!(queued, json!({ "queued": 2 }));
    let got = receiver.wait(3).await;
    let mut names: Vec<_> = got[1..].iter().map(|one| text(&one.json()["data"], "name")).collect();
    names.sort();
    assert_eq!(names, ["three", "two"]);
    // Everything, after an event, and some events alone.
    until("all have arrived", async || {
        let open = whole.api.get(&format!("{path}/deliveries?status=pending,retrying")).await;
        (open["pagination"]["total"] == 0).then_some(())
    })
    .await;
    assert_eq!(whole.api.done("POST", &replay, Some(since)).await, json!({ "queued": 0 }));
    for (body, count) in [
        (json!({ "since": "2020-01-01T00:00:00Z", "only_failed": false }), 3),
        (json!({ "since": first.event_id(), "only_failed": false }), 2),
        (
            json!({ "since": first.event_id(), "only_failed": false, "events": ["project.updated"] }),
            0,
        ),
        (json!({ "since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z" }), 0),
    ] {
        let queued = whole.api.done("POST", &replay, Some(body.clone())).await;
        assert_eq!(queued["queued"], count, "{body}");
    }
    let got = receiver.wait(8).await;
    let again = got[3..].iter().find(|one| one.event_id() == first.event_id()).unwrap();
    assert!(same(again, &first));
    for (body, field) in [
        (json!({ "since": "yesterday" }), "since"),
        (json!({ "since": "evt_0000000000000000" }), "since"),
        (json!({ "since": "2020-01-01T00:00:00Z", "until": "then" }), "until"),
        (json!({ "since": "2020-01-01T00:00:00Z", "events": ["nothing"] }), "events"),
    ] {
        let (status, refused) = whole.api.call("POST", &replay, Some(body.clone())).await;
        let invalid = &refused["error"]["details"]["invalid_fields"][0]["field"];
        assert_eq!((status, invalid), (400, &json!(field)), "{body}");
    }
}

#[tokio::test]
async fn more_than_ten_thousand_events_are_not_replayed() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    let hook = hook(&whole, &receiver, &["user.*"]).await;
    whole.api.project("one", json!({})).await;
    // As many as one may want, and one more.
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)
        INSERT INTO events (id, event, team_id, project_id, data, created_at)
        SELECT printf('evt_%016d', i), 'user.updated', e.team_id, NULL, '{}', e.created_at
        FROM n, (SELECT team_id, created_at FROM events LIMIT 1) e";
    assert_eq!(whole.change_rows(many, []), 10_001);
    let path = format!("/webhooks/{}", text(&hook, "id"));
    let since = json!({ "since": "2020-01-01T00:00:00Z", "events": ["user.updated"] });
    let (status, refused) =
        whole.api.call("POST", &format!("{path}/replay"), Some(since.clone())).await;
    let error = &refused["error"];
    assert_eq!((status, &error["code"]), (400, &json!("invalid_request")), "{refused}");
    let invalid = &error["details"]["invalid_fields"][0];
    assert_eq!((&invalid["field"], &invalid["code"]), (&json!("since"), &json!("out_of_range")));
    let list = whole.api.get(&format!("{path}/deliveries")).await;
    assert_eq!(list["pagination"]["total"], 0, "nothing is queued");
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn what_is_asked_twice_with_one_key_happens_once() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    let hook = hook(&whole, &receiver, &["project.created"]).await;
    let path = format!("/webhooks/{}", text(&hook, "id"));
    whole.api.project("one", json!({})).await;
    receiver.wait(1).await;
    let first = text(&over(&whole, &hook).await, "id");
    let since = json!({ "since": "2020-01-01T00:00:00Z", "only_failed": false });
    for (once, operation, body, status) in [
        ("one", "rotate-secret".to_owned(), json!({}), 200),
        ("two", format!("deliveries/{first}/redeliver"), json!({}), 202),
        ("three", "replay".to_owned(), since, 202),
    ] {
        let operation = format!("{path}/{operation}");
        let ask = async |body: &Value| {
            whole.api.try_call("POST", &operation, Some(body.clone()), Some(once)).await
        };
        let (one, two) = (ask(&body).await.unwrap(), ask(&body).await.unwrap());
        assert_eq!(one.0, status, "{operation}: {}", one.1);
        assert_eq!(one, two, "{operation}");
        // The key stands for what it was used with.
        let other = json!({ "since": "2021-01-01T00:00:00Z", "grace_seconds": 1 });
        let (status, refused) = ask(&other).await.unwrap();
        let reason = &refused["error"]["details"]["reason"];
        assert_eq!((status, reason), (422, &json!("idempotency_key_reused")), "{operation}");
    }
    until("what was asked is over", async || {
        let open = whole.api.get(&format!("{path}/deliveries?status=pending,retrying")).await;
        (open["pagination"]["total"] == 0).then_some(())
    })
    .await;
    let list = whole.api.get(&format!("{path}/deliveries")).await;
    assert_eq!(list["pagination"]["total"], 3, "the event, its redelivery and its replay");
    assert_eq!(receiver.count(), 3);
}
