//! What receivers answer, and what follows.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use super::Whole;
use super::webhooks::{SOON, hook, over};
use crate::support::api_client::text;
use crate::support::receiver::{Act, Receiver};
use crate::support::until::until;

/// A webhook for new projects, and one such event.
async fn told(whole: &Whole, receiver: &Receiver) -> Value {
    let hook = hook(whole, receiver, &["project.created"]).await;
    whole.api.project("shop", json!({})).await;
    hook
}

/// The first delivery once it has had an attempt.
async fn tried(whole: &Whole, hook: &Value) -> Value {
    let path = format!("/webhooks/{}/deliveries", text(hook, "id"));
    until("an attempt is stored", async || {
        let list = whole.api.get(&path).await;
        let first = list["data"].as_array().unwrap().last().cloned()?;
        (first["attempt_count"] != 0).then_some(first)
    })
    .await
}

/// Seconds from its last attempt to the next.
fn wait_of(delivery: &Value) -> i64 {
    let at = |text: &Value| {
        orbitra::model::timestamp::Timestamp::parse(text.as_str().unwrap()).unwrap().seconds()
    };
    at(&delivery["next_attempt_at"]) - at(&delivery["attempts"][0]["started_at"])
}

#[tokio::test]
async fn failures_are_retried_with_the_same_event_until_one_succeeds() {
    let whole = Whole::start_with(SOON).await;
    let receiver = Receiver::start().await;
    receiver.next(&[
        Act::Answer(500, "", "broken"),
        Act::Close,
        Act::Answer(302, "location: http://169.254.169.254/\r\nrefresh: 0;url=/x\r\n", ""),
    ]);
    let hook = told(&whole, &receiver).await;
    let done = over(&whole, &hook).await;
    assert_eq!((&done["status"], &done["attempt_count"]), (&json!("succeeded"), &json!(4)));
    let errors: Vec<_> =
        done["attempts"].as_array().unwrap().iter().map(|a| a["error"].clone()).collect();
    assert_eq!(errors, [Value::Null, json!("connect_failed"), json!("redirect"), Value::Null]);
    let got = receiver.got();
    assert_eq!(got.len(), 4, "no redirect was followed");
    for (number, one) in got.iter().enumerate() {
        assert_eq!(one.header("x-orbitra-attempt"), (number + 1).to_string());
        assert_eq!((one.event_id(), &one.body), (got[0].event_id(), &got[0].body));
        assert_eq!(one.header("x-orbitra-delivery"), got[0].header("x-orbitra-delivery"));
        assert!(one.verifies(&text(&hook, "secret")));
    }
}

#[tokio::test]
async fn a_delivery_is_given_up_when_the_schedule_ends() {
    let whole = Whole::start_with(SOON).await;
    let receiver = Receiver::start().await;
    receiver.always(Act::Answer(503, "", ""));
    let hook = told(&whole, &receiver).await;
    let done = over(&whole, &hook).await;
    assert_eq!((&done["status"], &done["attempt_count"]), (&json!("failed"), &json!(4)));
    assert_eq!(done["next_attempt_at"], Value::Null);
    let shown = whole.api.get(&format!("/webhooks/{}", text(&hook, "id"))).await;
    assert_eq!((&shown["status"], &shown["enabled"]), (&json!("failing"), &json!(true)));
    assert_eq!(shown["last_delivery"]["status"], "failed");
    receiver.always(Act::Answer(200, "", ""));
    whole.api.project("blog", json!({})).await;
    until("it is active again", async || {
        let shown = whole.api.get(&format!("/webhooks/{}", text(&hook, "id"))).await;
        (shown["status"] == "active").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_default_schedule_and_retry_after_say_when() {
    let whole = Whole::start().await;
    for (answer, least, most) in [
        (Act::Answer(500, "", ""), 4, 7),
        (Act::Answer(500, "retry-after: 120\r\n", ""), 4, 7),
        (Act::Answer(429, "retry-after: 120\r\n", ""), 119, 122),
        (Act::Answer(503, "retry-after: 1\r\n", ""), 4, 7),
        (Act::Answer(503, "retry-after: Fri, 31 Dec 2100 23:59:59 GMT\r\n", ""), 86_399, 86_402),
        (Act::Answer(429, "retry-after: never\r\n", ""), 4, 7),
    ] {
        let receiver = Receiver::start().await;
        receiver.always(answer.clone());
        let hook = hook(&whole, &receiver, &["webhook.ping", "project.created"]).await;
        let name = format!("p{}", receiver.port);
        whole.api.project(&name, json!({})).await;
        let first = tried(&whole, &hook).await;
        let wait = wait_of(&first);
        assert!((least..=most).contains(&wait), "{answer:?}: {wait} s");
        whole.api.done("DELETE", &format!("/webhooks/{}", text(&hook, "id")), None).await;
    }
}

#[tokio::test]
async fn whoever_answers_gone_is_left_alone_and_the_others_are_told() {
    let whole = Whole::start_with(SOON).await;
    let (gone, other) = (Receiver::start().await, Receiver::start().await);
    gone.always(Act::Answer(410, "", ""));
    hook(&whole, &other, &["webhook.disabled"]).await;
    let hook = told(&whole, &gone).await;
    let told = other.wait(1).await;
    assert_eq!(told[0].json()["data"], json!({ "webhook_id": hook["id"], "reason": "gone" }));
    let path = format!("/webhooks/{}", text(&hook, "id"));
    let shown = whole.api.get(&path).await;
    assert_eq!(
        (&shown["enabled"], &shown["status"], &shown["disabled_reason"]),
        (&json!(false), &json!("disabled"), &json!("gone"))
    );
    whole.api.project("blog", json!({})).await;
    let deliveries = whole.api.get(&format!("{path}/deliveries")).await;
    assert_eq!((&deliveries["pagination"]["total"], gone.count()), (&json!(1), 1));
    assert_eq!(deliveries["data"][0]["status"], "failed");
    let enabled = whole.api.done("PATCH", &path, Some(json!({ "enabled": true }))).await;
    assert_eq!((&enabled["status"], &enabled["disabled_reason"]), (&json!("active"), &Value::Null));
    let audit = whole.api.get("/audit-log?action=webhook.disabled").await;
    assert_eq!(audit["data"][0]["actor"]["type"], "system");
}

#[tokio::test]
async fn one_that_takes_nothing_for_days_is_disabled() {
    let whole = Whole::start_with(&[("ORBITRA_WEBHOOK_SCHEDULE", "0")]).await;
    let (failing, other) = (Receiver::start().await, Receiver::start().await);
    failing.always(Act::Answer(500, "", ""));
    hook(&whole, &other, &["webhook.disabled"]).await;
    let hook = told(&whole, &failing).await;
    over(&whole, &hook).await;
    let path = format!("/webhooks/{}", text(&hook, "id"));
    assert_eq!(whole.api.get(&path).await["enabled"], true);
    // Five days later.
    whole.change_rows(
        "UPDATE webhooks SET failing_since = failing_since - 5 * 86400000 WHERE failing_since > 0",
        [],
    );
    whole.api.project("blog", json!({})).await;
    let told = other.wait(1).await;
    assert_eq!(told[0].json()["data"]["reason"], "failing");
    let shown = whole.api.get(&path).await;
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("failing")));
    let open = whole.api.get(&format!("{path}/deliveries?status=pending,retrying")).await;
    assert_eq!(open["pagination"]["total"], 0);
}

#[tokio::test]
async fn a_receiver_that_says_nothing_has_fifteen_seconds() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    receiver.always(Act::Hang);
    let hook = told(&whole, &receiver).await;
    let first = tried(&whole, &hook).await;
    let attempt = &first["attempts"][0];
    assert_eq!((&attempt["error"], &first["status"]), (&json!("timeout"), &json!("retrying")));
    let took = attempt["duration_ms"].as_u64().unwrap();
    assert!((15_000..20_000).contains(&took), "{took} ms");
}

#[tokio::test]
async fn disabling_cancels_what_waits() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    receiver.always(Act::Answer(500, "", ""));
    let hook = told(&whole, &receiver).await;
    tried(&whole, &hook).await;
    let path = format!("/webhooks/{}", text(&hook, "id"));
    whole.api.done("PATCH", &path, Some(json!({ "enabled": false }))).await;
    let done = over(&whole, &hook).await;
    assert_eq!((&done["status"], &done["next_attempt_at"]), (&json!("canceled"), &Value::Null));
    let again = format!("{path}/deliveries/{}/redeliver", text(&done, "id"));
    let (status, refused) = whole.api.call("POST", &again, None).await;
    assert_eq!((status, &refused["error"]["details"]["reason"]), (409, &json!("webhook_disabled")));
}

#[tokio::test]
async fn a_receiver_that_fails_five_times_in_a_row_is_said_to_fail() {
    let whole = Whole::start_with(&[("ORBITRA_WEBHOOK_SCHEDULE", "0,0,0,0,3600")]).await;
    let receiver = Receiver::start().await;
    receiver.always(Act::Answer(500, "", ""));
    let hook = told(&whole, &receiver).await;
    let path = format!("/webhooks/{}", text(&hook, "id"));
    receiver.wait(5).await;
    let failing = until("it is failing", async || {
        let shown = whole.api.get(&path).await;
        (shown["status"] == "failing").then_some(shown)
    })
    .await;
    // Nothing was given up yet.
    assert_eq!(failing["last_delivery"]["status"], "retrying");
    assert_eq!(receiver.count(), 5);
}

#[tokio::test]
async fn answers_without_end_are_cut_off() {
    let whole = Whole::start_with(&[
        ("ORBITRA_WEBHOOK_SCHEDULE", "3600"),
        ("ORBITRA_WEBHOOK_TIMEOUT", "2"),
    ])
    .await;
    let megabyte = Bytes::from(vec![b'x'; 1024 * 1024]);
    let at_once = Duration::ZERO;
    let cases: [(Act, u16, Value, &str); 6] = [
        (
            Act::Endless(
                b"HTTP/1.1 200 X\r\ncontent-length: 10737418240\r\n\r\n",
                megabyte.clone(),
                at_once,
            ),
            200,
            Value::Null,
            "succeeded",
        ),
        (
            Act::Endless(b"HTTP/1.1 500 X\r\ncontent-encoding: gzip\r\n\r\n", megabyte, at_once),
            500,
            Value::Null,
            "retrying",
        ),
        (
            Act::Endless(
                b"",
                "HTTP/1.1 103 Early\r\nlink: </x>\r\n\r\n".into(),
                Duration::from_millis(1),
            ),
            0,
            json!("timeout"),
            "retrying",
        ),
        (
            Act::Endless(
                b"HTTP/1.1 200 X\r\n",
                "x-more: yyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(1000).into(),
                at_once,
            ),
            0,
            json!("too_large"),
            "retrying",
        ),
        (
            Act::Endless(b"nonsense\r\n\r\n", "x".into(), Duration::from_millis(200)),
            0,
            json!("connect_failed"),
            "retrying",
        ),
        (Act::Hang, 0, json!("timeout"), "retrying"),
    ];
    for (act, status, error, state) in cases {
        let receiver = Receiver::start().await;
        receiver.always(act.clone());
        let hook = hook(&whole, &receiver, &["project.created"]).await;
        let begin = Instant::now();
        whole.api.project(&format!("p{}", receiver.port), json!({})).await;
        let first = tried(&whole, &hook).await;
        assert!(begin.elapsed() < Duration::from_secs(4), "{act:?}: {:?}", begin.elapsed());
        let attempt = &first["attempts"][0];
        let shown = attempt["response_status"].as_u64().unwrap_or_default();
        assert_eq!((shown, &attempt["error"]), (u64::from(status), &error), "{first}");
        assert_eq!(first["status"], state);
        let path = format!("/webhooks/{}", text(&hook, "id"));
        let details = whole.api.get(&format!("{path}/deliveries/{}", text(&first, "id"))).await;
        let body = details["attempts"][0]["response_body"].as_str().unwrap();
        assert!(body.len() <= 4096, "{}", body.len());
        whole.api.done("DELETE", &path, None).await;
    }
}

#[tokio::test]
async fn addresses_are_checked_again_before_each_attempt() {
    let whole = Whole::start_with(&[("ORBITRA_WEBHOOK_SCHEDULE", "0,0")]).await;
    let receiver = Receiver::start().await;
    let hook = hook(&whole, &receiver, &["project.created"]).await;
    // What may be reached changed after it was made.
    whole.app().egress.replace(&orbitra::egress::Policy::default());
    whole.api.project("shop", json!({})).await;
    let done = over(&whole, &hook).await;
    assert_eq!((&done["status"], receiver.count()), (&json!("failed"), 0));
    for attempt in done["attempts"].as_array().unwrap() {
        assert_eq!(attempt["error"], "blocked_address", "{done}");
    }
    let audit = whole.api.get("/audit-log?action=webhook.blocked").await;
    assert_eq!(audit["pagination"]["total"], 3);
    assert_eq!(audit["data"][0]["target"]["id"], hook["id"]);
}

#[tokio::test]
async fn names_and_certificates_that_do_not_hold_are_told_apart() {
    let whole = Whole::start_with(&[("ORBITRA_WEBHOOK_SCHEDULE", "3600")]).await;
    let receiver = Receiver::start().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = closed.local_addr().unwrap().port();
    drop(closed);
    for (url, error) in [
        (format!("https://127.0.0.1:{}/", receiver.port), "tls_failed"),
        (format!("http://127.0.0.1:{refused}/"), "connect_failed"),
        ("https://no-such-name.invalid/".to_owned(), "dns_failed"),
    ] {
        let body = json!({ "url": url, "events": ["project.created"] });
        let hook = whole.api.done("POST", "/webhooks", Some(body)).await;
        let path = format!("/webhooks/{}", text(&hook, "id"));
        let pinged = whole.api.done("POST", &format!("{path}/ping"), None).await;
        assert_eq!(pinged["attempts"][0]["error"], error, "{url}");
    }
}
