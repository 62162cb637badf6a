//! Files of a page that a visitor has open are there after a switch.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;

use super::{NO_PAUSE, Whole, change};
use crate::support::api_client::{Answer, host_of, send, text};
use crate::support::until::until;

const SCRIPT: &str = "/assets/app-BdH3_x8q.js";

async fn ask(whole: &Whole, method: &str, host: &str, path: &str) -> Answer {
    ask_with(whole, method, host, path, &[]).await
}

async fn ask_with(
    whole: &Whole,
    method: &str,
    host: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::default()).unwrap();
    send(whole.api.port, request).await.unwrap()
}

/// A site whose first two deployments had a script each, and whose third, which is live, has none. Answers the project
/// and the id of the third.
async fn site(whole: &Whole) -> (String, String) {
    let project = whole.project("shop").await;
    let mut id = String::new();
    for (name, script) in [
        ("one", Some((SCRIPT, "the first"))),
        ("two", Some(("/assets/app-C4f9_k2z.js", "the second"))),
        ("three", None),
    ] {
        let mut files = vec![("index.html", name), ("old.txt", name), ("404.html", "none")];
        files.extend(script.map(|(path, content)| (path.trim_start_matches('/'), content)));
        if script.is_none() {
            files.remove(1);
        }
        let repository = whole.git.repository_of(name, &files);
        id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    }
    (project, id)
}

#[tokio::test]
async fn a_hashed_file_of_a_replaced_site_is_still_there() {
    let whole = Whole::start().await;
    let (_, live) = site(&whole).await;
    for (path, content) in [(SCRIPT, "the first"), ("/assets/app-C4f9_k2z.js", "the second")] {
        let answer = ask(&whole, "GET", "shop.localhost", path).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, content), "{path}");
        assert!(answer.headers["cache-control"].to_str().unwrap().contains("immutable"));
        assert!(!answer.headers.contains_key("x-robots-tag"));
    }
    let head = ask(&whole, "HEAD", "shop.localhost", SCRIPT).await;
    assert_eq!((head.status.as_u16(), head.headers["content-length"].as_bytes()), (200, &b"9"[..]));
    assert_eq!(ask(&whole, "POST", "shop.localhost", SCRIPT).await.status, 405);
    for path in ["/old.txt", "/assets/app-D5g0_l3y.js"] {
        let answer = ask(&whole, "GET", "shop.localhost", path).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (404, "none"), "{path}");
    }
    // A deployment's own URL is that deployment and nothing else.
    let own = host_of(&text(&whole.api.get(&format!("/deployments/{live}")).await, "url"));
    assert_eq!(ask(&whole, "GET", &own, SCRIPT).await.status, 404);
}

#[tokio::test]
async fn after_a_set_age_it_is_gone() {
    let whole = Whole::start_with(&[("ORBITRA_KEEP_ASSETS", "4")]).await;
    site(&whole).await;
    until("it is gone", async || {
        (ask(&whole, "GET", "shop.localhost", SCRIPT).await.status == 404).then_some(())
    })
    .await;
    let whole = Whole::start_with(&[("ORBITRA_KEEP_ASSETS", "0")]).await;
    site(&whole).await;
    assert_eq!(ask(&whole, "GET", "shop.localhost", SCRIPT).await.status, 404);
}

#[tokio::test]
async fn a_replaced_application_is_woken_for_a_page_that_is_open() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let one = text(&whole.api.deploy_live(&project, &repository).await, "id");
    change(&repository, &json!({"body": "two", "only": "/"}));
    whole.api.deploy_live(&project, &repository).await;
    until("it is paused", async || whole.engine.pauses(&one).0.then_some(())).await;

    let crawler = ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)");
    let own_page = ("referer", "http://shop.localhost/");
    for (method, path, fields) in [
        ("GET", SCRIPT, vec![]),
        ("GET", SCRIPT, vec![("referer", "http://other.localhost/")]),
        ("GET", SCRIPT, vec![("referer", "not a page")]),
        ("GET", SCRIPT, vec![own_page, ("sec-fetch-site", "cross-site")]),
        ("GET", SCRIPT, vec![own_page, crawler]),
        ("HEAD", SCRIPT, vec![own_page]),
        ("POST", SCRIPT, vec![own_page]),
        ("GET", "/other", vec![own_page]),
    ] {
        let answer = ask_with(&whole, method, "shop.localhost", path, &fields).await;
        assert_eq!(answer.status.as_u16(), 404, "{method} {path} {fields:?}");
        assert_eq!(whole.engine.pauses(&one), (true, 1), "{method} {path} {fields:?}");
    }

    let fields = [own_page];
    let asked = (0..8).map(|_| ask_with(&whole, "GET", "shop.localhost", SCRIPT, &fields));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "one"));
    }
    assert_eq!(whole.engine.pauses(&one).1, 1, "it went on once");
    // Awake, it is asked by whoever comes.
    let answer = ask(&whole, "GET", "shop.localhost", SCRIPT).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "one"));
    for (method, path) in [("POST", SCRIPT), ("GET", "/other")] {
        let answer = ask(&whole, method, "shop.localhost", path).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (404, "two"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_file_of_one_that_does_not_wake_is_missing() {
    let whole = Whole::start_with(NO_PAUSE).await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let one = text(&whole.api.deploy_live(&project, &repository).await, "id");
    change(&repository, &json!({"body": "two", "only": "/"}));
    whole.api.deploy_live(&project, &repository).await;
    until("it is stopped", async || (!whole.engine.has_process(&one)).then_some(())).await;
    whole.engine.set_exit(&one, Some(1));
    let fields = [("sec-fetch-site", "same-origin")];
    let answer = ask_with(&whole, "GET", "shop.localhost", SCRIPT, &fields).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (404, "two"));
}
