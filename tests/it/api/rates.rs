//! Rate limits: what counts, against whom, and what every answer says about it.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use orbitra::config::RateLimits;
use orbitra::db::rate_windows::{self, RateWindow};
use orbitra::model::timestamp::Timestamp;
use orbitra::model::user::Plan;
use serde_json::json;

use crate::support::app::{Client, Reply, START, TestApp};

const HOUR: Duration = Duration::from_secs(3_600);

/// An instance with small limits.
fn limited(free: u32, professional: u32) -> TestApp {
    TestApp::limited(RateLimits { free, professional, window: HOUR })
}

/// Limit and remaining.
fn left(reply: &Reply) -> (&str, &str) {
    (reply.header("x-ratelimit-limit"), reply.header("x-ratelimit-remaining"))
}

async fn remaining(client: &Client) -> u64 {
    client.get("/rate-limit").await.expect(200).at("/remaining").as_u64().unwrap()
}

async fn stored(app: &TestApp) -> Vec<RateWindow> {
    app.app.db.read(|c| rate_windows::load(c, Timestamp(0))).await.unwrap()
}

#[tokio::test]
async fn every_answer_says_how_the_account_stands() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let first = client.get("/users/me").await.expect(200);
    assert_eq!(left(&first), ("10000", "9999"));
    assert_eq!(first.header("x-ratelimit-reset"), (START.seconds() + 3_600).to_string());
    assert_eq!(first.header("ratelimit-policy"), "\"professional\";q=10000;w=3600");
    assert_eq!(first.header("ratelimit"), "\"professional\";r=9999;t=3600");
    assert_eq!(first.header("x-should-retry"), "");
    app.app.clock.advance(Duration::from_millis(479_500));
    let refused = client.post("/projects", "{}").await.expect(400);
    assert_eq!(refused.header("ratelimit"), "\"professional\";r=9998;t=3121");
    let standing = client.get("/rate-limit").await.expect(200);
    assert_eq!(
        standing.body(),
        "{\"plan\":\"professional\",\"limit\":10000,\"remaining\":9998,\"used\":2,\
         \"unlimited\":false,\"reset_at\":\"2026-01-20T17:30:00Z\"}"
    );
    assert_eq!(left(&standing), ("10000", "9998"));
}

#[tokio::test]
async fn no_answer_goes_without_the_headers() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let anonymous = app.anonymous();
    let text = Request::post("/projects").header("content-type", "text/plain");
    let mut replies = vec![
        (200, client.get("/health").await),
        (200, client.get("/openapi.json").await),
        (204, anonymous.call("OPTIONS", "/projects").await),
        (401, anonymous.get("/projects").await),
        (401, app.with_key("orbu_x").get("/rate-limit").await),
        (404, client.get("/api/v1/nowhere").await),
        (404, client.get("/projects/nothing").await),
        (405, client.delete("/projects").await),
        (413, client.post("/projects", "x".repeat(2 * 1024 * 1024)).await),
        (415, client.ask(text.body(Body::from("x")).unwrap()).await),
        (400, client.get("/projects?x=1").await),
    ];
    let request = Request::get("/users/me").header("if-none-match", "*").body(Body::empty());
    replies.push((304, client.ask(request.unwrap()).await));
    for (status, reply) in replies {
        let reply = reply.expect(status);
        for name in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
            let number: u64 =
                reply.header(name).parse().unwrap_or_else(|_| panic!("{status} {name}"));
            assert!(number > 0, "{status} {name}");
        }
        assert!(reply.header("ratelimit-policy").contains(";w=3600"), "{status}");
        assert!(reply.header("ratelimit").contains(";t=3600"), "{status}");
        assert_eq!(reply.header("x-should-retry"), "", "{status}");
    }
}

#[tokio::test]
async fn who_has_used_up_the_window_waits_for_the_next() {
    let app = limited(3, 5);
    let client = app.client("user@example.com", &["full"]).await;
    for n in (0..5).rev() {
        assert_eq!(left(&client.get("/users/me").await.expect(200)), ("5", &*n.to_string()));
    }
    app.app.clock.advance(Duration::from_millis(599_001));
    for _ in 0..3 {
        let refused = client.get("/users/me").await.expect(429);
        assert_eq!(refused.at("/error/code"), "rate_limit_exceeded");
        assert_eq!(
            refused.at("/error/details"),
            json!({
                "limit": 5, "window_seconds": 3600, "retry_after_seconds": 3001,
                "reset_at": "2026-01-20T17:30:00Z", "violated_policies": ["professional"],
            })
        );
        assert_eq!(left(&refused), ("5", "0"));
        assert_eq!(refused.header("retry-after"), "3001");
        assert_eq!(refused.header("x-should-retry"), "true");
        assert_eq!(refused.header("ratelimit"), "\"professional\";r=0;t=3001");
        assert_eq!(refused.header("x-ratelimit-reset"), (START.seconds() + 3_600).to_string());
    }
    // The scope and the body of a request that is not answered are not looked at.
    client.post("/projects", "{").await.expect(429);
    client.get("/api/v1/nowhere").await.expect(404);
    assert_eq!(remaining(&client).await, 0);
    app.app.clock.advance(Duration::from_millis(3_000_998));
    let refused = client.get("/users/me").await.expect(429);
    assert_eq!(refused.header("retry-after"), "1");
    app.app.clock.advance(Duration::from_millis(1));
    let fresh = client.get("/users/me").await.expect(200);
    assert_eq!(left(&fresh), ("5", "4"));
    assert_eq!(fresh.header("x-ratelimit-reset"), (START.seconds() + 7_200).to_string());
}

#[tokio::test]
async fn what_does_not_count() {
    let app = limited(3, 5);
    let client = app.client("user@example.com", &["full"]).await;
    let tag = client.get("/users/me").await.expect(200).header("etag").to_owned();
    for _ in 0..10 {
        let request = Request::get("/users/me").header("if-none-match", &tag).body(Body::empty());
        let same = client.ask(request.unwrap()).await.expect(304);
        assert_eq!(left(&same), ("5", "4"));
        client.get("/rate-limit").await.expect(200);
        client.call("HEAD", "/rate-limit").await.expect(200);
        client.call("OPTIONS", "/users/me").await.expect(204);
        assert_eq!(left(&client.get("/health").await.expect(200)), ("3", "3"));
        assert_eq!(left(&client.get("/openapi.json").await.expect(200)), ("3", "3"));
    }
    assert_eq!(remaining(&client).await, 4);
    for n in (0..4).rev() {
        assert_eq!(left(&client.call("HEAD", "/users/me").await), ("5", &*n.to_string()));
    }
    // Used up, the account still learns how it stands.
    client.get("/users/me").await.expect(429);
    assert_eq!(client.get("/rate-limit").await.expect(200).at("/used"), 5);
}

#[tokio::test]
async fn a_repeated_request_counts_a_refused_stream_does_not() {
    let app = limited(3, 20);
    let client = app.client("user@example.com", &["full"]).await;
    for (status, header) in [("20", "19"), ("20", "18")] {
        let request = Request::post("/projects")
            .header("idempotency-key", "once")
            .body(Body::from(r#"{"name":"my-app","region":"local"}"#));
        assert_eq!(left(&client.ask(request.unwrap()).await.expect(201)), (status, header));
    }
    let id = client.deployment("my-app").await;
    let path = format!("/deployments/{id}/logs?follow=true");
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(client.events(&path, None).await);
    }
    assert_eq!(remaining(&client).await, 12);
    let refused = client.get(&path).await.expect(429);
    assert_eq!(refused.at("/error/details/violated_policies"), json!(["streams"]));
    assert_eq!(left(&refused), ("20", "12"));
    assert_eq!(remaining(&client).await, 12);
}

#[tokio::test]
async fn keys_of_an_account_share_its_window_accounts_do_not() {
    let app = limited(3, 4);
    let user = app.user("user@example.com").await;
    let (one, two) = (app.client_of(&user, &["read"]).await, app.client_of(&user, &["full"]).await);
    for client in [&one, &two, &one, &two] {
        client.get("/users/me").await.expect(200);
    }
    one.get("/users/me").await.expect(429);
    two.clone().from("203.0.113.9").get("/users/me").await.expect(429);
    let other = app.client("other@example.com", &["full"]).await;
    assert_eq!(left(&other.get("/users/me").await.expect(200)), ("4", "3"));
}

#[tokio::test]
async fn plans_have_limits_of_their_own() {
    let app = limited(3, 4);
    let free = app.user_on("free@example.com", Plan::Free).await;
    let free = app.client_of(&free, &["full"]).await;
    let reply = free.get("/users/me").await.expect(200);
    assert_eq!(reply.header("ratelimit-policy"), "\"free\";q=3;w=3600");
    assert_eq!(reply.header("ratelimit"), "\"free\";r=2;t=3600");
    let large = app.user_on("large@example.com", Plan::Enterprise).await;
    let large = app.client_of(&large, &["full"]).await;
    for _ in 0..20 {
        let reply = large.get("/users/me").await.expect(200);
        assert_eq!(left(&reply), ("2147483647", "2147483647"));
        assert_eq!(reply.header("ratelimit-policy"), "\"enterprise\";q=2147483647;w=3600");
    }
    let standing = large.get("/rate-limit").await.expect(200).json();
    assert_eq!((&standing["unlimited"], &standing["used"]), (&json!(true), &json!(20)));
    assert_eq!(standing["remaining"], 2_147_483_647_u64);
}

#[tokio::test]
async fn who_shows_no_valid_key_is_counted_by_address() {
    let app = limited(3, 5);
    let client = app.client("user@example.com", &["full"]).await;
    let anonymous = app.anonymous().from("203.0.113.9");
    let wrong = app.with_key("orbu_wrong").from("203.0.113.9");
    let first = anonymous.get("/users/me").await.expect(401);
    assert_eq!(first.header("ratelimit-policy"), "\"anonymous\";q=3;w=3600");
    assert_eq!(left(&first), ("3", "2"));
    assert_eq!(left(&wrong.get("/users/me").await.expect(401)), ("3", "1"));
    assert_eq!(left(&anonymous.get("/api/v1/nowhere").await.expect(404)), ("3", "0"));
    // Used up: what would be a 401 is a 429, everything else stays what it is.
    for client in [&anonymous, &wrong] {
        let refused = client.get("/users/me").await.expect(429);
        assert_eq!(refused.at("/error/details/violated_policies"), json!(["anonymous"]));
        assert_eq!(refused.header("retry-after"), "3600");
        assert_eq!(refused.header("www-authenticate"), "");
        assert_eq!(left(&client.get("/api/v1/nowhere").await.expect(404)), ("3", "0"));
        assert_eq!(left(&client.delete("/projects").await.expect(405)), ("3", "0"));
        client.get("/health").await.expect(200);
    }
    // A valid key is the account's, wherever it comes from.
    let here = client.clone().from("203.0.113.9");
    assert_eq!(left(&here.get("/users/me").await.expect(200)), ("5", "4"));
    app.anonymous().from("203.0.113.10").get("/users/me").await.expect(401);
    app.app.clock.advance(HOUR);
    assert_eq!(left(&anonymous.get("/users/me").await.expect(401)), ("3", "2"));
}

#[tokio::test]
async fn an_ipv6_network_is_one_address() {
    let app = limited(3, 5);
    for (address, status, left_over) in [
        ("2001:db8:1:2::1", 401, "2"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", 401, "1"),
        ("2001:db8:1:3::1", 401, "2"),
        ("2001:db8:1:2::7", 401, "0"),
        ("2001:db8:1:2::8", 429, "0"),
        ("::ffff:203.0.113.9", 401, "2"),
        ("203.0.113.9", 401, "1"),
    ] {
        let reply = app.anonymous().from(address).get("/users/me").await.expect(status);
        assert_eq!(left(&reply), ("3", left_over), "{address}");
    }
}

#[tokio::test]
async fn a_restart_hands_out_no_fresh_window() {
    let app = limited(3, 5);
    let client = app.client("user@example.com", &["full"]).await;
    let key = client.key().to_owned();
    let address = "2001:db8:1:2::1";
    app.app.clock.advance(Duration::from_millis(500));
    for _ in 0..4 {
        client.get("/users/me").await.expect(200);
        app.anonymous().from(address).get("/users/me").await;
    }
    app.app.clock.advance(Duration::from_secs(60));
    let app = app.restarted().await;
    let client = app.with_key(&key);
    let last = client.get("/users/me").await.expect(200);
    assert_eq!(last.header("ratelimit"), "\"professional\";r=0;t=3540");
    client.get("/users/me").await.expect(429);
    app.anonymous().from(address).get("/users/me").await.expect(429);
    let mut rows: Vec<_> = stored(&app).await.into_iter().map(|w| (w.subject, w.used)).collect();
    rows.sort_unstable();
    assert_eq!(rows[0], ("2001:db8:1:2::".to_owned(), 3));
    assert_eq!((rows[1].1, rows.len()), (4, 2));
    // What is over is neither taken up nor kept.
    app.app.clock.advance(HOUR);
    let app = app.restarted().await;
    assert_eq!(left(&app.with_key(&key).get("/users/me").await.expect(200)), ("5", "4"));
    app.app.store_rate_windows().await;
    let rows = stored(&app).await;
    assert_eq!((rows.len(), rows[0].used), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_the_same_time_exactly_as_many_pass_as_are_left() {
    let app = limited(3, 60);
    let client = app.client("user@example.com", &["full"]).await;
    for _ in 0..10 {
        client.get("/users/me").await.expect(200);
    }
    let asked = (0..100).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            let reply = client.get("/users/me").await;
            (reply.status.as_u16(), reply.header("x-ratelimit-remaining").to_owned())
        })
    });
    let mut passed = Vec::new();
    for reply in futures_util::future::join_all(asked).await {
        match reply.unwrap() {
            (200, left) => passed.push(left.parse::<u32>().unwrap()),
            other => assert_eq!(other, (429, "0".to_owned())),
        }
    }
    passed.sort_unstable();
    assert_eq!(passed, (0..50).collect::<Vec<_>>());
}
