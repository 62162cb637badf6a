//! Figures over time: what can be asked for, and what cannot.

use std::time::Duration;

use orbitra::db::DbError;
use orbitra::db::series::{self, Seen};
use orbitra::model::ids::{DeploymentId, ProjectId};
use orbitra::model::series::Point;
use serde_json::{Value, json};

use crate::support::app::{Client, START, TestApp};

struct Figures {
    app: TestApp,
    client: Client,
    project: String,
    deployment: String,
}

impl Figures {
    async fn new() -> Self {
        let app = TestApp::new();
        let client = app.client("user@example.com", &["full"]).await;
        let project = client.project("my-app").await;
        let deployment = client.deployment(&project).await;
        Self { app, client, project, deployment }
    }

    /// Something is seen of a deployment, so many seconds before now.
    async fn seen(&self, deployment: &str, instance: u32, ago: i64, point: Point) {
        let seen = Seen {
            project: ProjectId::parse(&self.project).unwrap(),
            deployment: DeploymentId::parse(deployment).unwrap(),
            instance,
            point,
        };
        let mut at = self.app.app.clock.now();
        at.0 -= ago * 1000;
        let write = self.app.app.db.write(move |c| series::add(c, at, &seen));
        write.await.map_err(|error: DbError| error.to_string()).unwrap();
    }

    async fn shown(&self, query: &str) -> Value {
        let path = format!("/projects/{}/metrics?{query}", self.project);
        self.client.get(&path).await.expect(200).json()
    }
}

fn answered(class: usize, count: u64, slot: usize) -> Point {
    let mut point = Point { bytes: 100 * count, ..Point::default() };
    point.classes[class] = count;
    point.buckets[slot] = count;
    point
}

fn uses(cpu_micros: u64, memory: u64) -> Point {
    Point { cpu_micros, cpu_millis: 15_000, memory, ..Point::default() }
}

#[tokio::test]
async fn the_answer_has_the_shape_that_was_agreed() {
    let figures = Figures::new().await;
    figures.seen(&figures.deployment, 1, 60, uses(1_851_000, 1024)).await;
    let shown =
        figures.shown("metric=cpu&from=2026-01-20T16:00:00Z&to=2026-01-20T16:30:00Z&step=60").await;
    assert_eq!(
        shown,
        json!({
            "from": "2026-01-20T16:00:00Z", "to": "2026-01-20T16:30:00Z", "step_seconds": 60,
            "data": [{
                "metric": "cpu", "unit": "millicores", "labels": {"instance": "1"},
                "points": [["2026-01-20T16:29:00Z", 123.4]],
            }],
        })
    );
    let again = figures.client.get(&format!("/projects/{}/metrics", figures.project)).await;
    assert!(again.header("etag").len() > 2);
}

#[tokio::test]
async fn a_project_is_all_its_deployments_side_by_side() {
    let figures = Figures::new().await;
    let other = figures.client.deployment(&figures.project).await;
    for deployment in [&figures.deployment, &other] {
        figures.seen(deployment, 0, 60, answered(2, 10, 0)).await;
        figures.seen(deployment, 1, 60, uses(1_500_000, 1000)).await;
        // Later in the same minute: levels are the highest, counts are added.
        figures.seen(deployment, 0, 30, answered(5, 2, 9)).await;
        figures.seen(deployment, 1, 30, uses(3_000_000, 600)).await;
    }
    figures.seen(&other, 2, 60, uses(0, 50)).await;
    let shown = figures.shown("").await;
    let values: Vec<_> = shown["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let points = one["points"].as_array().unwrap();
            assert_eq!(points.len(), 1, "{one}");
            (
                format!("{} {}", one["metric"].as_str().unwrap(), one["labels"]),
                points[0][1].as_f64().unwrap(),
            )
        })
        .collect();
    let at = |name: &str| values.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    for (name, value) in [
        (r#"cpu {"instance":"1"}"#, 300.0),
        (r#"cpu {"instance":"2"}"#, 0.0),
        (r#"memory {"instance":"1"}"#, 2000.0),
        (r#"memory {"instance":"2"}"#, 50.0),
        ("requests {}", 24.0),
        (r#"responses {"status":"2xx"}"#, 20.0),
        (r#"responses {"status":"5xx"}"#, 4.0),
        ("errors {}", 4.0),
        ("egress {}", 2400.0),
        ("in_flight {}", 0.0),
    ] {
        assert_eq!(at(name), Some(value), "{name} in {values:?}");
    }
    assert!(at("latency_p50 {}").unwrap() <= 1.0 && at("latency_p99 {}").unwrap() > 500.0);
    let path = format!("/deployments/{other}/metrics?metric=requests");
    assert_eq!(figures.client.get(&path).await.expect(200).at("/data/0/points/0/1"), 12.0);
}

#[tokio::test]
async fn old_figures_are_there_in_the_steps_that_are_left_of_them() {
    let figures = Figures::new().await;
    let day = 86_400;
    for ago in [60, 3 * day, 100 * day] {
        figures.seen(&figures.deployment, 0, ago, answered(2, 7, 0)).await;
    }
    let now = figures.app.app.clock.now();
    figures
        .app
        .app
        .db
        .write(move |c| series::forget(c, now))
        .await
        .map_err(|e: DbError| e.to_string())
        .unwrap();
    for (days, step, found) in [(1, 60, 1), (7, 600, 2), (399, 86_400, 3)] {
        let from = orbitra::model::timestamp::Timestamp(START.0 - days * day * 1000);
        let shown = figures.shown(&format!("metric=requests&from={from}&step={step}")).await;
        assert_eq!(
            shown["data"][0]["points"].as_array().unwrap().len(),
            found,
            "{days} days: {shown}"
        );
        assert!(shown["data"][0]["points"].as_array().unwrap().iter().all(|point| point[1] == 7.0));
    }
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused_by_name() {
    let figures = Figures::new().await;
    let path = format!("/projects/{}/metrics", figures.project);
    for (query, field, code) in [
        ("metric=cpu,disk", "metric", "unknown_value"),
        ("metric=", "metric", "unknown_value"),
        ("step=0", "step", "out_of_range"),
        ("step=7", "step", "out_of_range"),
        ("step=-60", "step", "out_of_range"),
        ("step=1e3", "step", "type"),
        ("step=99999999999999999999999", "step", "out_of_range"),
        ("step=60&step=60", "step", "duplicate"),
        ("from=yesterday", "from", "format"),
        ("to=2026-13-01T00:00:00Z", "to", "format"),
        ("from=2026-01-20T16:30:00Z&to=2026-01-20T16:00:00Z", "from", "out_of_range"),
        ("from=2026-01-20T16:30:00Z", "from", "out_of_range"),
        ("from=1970-01-01T00:00:00Z", "from", "out_of_range"),
        ("to=9999-12-30T00:00:00Z&from=0001-01-01T00:00:00Z&step=86400", "from", "out_of_range"),
    ] {
        let refused = figures.client.get(&format!("{path}?{query}")).await.expect(400).json();
        let problems = &refused["error"]["details"]["invalid_fields"];
        assert_eq!(
            (&problems[0]["field"], &problems[0]["code"]),
            (&json!(field), &json!(code)),
            "{query}: {refused}"
        );
    }
    // The smallest step that can be is named, and can be.
    let day = "from=2026-01-19T16:30:00Z";
    let refused = figures.client.get(&format!("{path}?{day}&step=15")).await.expect(400).json();
    let suggested = &refused["error"]["details"]["invalid_fields"][0]["suggestion"];
    assert_eq!(suggested, "60", "{refused}");
    figures.client.get(&format!("{path}?{day}&step=60")).await.expect(200);
    let refused = figures.client.get(&format!("{path}?metrics=cpu")).await.expect(400).json();
    assert_eq!(refused["error"]["details"]["unknown_params"], json!(["metrics"]));
}

#[tokio::test]
async fn nobody_sees_figures_of_another_team() {
    let figures = Figures::new().await;
    figures.seen(&figures.deployment, 0, 60, answered(2, 7, 0)).await;
    let stranger = figures.app.client("stranger@example.com", &["full"]).await;
    let weak = figures.app.client("weak@example.com", &["logs:read", "projects:read"]).await;
    for path in [
        format!("/projects/{}/metrics", figures.project),
        "/projects/my-app/metrics?step=7".to_owned(),
        format!("/deployments/{}/metrics", figures.deployment),
        "/deployments/dep_000000/metrics".to_owned(),
        "/projects/%2e%2e/metrics".to_owned(),
    ] {
        stranger.get(&path).await.expect(404);
        assert_eq!(
            weak.get(&path).await.expect(403).text("/error/details/required_scopes/0"),
            "metrics:read"
        );
        figures.app.anonymous().get(&path).await.expect(401);
    }
}

#[tokio::test]
async fn a_step_is_finer_only_for_what_is_new() {
    let figures = Figures::new().await;
    figures.seen(&figures.deployment, 0, 0, answered(2, 7, 0)).await;
    figures.app.app.clock.advance(Duration::from_secs(2 * 86_400));
    let path = format!(
        "/projects/{}/metrics?from=2026-01-20T16:00:00Z&to=2026-01-20T17:00:00Z",
        figures.project
    );
    let refused = figures.client.get(&format!("{path}&step=15")).await.expect(400).json();
    assert_eq!(refused["error"]["details"]["invalid_fields"][0]["suggestion"], "60");
    let shown = figures.client.get(&format!("{path}&step=60&metric=requests")).await.expect(200);
    assert_eq!(shown.at("/data/0/points"), json!([["2026-01-20T16:30:00Z", 7.0]]));
}
