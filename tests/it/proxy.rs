//! What crosses the proxy, and how.

use std::sync::atomic::Ordering;

use orbitra::routing::table::{Entry, Notice, RouteTable};
use tokio::io::AsyncWriteExt;

use crate::support::front::{Front, HOST, notice, table, to, upstream};
use crate::support::toy::{self, Toy, ok};
use crate::support::wire::{Wire, ask, until};

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_passed_on_replaced_or_dropped() {
    let toy = Toy::answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Orbitra-Node: 1\r\nServer: toy\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nok".to_vec()
    })
    .await;
    let front = Front::start(to(toy.address));
    let answer = ask(
        front.address,
        get(
            "/a%2Fb/../c?x=%20&y",
            "Connection: X-Forwarded-For, Host, X-Mine\r\nX-Mine: 1\r\nX-Forwarded-For: 10.0.0.1\r\n\
             X-Forwarded-Proto: https\r\nX-Orbitra-User: admin\r\nX-Request-Id: spoof\r\nTE: trailers\r\n\
             Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\nCookie: s=1\r\nX-Kept: yes\r\n",
        ),
    )
    .await;
    let seen = toy.last();
    assert!(seen.head.starts_with("GET /a%2Fb/../c?x=%20&y HTTP/1.1\r\n"));
    for (name, value) in [
        ("host", Some(HOST)),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-host", Some(HOST)),
        ("cookie", Some("s=1")),
        ("x-kept", Some("yes")),
        ("te", Some("trailers")),
        ("x-mine", None),
        ("x-orbitra-user", None),
        ("upgrade", None),
        ("http2-settings", None),
        ("connection", None),
        ("content-length", None),
        ("transfer-encoding", None),
    ] {
        assert_eq!(seen.header(name).as_deref(), value, "{name}");
    }
    assert_eq!(answer.text(), "ok");
    assert_eq!(answer.header("set-cookie").unwrap(), "a=1, b=2");
    assert_eq!(answer.header("server").unwrap(), "toy");
    for gone in ["x-hop", "x-orbitra-node", "connection", "x-robots-tag"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    assert_eq!(seen.header("x-request-id"), answer.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_on_both_sides() {
    let toy = Toy::saying("hello").await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    for _ in 0..50 {
        assert_eq!(wire.get(HOST, "/").await.unwrap().text(), "hello");
    }
    assert_eq!(toy.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_content_keep_their_fields() {
    let toy = Toy::answering(|seen| {
        match seen.head.split(' ').nth(1).unwrap() {
            "/204" => &b"HTTP/1.1 204 No Content\r\n\r\n"[..],
            "/304" => b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n",
            "/empty" => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        }
        .to_vec()
    })
    .await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    for _ in 0..3 {
        for path in ["/204", "/304", "/empty"] {
            let answer = wire.get(HOST, path).await.unwrap();
            assert_eq!(answer.body, b"", "{path}");
        }
        wire.send(format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
        let answer = wire.answer(true).await.unwrap();
        assert_eq!(answer.header("content-length").unwrap(), "5");
    }
    assert_eq!(toy.count(), 12);
    assert_eq!(toy.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_clients_get_no_chunks() {
    let toy = Toy::answering(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_vec()
    })
    .await;
    let front = Front::start(to(toy.address));
    let answer = ask(front.address, format!("GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n")).await;
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.text(), "hello");
    let answer = ask(front.address, get("/", "")).await;
    assert_eq!(answer.header("transfer-encoding").unwrap(), "chunked");
    assert_eq!(answer.text(), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_clients_may_keep_their_connection() {
    let toy = Toy::saying("hello").await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    for _ in 0..3 {
        wire.send(format!("GET / HTTP/1.0\r\nHost: {HOST}\r\nConnection: keep-alive\r\n\r\n"))
            .await;
        let answer = wire.answer(false).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
        assert_eq!(answer.header("connection").as_deref(), Some("keep-alive"));
    }
    // One that does not ask for it is not kept waiting.
    wire.send(format!("GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n")).await;
    assert!(wire.rest().await.unwrap().ends_with(b"hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_cross_when_asked_for() {
    let toy = Toy::answering(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nAuthorization: x\r\n\r\n".to_vec()
    })
    .await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    wire.send(get("/", "TE: trailers\r\nConnection: close, te\r\n")).await;
    let all = String::from_utf8(wire.rest().await.unwrap()).unwrap();
    assert!(all.ends_with("2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_wait_for_100_continue() {
    let toy = Toy::answering(|seen| ok(&String::from_utf8_lossy(&seen.body))).await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    wire.send(format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    ))
    .await;
    assert!(wire.head().await.unwrap().starts_with("HTTP/1.1 100"));
    wire.send("hello").await;
    assert_eq!(wire.answer(false).await.unwrap().text(), "hello");
    assert_eq!(toy.last().header("expect"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn early_hints_of_an_application_do_not_hide_its_answer() {
    let toy = Toy::answering(|seen| {
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
        let path = seen.head.split(' ').nth(1).unwrap();
        let hints = hints.repeat(path[1..].parse().unwrap());
        [hints.as_bytes(), &ok("hello")].concat()
    })
    .await;
    let front = Front::start(to(toy.address));
    // They are not passed on: the HTTP library sends none.
    for version in ["1.1", "1.0"] {
        let answer =
            ask(front.address, format!("GET /2 HTTP/{version}\r\nHost: {HOST}\r\n\r\n")).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
        assert_eq!(answer.header("link"), None);
    }
    // Sixteen are read, and who sends more is no application that answers.
    for (path, status) in [("/16", 200), ("/17", 502), ("/100000", 502), ("/16", 200)] {
        let answer = ask(front.address, get(path, "")).await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_its_half_gets_the_answer() {
    let toy = Toy::serving(|mut wire, _| async move {
        toy::request(&mut wire).await.unwrap();
        // The end of the client's half arrives at the proxy long before this.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        wire.send(ok("late")).await;
    })
    .await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    wire.send(get("/", "")).await;
    wire.stream.shutdown().await.unwrap();
    assert_eq!(wire.answer(false).await.unwrap().text(), "late");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_content_crosses_unharmed_both_ways() {
    const LENGTH: usize = 48 * 1024 * 1024;
    let pattern = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
    let toy = Toy::serving(move |mut wire, _| async move {
        let mut seen = wire.head().await.unwrap();
        seen.push_str("\r\n");
        let mut sum = crc32fast::Hasher::new();
        let mut left = LENGTH;
        while left > 0 {
            let part = wire.take(left.min(65_536)).await.unwrap();
            left -= part.len();
            sum.update(&part);
        }
        let sum = sum.finalize();
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\nX-Sum: {sum}\r\n\r\n"))
            .await;
        let mut at = 0;
        while at < LENGTH {
            let part: Vec<u8> = (at..at + 65_536).map(pattern).collect();
            at += part.len();
            wire.send(part).await;
        }
    })
    .await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    wire.send(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {LENGTH}\r\n\r\n")).await;
    let mut sum = crc32fast::Hasher::new();
    let mut at = 0;
    while at < LENGTH {
        let part: Vec<u8> = (at..at + 65_536).map(pattern).collect();
        at += part.len();
        sum.update(&part);
        wire.send(part).await;
    }
    let sum = sum.finalize();
    let answer = wire.answer(false).await.unwrap();
    assert_eq!(answer.header("x-sum").unwrap(), sum.to_string());
    assert_eq!(crc32fast::hash(&answer.body), sum);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_stream_as_they_come() {
    let toy = Toy::serving(|mut wire, _| async move {
        toy::request(&mut wire).await.unwrap();
        wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata 1\r\n").await;
        // Sends no more before the client has got this.
        let _ = wire.more().await;
    })
    .await;
    let (address, route) = upstream(toy.address);
    let front = Front::start(route);
    let mut wire = Wire::connect(front.address).await;
    wire.send(get("/", "")).await;
    wire.head().await.unwrap();
    assert_eq!(wire.take(11).await.unwrap(), b"6\r\ndata 1\r\n"[..11]);
    assert_eq!(address.in_flight(), 1);
    drop(wire);
    // The client is missed when there is something to send to it, or when the stream is cut.
    address.cut();
    until(|| address.in_flight() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_has_its_own_hosts() {
    let toy = Toy::saying("app").await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    assert_eq!(wire.get("localhost:1", "/").await.unwrap().text(), "control");
    assert_eq!(wire.get(HOST, "/").await.unwrap().text(), "app");
    assert_eq!(wire.get("127.0.0.1", "/").await.unwrap().text(), "control");
    assert_eq!(wire.get("localhost", "/none").await.unwrap().status, 404);
    let peer = wire.stream.local_addr().unwrap().to_string();
    assert_eq!(wire.get("localhost", "/peer").await.unwrap().text(), peer);
    assert_eq!(wire.get("localhost", "/panic").await.unwrap().status, 500);
    assert_eq!(wire.get(HOST, "/").await.unwrap().text(), "app");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_proxy_come_in_the_form_asked_for() {
    let front = Front::start(notice(Notice::Building));
    let html = ask(front.address, get("/", "Accept: text/html,*/*;q=0.8\r\n")).await;
    assert_eq!(html.status, 503);
    assert_eq!(html.header("content-type").unwrap(), "text/html; charset=utf-8");
    assert_eq!(html.header("retry-after").unwrap(), "10");
    assert_eq!(html.header("cache-control").unwrap(), "no-store");
    assert_eq!(html.header("x-content-type-options").unwrap(), "nosniff");
    let reference = html.header("x-request-id").unwrap();
    let policy = html.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'nonce-req_"));
    assert!(html.text().contains(&reference) && html.body.len() < 4096);
    assert!(!html.text().contains("<script"));
    let json = ask(front.address, get("/", "Accept: application/json\r\n")).await;
    let value: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(value["error"]["code"], "building");
    assert_eq!(value["error"]["reference"], json.header("x-request-id").unwrap());
    let text = ask(front.address, get("/", "")).await;
    assert_eq!(text.text().lines().count(), 1);
    let head = ask(front.address, format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    assert_eq!((head.status, head.body.len()), (503, 0));
    let unknown = ask(front.address, "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n").await;
    assert_eq!(unknown.status, 404);
    for (kind, status) in [
        (Notice::NotReady, 503),
        (Notice::Failed, 503),
        (Notice::Stopped, 503),
        (Notice::Paused, 503),
        (Notice::Removed, 410),
    ] {
        front.routes.publish(table(notice(kind)));
        assert_eq!(ask(front.address, get("/", "")).await.status, status, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_that_are_not_production_are_not_indexed() {
    let toy = Toy::saying("app").await;
    let front = Front::start(to(toy.address));
    let mut table = RouteTable::default();
    let entry = Entry {
        route: to(toy.address),
        noindex: true,
        application: None,
        policy: None,
        kept: None,
    };
    table.hosts.insert(HOST.into(), entry);
    front.routes.publish(table);
    let answer = ask(front.address, get("/", "")).await;
    assert_eq!(answer.header("x-robots-tag").unwrap(), "noindex");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_is_found_at_once() {
    // The upstream is the proxy itself.
    let front = Front::start(notice(Notice::Failed));
    front.routes.publish(table(to(front.address)));
    let answer = ask(front.address, get("/", "")).await;
    assert_eq!(answer.status, 508);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_logged_when_a_log_is_wanted() {
    let toy = Toy::saying("hello").await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access");
    let front = Front::with(to(toy.address), |options| {
        options.proxy.access_log = Some(path.clone());
    });
    ask(front.address, get("/a\"b?c", "User-Agent: test\r\n")).await;
    let file = path.join("access.log");
    until(|| std::fs::metadata(&file).is_ok_and(|file| file.len() > 0)).await;
    let line: serde_json::Value =
        serde_json::from_str(std::fs::read_to_string(&file).unwrap().trim()).unwrap();
    assert_eq!(line["status"], 200);
    assert_eq!(line["bytes"], 5);
    assert_eq!(line["host"], HOST);
    assert_eq!(line["agent"], "test");
}
