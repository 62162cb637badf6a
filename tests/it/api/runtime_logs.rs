//! Runtime logs: what chooses lines, pages, events, and who may read them.

use std::time::Duration;

use orbitra::logs::{LogName, LogWriter, Redactor};
use orbitra::model::ids::{DeploymentId, ProjectId};
use orbitra::model::log_line::{HttpLine, LogLevel, LogSource, LogStream, NewLine};
use serde_json::{Value, json};

use crate::support::app::{Client, START, TestApp};

struct Log {
    app: TestApp,
    client: Client,
    project: String,
    deployment: String,
    writer: LogWriter,
}

impl Log {
    async fn new() -> Self {
        let app = TestApp::new();
        let client = app.client("user@example.com", &["full"]).await;
        let project = client.project("my-app").await;
        let deployment = client.deployment(&project).await;
        let name = LogName::Runtime(ProjectId::parse(&project).unwrap());
        let writer = app.app.logs.writer(name, Redactor::default()).await.unwrap();
        let id = DeploymentId::parse(&deployment).unwrap();
        let writer = writer.about(&id, Some("1"));
        Self { app, client, project, deployment, writer }
    }

    fn line(&self, after: u64, source: LogSource, level: LogLevel, message: &str) -> NewLine {
        let (ts, message) = (START.plus(Duration::from_secs(after)), message.to_owned());
        NewLine { ts, source, stream: LogStream::Stdout, level, phase: None, message }
    }

    fn request(&self, after: u64, status: u16) {
        let http = HttpLine {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            status,
            duration_ms: 12,
            bytes: 512,
            ip: "203.0.113.9".to_owned(),
            request_id: "req_0000000000000000".to_owned(),
        };
        let line = self.line(after, LogSource::Proxy, LogLevel::Info, &format!("GET / {status}"));
        self.writer.append_request(line, http);
    }

    /// Messages of the lines this query chooses.
    async fn chosen(&self, query: &str) -> Vec<String> {
        let path = format!("/projects/{}/logs?{query}", self.project);
        let page = self.client.get(&path).await.expect(200);
        let lines = page.at("/data");
        let lines = lines.as_array().unwrap();
        lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn lines_are_chosen_by_what_they_are() {
    let log = Log::new().await;
    log.writer.append(log.line(0, LogSource::App, LogLevel::Info, "Started"));
    log.request(10, 200);
    log.request(20, 404);
    log.request(30, 503);
    log.writer.append(log.line(40, LogSource::System, LogLevel::Warn, "It has stopped"));
    log.app.app.logs.flush().await;
    log.app.app.clock.advance(Duration::from_secs(40));
    for (query, expected) in [
        ("", vec!["Started", "GET / 200", "GET / 404", "GET / 503", "It has stopped"]),
        ("source=app,system", vec!["Started", "It has stopped"]),
        ("level=warn", vec!["It has stopped"]),
        ("q=started", vec!["Started"]),
        ("status=404", vec!["GET / 404"]),
        ("status=5xx", vec!["GET / 503"]),
        ("status=%3E%3D400", vec!["GET / 404", "GET / 503"]),
        ("since=10s", vec!["GET / 503", "It has stopped"]),
        ("since=2026-01-20T16:30:30Z", vec!["GET / 503", "It has stopped"]),
        ("until=2026-01-20T16:30:10Z", vec!["Started"]),
        ("order=desc&limit=2", vec!["It has stopped", "GET / 503"]),
        ("order=desc&limit=2&source=proxy", vec!["GET / 503", "GET / 404"]),
        ("after_seq=3", vec!["GET / 503", "It has stopped"]),
        ("limit=1&source=system", vec!["It has stopped"]),
        ("instance=1&source=app", vec!["Started"]),
        ("instance=2", vec![]),
        (&format!("deployment_id={}&q=started", log.deployment), vec!["Started"]),
        ("deployment_id=dep_0000000000000000", vec![]),
    ] {
        assert_eq!(log.chosen(query).await, expected, "{query}");
    }
    let path = format!("/deployments/{}/runtime-logs", log.deployment);
    let page = log.client.get(&format!("{path}?status=503")).await.expect(200);
    assert_eq!(
        page.at("/data/0"),
        json!({
            "seq": 4, "ts": "2026-01-20T16:30:30.000Z", "source": "proxy", "stream": "stdout",
            "level": "info", "phase": null, "message": "GET / 503",
            "deployment_id": log.deployment, "instance": "1",
            "http": {
                "method": "GET", "path": "/", "status": 503, "duration_ms": 12, "bytes": 512,
                "ip": "203.0.113.9", "request_id": "req_0000000000000000",
            },
        })
    );
    assert_eq!((page.at("/next_after_seq"), page.at("/complete")), (json!(5), json!(false)));
}

#[tokio::test]
async fn what_is_asked_wrongly_is_named() {
    let log = Log::new().await;
    let path = format!("/projects/{}/logs", log.project);
    for (query, expected) in [
        ("since=yesterday", "since format"),
        ("since=15", "since format"),
        ("since=999999d", "since format"),
        ("until=-1h", "until format"),
        ("status=600", "status format"),
        ("status=5XX", "status format"),
        ("source=build", "source unknown_value"),
        ("level=debug", "level unknown_value"),
        ("limit=0", "limit out_of_range"),
        ("deployment_id=../x", "deployment_id format"),
        ("follow=true&until=1h", "until mutually_exclusive"),
        ("follow=true&limit=1", "limit mutually_exclusive"),
    ] {
        assert_eq!(
            log.client.get(&format!("{path}?{query}")).await.invalid(),
            [expected],
            "{query}"
        );
    }
    let long = log.client.get(&format!("{path}?q={}", "a".repeat(257))).await;
    assert_eq!(long.invalid(), ["q too_long"]);
    let on_deployment = format!("/deployments/{}/runtime-logs?deployment_id=x", log.deployment);
    let unknown = log.client.get(&on_deployment).await;
    assert_eq!(unknown.error("unknown_params").2, json!(["deployment_id"]));
}

#[tokio::test]
async fn events_are_lines_as_they_are_written() {
    let log = Log::new().await;
    log.writer.append(log.line(0, LogSource::App, LogLevel::Info, "old"));
    log.app.app.logs.flush().await;
    let path = format!("/projects/{}/logs?source=app&follow=true", log.project);
    let mut events = log.client.events(&path, None).await;
    assert_eq!(events.status, 200);
    assert_eq!(events.next().await.unwrap(), "retry: 2000\n: ping");
    log.request(1, 200);
    log.writer.append(log.line(2, LogSource::App, LogLevel::Info, "new"));
    // Neither what was before nor what was not asked for.
    let frame = events.next().await.unwrap();
    assert!(frame.starts_with("id: 3\nevent: log\n"), "{frame}");
    let data = frame.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["message"], "new");
    drop(events);
    // Back where it was.
    let mut again = log.client.events(&path, Some("1")).await;
    again.next().await.unwrap();
    assert!(again.next().await.unwrap().starts_with("id: 3\n"));
    let wrong = log.client.events(&path, Some("x")).await;
    assert_eq!(wrong.status, 400);
    let name = LogName::Runtime(ProjectId::parse(&log.project).unwrap());
    log.app.app.logs.remove(name).await.unwrap();
    assert_eq!(again.rest().await, [": stopping"]);
}
