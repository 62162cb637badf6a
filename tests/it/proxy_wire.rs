//! Requests byte by byte: what is refused, and that nothing of it reaches an upstream.

use crate::support::front::{Front, to};
use crate::support::toy::Toy;
use crate::support::wire::{Wire, ask};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_one_clear_request_is_refused() {
    let toy = Toy::saying("never").await;
    let front = Front::start(to(toy.address));
    let long = "x".repeat(64 * 1024);
    let fields = |count: usize| "A: b\r\n".repeat(count);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: app.test\r\nHost: app.test\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: app.test\r\nHost: other.test\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: app.test/x\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n".into(), 400),
        ("GET http://app.test/ HTTP/1.1\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost : app.test\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: app.test\r\n Folded: x\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: app.test\r\nX: a\0b\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: app.test\r\nX: a\rb\r\n\r\n".into(), 400),
        ("GET  / HTTP/1.1\r\nHost: app.test\r\n\r\n".into(), 400),
        ("GET / HTTP/1.2\r\nHost: app.test\r\n\r\n".into(), 400),
        ("GET /\r\n\r\n".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3, 3\r\n\r\nabc".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: -3\r\n\r\nabc".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: +3\r\n\r\nabc".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0x3\r\n\r\nabc".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 99999999999999999999\r\n\r\nabc".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: identity\r\n\r\n".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".into(), 400),
        ("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n".into(), 400),
        ("POST / HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), 400),
        ("CONNECT app.test:22 HTTP/1.1\r\nHost: app.test:22\r\n\r\n".into(), 501),
        ("TRACE / HTTP/1.1\r\nHost: app.test\r\n\r\n".into(), 501),
        ("TRACK / HTTP/1.1\r\nHost: app.test\r\n\r\n".into(), 501),
        ("DEBUG / HTTP/1.1\r\nHost: app.test\r\n\r\n".into(), 501),
        (format!("GET /{long} HTTP/1.1\r\nHost: app.test\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nHost: app.test\r\nA: {long}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: app.test\r\n{}\r\n", fields(100)), 431),
        (format!("GET / HTTP/1.1\r\nHost: app.test\r\n{}\r\n", fields(1000)), 431),
    ] {
        let mut wire = Wire::connect(front.address).await;
        wire.send(&request).await;
        let shown: String = request.chars().take(120).collect();
        let answer = wire.answer(false).await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}: {shown}"));
        assert_eq!(answer.status, status, "{shown}");
        // What follows cannot be told apart from content, so the connection ends.
        assert_eq!(wire.rest().await.unwrap(), b"", "{shown}");
    }
    assert_eq!(toy.count(), 0, "{:?}", toy.seen.lock().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unusual_but_right_passes() {
    let toy = Toy::saying("yes").await;
    let front = Front::start(to(toy.address));
    let path = "x".repeat(8000);
    let fields = "A: b\r\n".repeat(99);
    for request in [
        "GET / HTTP/1.1\r\nhost: App.Test:8080\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: app.test.\r\n\r\n".into(),
        "\r\n\r\nGET / HTTP/1.1\r\nHost: app.test\r\n\r\n".into(),
        "GET http://app.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n".into(),
        "GET / HTTP/1.0\r\nHost: app.test\r\n\r\n".into(),
        "PROPFIND / HTTP/1.1\r\nHost: app.test\r\n\r\n".into(),
        "OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n".into(),
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n".into(),
        "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc".into(),
        format!("GET /{path} HTTP/1.1\r\nHost: app.test\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: app.test\r\n{fields}\r\n"),
    ] {
        let before = toy.count();
        let answer = ask(front.address, &request).await;
        let shown: String = request.chars().take(120).collect();
        assert_eq!((answer.status, answer.text().as_str()), (200, "yes"), "{shown}");
        assert_eq!(toy.count(), before + 1, "{shown}");
        let seen = toy.last();
        if request.contains("abc") {
            assert!(String::from_utf8_lossy(&seen.body).contains("abc"), "{shown}");
        }
        if request.contains("http://") {
            assert_eq!(seen.header("host").unwrap(), "app.test");
            assert!(seen.head.starts_with("GET / HTTP/1.1\r\n"), "{}", seen.head);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let toy = Toy::answering(|seen| {
        let path = seen.head.split(' ').nth(1).unwrap().to_owned();
        crate::support::toy::ok(&path)
    })
    .await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    let requests: String =
        (0..20).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: app.test\r\n\r\n")).collect();
    wire.send(requests + "POST /bad HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx").await;
    for number in 0..20 {
        let answer = wire.answer(false).await.unwrap();
        assert_eq!(answer.text(), format!("/{number}"));
    }
    assert_eq!(wire.answer(false).await.unwrap().status, 400);
    assert_eq!(toy.count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_size_with_blanks_ends_the_request() {
    let toy = Toy::saying("yes").await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    wire.send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n").await;
    let _ = wire.rest().await;
    assert_eq!(toy.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_2_preface_ends_the_connection() {
    let toy = Toy::saying("never").await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let _ = wire.rest().await;
    assert_eq!(toy.count(), 0);
}
