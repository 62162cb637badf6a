//! The runtime log of a project.

use std::time::Duration;

use orbitra::logs::{LogName, LogWriter, Redactor};
use orbitra::model::log_line::{HttpLine, LogLevel, LogSource, LogStream, NewLine};
use serde_json::Value;

use super::site::{START, Site};

const PAGE: &str = "/dashboard/projects/web/logs";

/// A writer for the lines of a deployment.
async fn writer(site: &Site, deployment: &str) -> LogWriter {
    let deployment = site.deployment(deployment).await;
    let name = LogName::Runtime(deployment.project_id);
    let writer = site.app.logs.writer(name, Redactor::default()).await.unwrap();
    writer.about(&deployment.id, Some("1"))
}

fn line(after: u64, source: LogSource, level: LogLevel, message: &str) -> NewLine {
    let ts = START.plus(Duration::from_secs(after));
    let message = message.to_owned();
    NewLine { ts, source, stream: LogStream::Stdout, level, phase: None, message }
}

fn says(writer: &LogWriter, after: u64, message: &str) {
    writer.append(line(after, LogSource::App, LogLevel::Info, message));
}

fn answers(writer: &LogWriter, after: u64, status: u16, path: &str) {
    let http = HttpLine {
        method: "GET".to_owned(),
        path: path.to_owned(),
        status,
        duration_ms: 12,
        bytes: 512,
        ip: "203.0.113.9".to_owned(),
        request_id: "req_0000000000000000".to_owned(),
    };
    let level = if status >= 500 { LogLevel::Error } else { LogLevel::Info };
    let message = format!("GET {path} {status} 12 ms");
    writer.append_request(line(after, LogSource::Proxy, level, &message), http);
}

#[tokio::test]
async fn output_and_requests_are_read_and_chosen_without_script() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let first = ada.project("web").await;
    let empty = ada.get(PAGE).await;
    assert!(empty.text(".logempty").starts_with("Nothing yet."), "{}", empty.text(".log"));
    assert_eq!(empty.text("nav.tabs [aria-current]"), "Logs");
    assert!(empty.text(".head").contains("Kept for 7 days, and of those the newest 1 GiB."));
    let one = writer(&site, &first).await;
    says(&one, 0, "\u{1b}[32mstarted\u{1b}[0m <script>alert(1)</script>");
    answers(&one, 10, 200, "/<b>");
    answers(&one, 20, 404, "/missing");
    site.finish(&first, true).await;
    let again = ada.submit("/dashboard/projects/web", "/dashboard/projects/web/deploy", &[]).await;
    let second = again.location().rsplit('/').next().unwrap().to_owned();
    let two = writer(&site, &second).await;
    answers(&two, 30, 503, "/");
    two.append(line(40, LogSource::System, LogLevel::Warn, "It has stopped"));
    site.app.logs.flush().await;
    site.app.clock.advance(Duration::from_secs(3600 + 25));

    let page = ada.get(PAGE).await;
    assert_eq!(page.text("#L1 span"), "started <script>alert(1)</script>");
    assert!(page.body.contains("<b class=\"g\">started</b> &lt;script&gt;"));
    assert_eq!(page.text("#L1 time"), "23 Nov 12:00:00");
    assert_eq!((page.text("#L1 small"), page.text("#L2 small")), ("app".into(), "proxy".into()));
    assert_eq!(page.text("#L2 span"), "GET /<b> 200 12 ms");
    for (row, colour) in [("#L2", "g"), ("#L3", "y"), ("#L4.err", "r")] {
        let status = page.text(&format!("{row} span b.{colour}.h"));
        assert!(["200", "404", "503"].contains(&status.as_str()), "{row} {status}");
    }
    assert_eq!(page.attribute("o-log", "data-after"), "5");
    for (query, rows) in [
        ("source=app", &[1][..]),
        ("source=proxy", &[2, 3, 4]),
        ("source=system", &[5]),
        ("level=warn", &[4, 5]),
        ("level=error", &[4]),
        ("status=4xx", &[3]),
        ("status=%3E%3D400", &[3, 4]),
        ("q=STARTED", &[1]),
        ("since=1h", &[4, 5]),
        (&format!("deployment={first}"), &[1, 2, 3]),
        (&format!("deployment={second}&source=proxy"), &[4]),
        ("before=3", &[1, 2]),
        // A bookmark with words that are gone opens all the same.
        ("source=kernel&level=fatal&status=oops&since=ever&before=x", &[1, 2, 3, 4, 5]),
    ] {
        let page = ada.get(&format!("{PAGE}?{query}")).await;
        let shown: Vec<_> =
            (1..=5).filter(|n| page.body.contains(&format!("id=\"L{n}\""))).collect();
        assert_eq!(shown, rows, "{query}");
    }
    let chosen = ada.get(&format!("{PAGE}?deployment={first}&status=4xx&q=%22%3E%3Ci%3E")).await;
    assert_eq!(chosen.text("h1"), format!("Logs of {first}"));
    assert_eq!(chosen.attribute("#deployment option[selected]", "value"), first);
    assert_eq!((chosen.value("#status"), chosen.value("#q")), ("4xx".into(), "\"><i>".into()));
    assert!(chosen.text(".logempty").starts_with("No line fits."));
    let stream = chosen.attribute("o-log", "data-stream");
    assert!(stream.contains("status=4xx") && stream.contains(&first), "{stream}");

    let text = ada.get(&format!("{PAGE}.txt?source=app")).await;
    assert_eq!(text.body, "2026-11-23T12:00:00.000Z app started <script>alert(1)</script>\n");
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert!(text.header("content-security-policy").contains("sandbox"));
    assert!(text.header("content-disposition").contains("web-runtime.log"));
    assert_eq!(ada.get(&format!("{PAGE}.txt")).await.body.lines().count(), 5);
    assert_eq!(ada.get(&format!("{PAGE}.txt?q=nothing")).await.body, "");
}

#[tokio::test]
async fn a_page_stays_small_and_the_rest_is_behind_links() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let writer = writer(&site, &id).await;
    for number in 1..=450 {
        says(&writer, number, &format!("line {number}"));
    }
    for number in 0..40 {
        says(&writer, 500 + number, &"<".repeat(3000));
    }
    site.app.logs.flush().await;
    let (mut seen, mut next) = (Vec::new(), Some(PAGE.to_owned()));
    while let Some(path) = next {
        let page = ada.get(&path).await;
        assert!(page.body.len() < 80_000, "{path}: {} bytes", page.body.len());
        let numbers = (1..=490).filter(|n| page.body.contains(&format!("id=\"L{n}\"")));
        let numbers: Vec<u32> = numbers.collect();
        assert!(!numbers.is_empty() && numbers.len() <= 200);
        assert!(numbers.is_sorted());
        if path == PAGE {
            assert!(page.attribute("o-log", "data-stream").ends_with("/logs/stream"));
        } else {
            assert!(!page.body.contains("data-stream"), "what is old does not grow");
        }
        seen.extend(numbers);
        let older = page.body.contains("&amp;before=") || page.body.contains("?before=");
        next = older.then(|| page.attribute(".earlier a", "href"));
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=490).collect::<Vec<_>>(), "every line once");
    let text = ada.get(&format!("{PAGE}.txt")).await;
    assert_eq!(text.body.lines().count(), 490);
}

#[tokio::test]
async fn lines_come_as_they_are_written_and_only_those_that_were_asked_for() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let writer = writer(&site, &id).await;
    says(&writer, 0, "old");
    site.app.logs.flush().await;
    let after = ada.get(&format!("{PAGE}?source=app")).await.attribute("o-log", "data-after");
    let mut live = ada.stream(&format!("{PAGE}/stream?source=app&after={after}")).await;
    assert_eq!(live.headers["content-type"], "text/event-stream");
    assert_eq!(live.next().await.unwrap(), "retry: 2000\n\n");
    answers(&writer, 1, 200, "/");
    says(&writer, 2, "new <b>");
    site.app.logs.flush().await;
    let frame = live.next().await.unwrap();
    assert!(frame.starts_with("id: 3\ndata: "), "{frame}");
    let data: Value =
        serde_json::from_str(frame.lines().nth(1).unwrap().strip_prefix("data: ").unwrap())
            .unwrap();
    assert_eq!(data["to"], 3);
    let html = data["html"].as_str().unwrap();
    assert!(html.contains("new &lt;b&gt;") && !html.contains("GET"), "{html}");
    drop(live);
    // Somebody who paused comes back to where they were.
    let mut again = ada.stream(&format!("{PAGE}/stream?after=1")).await;
    again.next().await.unwrap();
    let frame = again.next().await.unwrap();
    assert!(frame.contains("GET /") && frame.contains("new &lt;b&gt;"), "{frame}");
    let project = site.deployment(&id).await.project_id;
    site.app.logs.remove(LogName::Runtime(project)).await.unwrap();
    assert_eq!(again.next().await.unwrap(), "event: end\ndata: {}\n\n");
    assert_eq!(again.next().await, None);
}

#[tokio::test]
async fn logs_of_others_do_not_exist() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let of_ada = ada.project("web").await;
    says(&writer(&site, &of_ada).await, 0, "of-ada");
    site.app.logs.flush().await;
    site.user("bob@example.com", false).await;
    let mut bob = site.browser();
    bob.sign_in("bob@example.com").await;
    bob.project("shop").await;
    for path in [PAGE, &format!("{PAGE}.txt"), &format!("{PAGE}/stream")] {
        assert_eq!(bob.get(path).await.status, 404, "{path}");
        assert_ne!(site.browser().get(path).await.status, 200, "{path}");
    }
    // Through a project of one's own neither.
    let shop = "/dashboard/projects/shop/logs";
    for path in [shop, &format!("{shop}.txt"), &format!("{shop}/stream")] {
        for deployment in [of_ada.as_str(), "dep_7k2m9qhx4t8w1z3c", "../x"] {
            let path = format!("{path}?deployment={deployment}");
            assert_eq!(bob.get(&path).await.status, 404, "{path}");
        }
    }
    // Nor is a deployment read through another project of the same owner.
    ada.project("other").await;
    let other = format!("/dashboard/projects/other/logs?deployment={of_ada}");
    assert_eq!(ada.get(&other).await.status, 404);
}
