//! What is told of the server itself: once when it begins, and not again until it was over.

use serde_json::{Value, json};

use super::Whole;
use super::webhooks::hook;
use crate::support::receiver::Receiver;
use crate::support::until::until;

/// More than any disk has, in MiB.
pub const NEVER_FREE: &str = "9000000000";

fn told(whole: &Whole, name: &str) -> Vec<Value> {
    whole.events().into_iter().filter(|(event, _)| event == name).map(|(_, data)| data).collect()
}

fn raised(whole: &Whole) -> i64 {
    let database = rusqlite::Connection::open(whole.data.path().join("orbitra.db")).unwrap();
    database.query_row("SELECT count(*) FROM alarms", [], |row| row.get(0)).unwrap()
}

async fn looked(whole: &Whole, wanted: i64) {
    until("it was noticed", async || (raised(whole) == wanted).then_some(())).await;
}

#[tokio::test]
async fn an_engine_that_stops_is_told_of_once_also_after_a_restart() {
    let mut whole = Whole::start().await;
    whole.change_rows("UPDATE users SET instance_admin = 1", []);
    let receiver = Receiver::start().await;
    hook(&whole, &receiver, &["system.*"]).await;
    whole.engine.set_down(true);
    let got = &receiver.wait(1).await[0].json();
    assert_eq!(got["event"], "system.engine.down");
    let keys: Vec<_> = got["data"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["since"]);
    // Whoever comes after a power cut knows that it was told.
    whole.cut_off();
    whole.run().await;
    whole.engine.set_down(false);
    looked(&whole, 0).await;
    assert_eq!(told(&whole, "system.engine.down").len(), 1);
    whole.engine.set_down(true);
    receiver.wait(2).await;
    assert_eq!(told(&whole, "system.engine.down").len(), 2);
    let listed = whole.api.get("/events?event=system.*").await;
    assert_eq!(listed["pagination"]["total"], 2);
}

#[tokio::test]
async fn a_disk_with_less_than_its_floor_is_told_of_once() {
    let mut whole = Whole::start().await;
    whole.change_rows("UPDATE users SET instance_admin = 1", []);
    let receiver = Receiver::start().await;
    hook(&whole, &receiver, &["system.disk.low"]).await;
    whole.more = vec![("ORBITRA_DISK_FLOOR", NEVER_FREE)];
    whole.stop().await;
    whole.run().await;
    let got = receiver.wait(1).await;
    let data = &got[0].json()["data"];
    assert_eq!(data["floor_bytes"], json!(9_000_000_000_u64 * 1024 * 1024));
    assert!(data["free_bytes"].as_u64().unwrap() > 0);
    assert_eq!(data.as_object().unwrap().len(), 2);
    // Still low after a restart, and told of already; then there is room, and then no more.
    whole.stop().await;
    whole.run().await;
    whole.more.clear();
    whole.stop().await;
    whole.run().await;
    looked(&whole, 0).await;
    assert_eq!(told(&whole, "system.disk.low").len(), 1);
    whole.more = vec![("ORBITRA_DISK_FLOOR", NEVER_FREE)];
    whole.stop().await;
    whole.run().await;
    receiver.wait(2).await;
    assert_eq!(told(&whole, "system.disk.low").len(), 2);
}

#[tokio::test]
async fn nobody_else_is_told() {
    let whole = Whole::start().await;
    let receiver = Receiver::start().await;
    hook(&whole, &receiver, &["*"]).await;
    whole.engine.set_down(true);
    looked(&whole, 1).await;
    assert_eq!(told(&whole, "system.engine.down").len(), 0);
    assert_eq!(receiver.count(), 0);
}
