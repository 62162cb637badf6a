//! Figures over time, from requests of visitors to the API's answer.

use serde_json::{Value, json};

use super::{NO_PAUSE, Whole};
use crate::support::until::until;

/// All values of a metric with these labels, added up.
fn total(shown: &Value, metric: &str, labels: &Value) -> f64 {
    let series = shown["data"].as_array().unwrap().iter();
    let own = series.filter(|one| one["metric"] == metric && one["labels"] == *labels);
    own.flat_map(|one| one["points"].as_array().unwrap())
        .map(|point| point[1].as_f64().unwrap())
        .sum()
}

impl Whole {
    /// Has figures written down, and waits until this many requests stand in those of a path.
    async fn counted(&self, path: &str, requests: f64) -> Value {
        until("the requests are counted", async || {
            self.app().figures.wake();
            let shown = self.api.get(&format!("{path}/metrics?step=15")).await;
            (total(&shown, "requests", &json!({})) >= requests).then_some(shown)
        })
        .await
    }

    fn blocks(&self) -> i64 {
        let database = rusqlite::Connection::open(self.data.path().join("orbitra.db")).unwrap();
        database.query_row("SELECT count(*) FROM series_blocks", [], |row| row.get(0)).unwrap()
    }
}

#[tokio::test]
async fn what_visitors_got_is_counted_and_kept_over_a_restart() {
    let mut whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let own = format!("/projects/{project}");
    let empty = whole.api.get(&format!("{own}/metrics")).await;
    assert_eq!((&empty["step_seconds"], &empty["data"]), (&json!(60), &json!([])));
    let deployment = whole.api.deploy_live(&project, &repository).await;
    let of_deployment = format!("/deployments/{}", deployment["id"].as_str().unwrap());
    for _ in 0..5 {
        assert_eq!(whole.visit("shop.localhost").await.status, 200);
    }
    let shown = whole.counted(&own, 5.0).await;
    assert_eq!(total(&shown, "requests", &json!({})), 5.0);
    assert_eq!(total(&shown, "responses", &json!({"status": "2xx"})), 5.0);
    assert_eq!(total(&shown, "egress", &json!({})), 15.0);
    assert_eq!(total(&shown, "errors", &json!({})), 0.0);
    let series = shown["data"].as_array().unwrap();
    for (metric, unit) in [
        ("latency_p50", "milliseconds"),
        ("latency_p99", "milliseconds"),
        ("in_flight", "requests"),
        ("memory", "bytes"),
    ] {
        let found = series.iter().find(|one| one["metric"] == metric);
        let found = found.unwrap_or_else(|| panic!("{metric}: {shown}"));
        assert_eq!(found["unit"], unit);
        let points = found["points"].as_array().unwrap();
        assert!((1..=4).contains(&points.len()), "{found}");
    }
    assert!(total(&shown, "memory", &json!({"instance": "1"})) >= f64::from(64 << 20));
    // The last requests before the end are not lost, and the counts of the next process go on from there.
    for _ in 0..3 {
        assert_eq!(whole.visit("shop.localhost").await.status, 200);
    }
    whole.stop().await;
    whole.run().await;
    assert_eq!(total(&whole.counted(&own, 8.0).await, "requests", &json!({})), 8.0);
    assert_eq!(whole.visit("shop.localhost").await.status, 200);
    assert_eq!(total(&whole.counted(&own, 9.0).await, "requests", &json!({})), 9.0);
    // A switch takes nothing away from the project; each deployment has its own.
    whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.visit("shop.localhost").await.status, 200);
    assert_eq!(total(&whole.counted(&own, 10.0).await, "requests", &json!({})), 10.0);
    assert_eq!(total(&whole.counted(&of_deployment, 9.0).await, "requests", &json!({})), 9.0);
    // Coarser steps have the same sums.
    let hours = whole.api.get(&format!("{own}/metrics?step=3600&metric=requests,egress")).await;
    assert_eq!(total(&hours, "requests", &json!({})), 10.0);
    assert_eq!(hours["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn failures_are_counted_by_what_visitors_got() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let deployment = whole.api.deploy_live(&project, &repository).await;
    whole.engine.set_status(deployment["id"].as_str().unwrap(), 503);
    assert_eq!(whole.visit("shop.localhost").await.status, 503);
    let shown = whole.counted(&format!("/projects/{project}"), 1.0).await;
    assert_eq!(total(&shown, "responses", &json!({"status": "5xx"})), 1.0);
    assert_eq!(
        (total(&shown, "errors", &json!({})), total(&shown, "requests", &json!({}))),
        (1.0, 1.0)
    );
}

#[tokio::test]
async fn what_sleeps_costs_no_rows_and_is_not_woken() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let first = whole.api.deploy_live(&project, &repository).await;
    let second = whole.api.deploy_live(&project, &repository).await;
    let first = first["id"].as_str().unwrap().to_owned();
    until("the first sleeps", async || (whole.engine.running_of(&first) == 0).then_some(())).await;
    let of_first = "SELECT count(*) FROM series s JOIN series_blocks b ON b.series = s.id WHERE deployment_id = ?1";
    let rows = |id: &str| -> i64 {
        let database = rusqlite::Connection::open(whole.data.path().join("orbitra.db")).unwrap();
        database.query_row(of_first, [id], |row| row.get(0)).unwrap()
    };
    let before = rows(&first);
    let second = second["id"].as_str().unwrap();
    until("the second is looked at", async || {
        whole.app().figures.wake();
        (rows(second) > 0).then_some(())
    })
    .await;
    assert_eq!((rows(&first), whole.engine.running_of(&first)), (before, 0));
    assert!(whole.blocks() > 0);
}
