//! Files of a page that a visitor has open are there after a switch.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;

use super::{Whole, change};
use crate::support::api_client::{Answer, host_of, send, text};
use crate::support::until::until;

const SCRIPT: &str = "/assets/app-BdH3_x8q.js";

async fn ask(whole: &Whole, method: &str, host: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", host);
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
async fn a_replaced_application_is_asked_when_it_is_awake_and_not_woken() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let one = text(&whole.api.deploy_live(&project, &repository).await, "id");
    change(&repository, &json!({"body": "two", "only": "/"}));
    whole.api.deploy_live(&project, &repository).await;
    until("it is paused", async || whole.engine.pauses(&one).0.then_some(())).await;
    let answer = ask(&whole, "GET", "shop.localhost", SCRIPT).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (404, "two"));
    assert_eq!(whole.engine.pauses(&one), (true, 1), "it is not woken for a file");
    assert_eq!(whole.own_url(&one).await.body, "one");
    let answer = ask(&whole, "GET", "shop.localhost", SCRIPT).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "one"));
    for (method, path) in [("POST", SCRIPT), ("GET", "/other")] {
        let answer = ask(&whole, method, "shop.localhost", path).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (404, "two"), "{method} {path}");
    }
}
