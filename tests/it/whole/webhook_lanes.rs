//! Many receivers, some of them slow, and a process that ends in between.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::Whole;
use super::webhooks::{SOON, hook};
use crate::support::api_client::text;
use crate::support::receiver::{Act, Receiver};
use crate::support::until::until;

/// Changes a project; answers when that was.
async fn change(whole: &Whole, project: &str, to: usize) {
    let body = json!({ "description": format!("number {to}") });
    whole.api.done("PATCH", &format!("/projects/{project}"), Some(body)).await;
}

#[tokio::test]
async fn receivers_that_hang_delay_no_other() {
    let whole = Whole::start().await;
    let project = whole.api.project("shop", json!({})).await;
    let mut hanging = Vec::new();
    // More than have a place at the same time.
    for _ in 0..12 {
        let receiver = Receiver::start().await;
        receiver.always(Act::Hang);
        hook(&whole, &receiver, &["project.updated"]).await;
        hanging.push(receiver);
    }
    for number in 0..5 {
        change(&whole, &project, number).await;
    }
    for receiver in &hanging {
        receiver.wait(4).await;
    }
    let quick = Receiver::start().await;
    hook(&whole, &quick, &["project.updated"]).await;
    let mut longest = Duration::ZERO;
    for number in 10..20 {
        let begin = std::time::Instant::now();
        change(&whole, &project, number).await;
        let got = quick.wait(number - 9).await;
        longest = longest.max(got[number - 10].at.saturating_duration_since(begin));
    }
    // With the request itself and its commit.
    assert!(longest < Duration::from_millis(400), "{longest:?}");
    assert!(hanging.iter().all(|receiver| receiver.count() == 4), "four at a time");
}

#[tokio::test]
async fn a_receiver_with_too_much_to_do_gets_one_request_at_a_time() {
    for busy in [429, 503] {
        let whole = Whole::start().await;
        let (receiver, other) = (Receiver::start().await, Receiver::start().await);
        receiver.next(&[Act::Answer(busy, "retry-after: 3600\r\n", "")]);
        receiver.always(Act::Hang);
        let hook = hook(&whole, &receiver, &["project.*"]).await;
        let project = whole.api.project("shop", json!({})).await;
        let path = format!("/webhooks/{}/deliveries", text(&hook, "id"));
        until("it has answered that it is busy", async || {
            let list = whole.api.get(&path).await;
            (list["data"][0]["status"] == "retrying").then_some(())
        })
        .await;
        super::webhooks::hook(&whole, &other, &["project.updated"]).await;
        for number in 0..6 {
            change(&whole, &project, number).await;
        }
        // The events are on their way to everybody when another has them all.
        other.wait(6).await;
        assert_eq!(receiver.wait(2).await.len(), 2, "one at a time after {busy}");
        let pending = whole.api.get(&format!("{path}?status=pending")).await;
        assert_eq!(pending["pagination"]["total"], 6, "the others wait");
    }
}

#[tokio::test]
async fn first_attempts_begin_in_the_order_of_events() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    let hook = hook(&whole, &receiver, &["project.updated"]).await;
    let project = whole.api.project("shop", json!({})).await;
    // One request at a time.
    whole.change_rows("UPDATE webhooks SET enabled = 0", []);
    for number in 0..10 {
        change(&whole, &project, number).await;
    }
    whole.change_rows("UPDATE webhooks SET enabled = 1", []);
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    let path = format!("/webhooks/{}/replay", text(&hook, "id"));
    whole.api.done("POST", &path, Some(since)).await;
    receiver.wait(10).await;
    let deliveries = format!("/webhooks/{}/deliveries?limit=100", text(&hook, "id"));
    let list = whole.api.get(&deliveries).await;
    let list = list["data"].as_array().unwrap();
    assert_eq!(list.len(), 10);
    let events = whole.api.get("/events?event=project.updated&limit=100").await;
    let order: Vec<_> =
        events["data"].as_array().unwrap().iter().map(|e| e["id"].clone()).collect();
    let sent: Vec<_> = list.iter().map(|one| one["event_id"].clone()).collect();
    assert_eq!(sent, order);
}

#[tokio::test]
async fn what_was_not_sent_when_the_process_ended_is_sent_by_the_next() {
    let mut whole = Whole::start_with(SOON).await;
    let receiver = Receiver::start().await;
    receiver.always(Act::Hang);
    let hook = hook(&whole, &receiver, &["project.updated"]).await;
    let project = whole.api.project("shop", json!({})).await;
    for number in 0..20 {
        change(&whole, &project, number).await;
    }
    receiver.wait(1).await;
    whole.cut_off();
    receiver.always(Act::Answer(200, "", ""));
    let before = receiver.count();
    whole.run().await;
    until("all have arrived", async || {
        let path = format!("/webhooks/{}/deliveries?status=succeeded", text(&hook, "id"));
        let list = whole.api.get(&path).await;
        (list["pagination"]["total"] == 20).then_some(())
    })
    .await;
    // At least once, and what came twice has the same id and the same body.
    let mut bodies: HashMap<String, HashSet<String>> = HashMap::new();
    let secret = text(&hook, "secret");
    for one in receiver.got() {
        assert!(one.verifies(&secret));
        bodies.entry(one.event_id().to_owned()).or_default().insert(one.body);
    }
    assert_eq!(bodies.len(), 20);
    assert!(bodies.values().all(|all| all.len() == 1));
    assert!(receiver.count() >= before + 20 - 4);
    let events = whole.api.get("/events?event=project.updated&limit=100").await;
    let ids = events["data"].as_array().unwrap().iter();
    assert!(ids.map(|event: &Value| text(event, "id")).all(|id| bodies.contains_key(&id)));
}
