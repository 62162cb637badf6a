//! Who wakes a deployment, who waits for it, and what the others are told.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use orbitra::model::deployment::RunState;
use serde_json::{Value, json};

use super::{NO_PAUSE, Whole, change};
use crate::support::api_client::{Answer, host_of, send, text};
use crate::support::until::until;

const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const GOOGLE: (&str, &str) = ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)");

async fn ask(whole: &Whole, host: &str, what: (&str, &str), fields: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(what.0).uri(what.1).header("host", host);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    send(whole.api.port, request.body(Full::<Bytes>::default()).unwrap()).await.unwrap()
}

/// A project whose first deployment, which behaves like this, is stopped. Answers the project, and the first one's id
/// and host.
async fn stopped(whole: &Whole, first: Value) -> (String, String, String) {
    let repository = whole.repository(&first);
    let health = json!({"healthcheck": {"grace_seconds": 30, "timeout_seconds": 1}});
    let project = whole.api.project("shop", json!({"runtime": health})).await;
    let one = text(&whole.api.deploy_live(&project, &repository).await, "id");
    change(&repository, &json!({"body": "two"}));
    whole.api.deploy_live(&project, &repository).await;
    until("the old one is stopped", async || (!whole.engine.has_process(&one)).then_some(())).await;
    let host = host_of(&text(&whole.api.get(&format!("/deployments/{one}")).await, "url"));
    (project, one, host)
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn who_opens_a_page_sees_that_it_wakes_and_all_others_wait() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let (_, one, host) = stopped(&whole, json!({"body": "one", "delay": 5000})).await;
    let begin = Instant::now();
    let opens = async {
        let navigates = [PAGE, ("sec-fetch-mode", "navigate")];
        (ask(&whole, &host, ("GET", "/"), &navigates).await, begin.elapsed())
    };
    let fetches = ask(&whole, &host, ("GET", "/"), &[PAGE, ("sec-fetch-mode", "cors")]);
    let sends = ask(&whole, &host, ("POST", "/"), &[PAGE]);
    let asks = ask(&whole, &host, ("GET", "/"), &[("accept", "application/json")]);
    let ((page, after), fetched, sent, asked) = tokio::join!(opens, fetches, sends, asks);
    assert_eq!(page.status, 503);
    assert!(after >= Duration::from_secs(3) && after < Duration::from_millis(4900), "{after:?}");
    assert!(page.body.contains("Waking up"), "{}", page.body);
    for (name, value) in [
        ("retry-after", "3"),
        ("refresh", "3"),
        ("cache-control", "no-store"),
        ("x-robots-tag", "noindex"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(header(&page, name), value, "{name}");
    }
    for answer in [fetched, sent, asked] {
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "one"));
    }
    assert_eq!(whole.engine.starts(&one), Some(2));
    assert_eq!(ask(&whole, &host, ("GET", "/"), &[PAGE]).await.body, "one");
}

#[tokio::test]
async fn too_many_who_wait_are_told_to_come_back() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let (_, one, host) = stopped(&whole, json!({"body": "one", "delay": 3000})).await;
    let all = (0..300).map(|_| ask(&whole, &host, ("GET", "/"), &[]));
    let answers = futures_util::future::join_all(all).await;
    let (served, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((served.len(), refused.len()), (256, 44));
    for answer in refused {
        assert_eq!((answer.status.as_u16(), header(answer, "retry-after")), (503, "3"));
        assert_eq!(header(answer, "refresh"), "", "nobody looks at it");
    }
    assert_eq!(whole.engine.starts(&one), Some(2));
}

#[tokio::test]
async fn crawlers_and_monitors_wake_only_what_is_live_or_open_to_them() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let (project, one, host) = stopped(&whole, json!({"body": "one"})).await;
    for (what, fields) in [
        (("GET", "/"), vec![GOOGLE]),
        (("HEAD", "/"), vec![]),
        (("GET", "/a"), vec![("user-agent", "UptimeRobot/2.0"), PAGE]),
    ] {
        let answer = ask(&whole, &host, what, &fields).await;
        assert_eq!(answer.status, 503, "{what:?} {fields:?}");
        assert_eq!(header(&answer, "retry-after"), "3600");
        assert_eq!(header(&answer, "x-robots-tag"), "noindex");
        assert_eq!(header(&answer, "refresh"), "");
    }
    let robots = ask(&whole, &host, ("GET", "/robots.txt"), &[GOOGLE]).await;
    assert_eq!(
        (robots.status.as_u16(), robots.body.as_str()),
        (200, "User-agent: *\nDisallow: /\n")
    );
    assert_eq!(header(&robots, "x-robots-tag"), "noindex");
    let head = ask(&whole, &host, ("HEAD", "/robots.txt"), &[]).await;
    assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
    assert_eq!(header(&head, "content-length"), robots.body.len().to_string());
    assert_eq!(whole.engine.starts(&one), Some(1), "nobody has woken it");

    whole.set_runtime(&project, "$.sleep", &json!({"live": true, "crawlers": true}));
    until("crawlers wake it", async || {
        (ask(&whole, &host, ("GET", "/"), &[GOOGLE]).await.body == "one").then_some(())
    })
    .await;
    assert_eq!(whole.engine.starts(&one), Some(2));
}

#[tokio::test]
async fn whoever_comes_for_a_live_one_wakes_it() {
    let settings = [("ORBITRA_SLEEP_AFTER", "1"), ("ORBITRA_STOP_AFTER", "0")];
    let whole = Whole::start_with(&settings).await;
    let repository = whole.repository(&json!({"body": "shop"}));
    let project = whole.project("shop").await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    whole.set_runtime(&project, "$.sleep", &json!({"live": true, "crawlers": false}));
    let own = host_of(&text(&whole.api.get(&format!("/deployments/{id}")).await, "url"));
    let asleep = async || {
        until("it sleeps", async || {
            (whole.stored(&id).await.run_state == RunState::Stopped).then_some(())
        })
        .await;
    };
    for (host, what) in [
        ("shop.localhost", ("HEAD", "/")),
        // The application's own: production is for crawlers unless the application says otherwise.
        ("shop.localhost", ("GET", "/robots.txt")),
        (own.as_str(), ("GET", "/")),
    ] {
        asleep().await;
        let answer = ask(&whole, host, what, &[GOOGLE]).await;
        assert_eq!(answer.status, 200, "{host} {what:?}");
        assert!(what.0 == "HEAD" || answer.body == "shop", "{}", answer.body);
    }
}

#[tokio::test]
async fn what_does_not_start_says_so_and_is_not_tried_for_ever() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let (_, one, host) = stopped(&whole, json!({"body": "one"})).await;
    whole.engine.set_exit(&one, Some(3));
    let begin = Instant::now();
    let both = [("GET", "/"), ("GET", "/a")].map(|what| ask(&whole, &host, what, &[]));
    for answer in futures_util::future::join_all(both).await {
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("did not start"), "{}", answer.body);
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let starts = whole.engine.starts(&one).unwrap();
    assert!((2..=3).contains(&starts), "{starts}");
    whole.engine.set_exit(&one, None);
    assert_eq!(ask(&whole, &host, ("GET", "/"), &[]).await.body, "one", "the next one tries again");
}

#[tokio::test]
async fn what_is_not_production_is_not_for_search_engines() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "shop"}));
    let project = whole.project("shop").await;
    let live = whole.api.deploy_live(&project, &repository).await;
    change(&repository, &json!({"exit": 1}));
    let failed = whole.deploy(&project, &repository).await;
    whole.api.failure(&failed).await;
    let site = whole.git.repository_of("site", &[("index.html", "files")]);
    let other = whole.project("files").await;
    let files = whole.api.deploy_live(&other, &site).await;
    let failed = whole.api.get(&format!("/deployments/{failed}")).await;
    let host = |deployment: &Value| host_of(&text(deployment, "url"));
    for (host, path, status) in [
        (host(&live), "/", 200),
        (host_of(&text(&live, "branch_url")), "/", 200),
        (host(&files), "/", 200),
        (host(&files), "/none", 404),
        (host(&failed), "/", 503),
        ("nobody.localhost".to_owned(), "/", 404),
    ] {
        let answer = until("the routes follow", async || {
            let answer = ask(&whole, &host, ("GET", path), &[]).await;
            (answer.status == status).then_some(answer)
        })
        .await;
        assert_eq!(header(&answer, "x-robots-tag"), "noindex", "{host}{path}");
    }
    for host in ["shop.localhost", "files.localhost"] {
        let answer = ask(&whole, host, ("GET", "/"), &[]).await;
        assert_eq!((answer.status.as_u16(), header(&answer, "x-robots-tag")), (200, ""), "{host}");
    }
}
