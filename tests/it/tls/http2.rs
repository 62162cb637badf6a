//! HTTP/2, whose requests the applications see as HTTP/1.1.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::listener::Edge;
use crate::support::front::{HOST, to};
use crate::support::tls::{connect, get, http2, read};
use crate::support::toy::Toy;
use crate::support::until::until;

async fn stream(edge: &Edge) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let config = edge.authority.client(&["h2", "http/1.1"]);
    let stream = connect(edge.address, HOST, config).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_reach_the_application_as_it_knows_them() {
    let toy = Toy::saying("hello").await;
    let edge = Edge::start(to(toy.address));
    let client = http2(stream(&edge).await).await;
    let mut all = tokio::task::JoinSet::new();
    for number in 0..50 {
        let mut client = client.clone();
        all.spawn(async move {
            let url = format!("https://app.test/{number}?q");
            read(client.send_request(get(&url)).await.unwrap()).await.unwrap()
        });
    }
    while let Some(answer) = all.join_next().await {
        let answer = answer.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (200, "hello"));
    }
    assert_eq!(toy.count(), 50);
    let mut request = Request::post("https://app.test/form").body(Full::from("a=b")).unwrap();
    let cookies = ["a=1", "b=2; c=3"];
    for cookie in cookies {
        request.headers_mut().append("cookie", cookie.parse().unwrap());
    }
    client.clone().send_request(request).await.unwrap();
    let seen = toy.last();
    assert!(seen.head.starts_with("POST /form HTTP/1.1"), "{}", seen.head);
    assert_eq!(seen.header("host").unwrap(), "app.test");
    assert_eq!(seen.header("cookie").unwrap(), "a=1; b=2; c=3");
    assert_eq!(seen.header("content-length").unwrap(), "3");
    assert_eq!(seen.header("x-forwarded-proto").unwrap(), "https");
    assert_eq!(seen.body, b"a=b");
    // The control plane and other hosts as well.
    let mut client = client;
    for url in ["https://localhost/", "https://other.test/"] {
        let answer = read(client.send_request(get(url)).await.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 421, "{url}");
    }
    let mut two = get("https://app.test/");
    two.headers_mut().insert("host", "other.test".parse().unwrap());
    assert_eq!(client.send_request(two).await.unwrap().status(), 400);
}

/// Sends as many bytes as it is asked for, without saying how many.
#[tokio::test(flavor = "multi_thread")]
async fn content_without_a_length_is_passed_on() {
    let toy = Toy::saying("hello").await;
    let edge = Edge::start(to(toy.address));
    let io = TokioIo::new(stream(&edge).await);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut client, driver) = handshake.await.unwrap();
    tokio::spawn(driver);
    let frames = futures_util::stream::iter(
        ["one", "two"]
            .map(|text| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(text)))),
    );
    let request = Request::post("https://app.test/").body(StreamBody::new(frames)).unwrap();
    let answer = client.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let seen = toy.last();
    assert_eq!(seen.header("transfer-encoding").unwrap(), "chunked");
    assert_eq!(seen.body, b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_content_crosses_unharmed_both_ways() {
    const PART: usize = 64 * 1024;
    const LENGTH: usize = 512 * PART;
    let parts = || (0..LENGTH / PART).map(|number| vec![(number % 251) as u8; PART]);
    let toy = Toy::serving(move |mut wire, _| async move {
        wire.head().await.unwrap();
        let mut sum = crc32fast::Hasher::new();
        for _ in 0..LENGTH / PART {
            sum.update(&wire.take(PART).await.unwrap());
        }
        let sum = sum.finalize();
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\nX-Sum: {sum}\r\n\r\n"))
            .await;
        for part in parts() {
            wire.send(part).await;
        }
    })
    .await;
    let edge = Edge::start(to(toy.address));
    let io = TokioIo::new(stream(&edge).await);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut client, driver) = handshake.await.unwrap();
    tokio::spawn(driver);
    let frames =
        parts().map(|part| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(part))));
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let request = Request::post("https://app.test/").header("content-length", LENGTH).body(body);
    let answer = client.send_request(request.unwrap()).await.unwrap();
    let mut sum = crc32fast::Hasher::new();
    parts().for_each(|part| sum.update(&part));
    let sum = sum.finalize();
    assert_eq!(answer.headers()["x-sum"], sum.to_string());
    let (mut body, mut seen) = (answer.into_body(), crc32fast::Hasher::new());
    while let Some(frame) = body.frame().await {
        seen.update(&frame.unwrap().into_data().unwrap_or_default());
    }
    assert_eq!(seen.finalize(), sum);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_taken_ends_and_the_others_go_on() {
    let toy = Toy::answering(|seen| {
        if seen.head.contains("/small") {
            return crate::support::toy::ok("small");
        }
        let body = "x".repeat(8 * 1024 * 1024);
        crate::support::toy::ok(&body)
    })
    .await;
    let edge = Edge::with(to(toy.address), |options| {
        options.proxy.client_write = Duration::from_secs(1);
    });
    let mut client = http2(stream(&edge).await).await;
    let mut large = client.send_request(get("https://app.test/large")).await.unwrap();
    let small = client.send_request(get("https://app.test/small")).await.unwrap();
    assert_eq!(read(small).await.unwrap().body(), "small");
    // What has come is taken only after the limit; then the stream was reset.
    tokio::time::sleep(Duration::from_secs(3)).await;
    loop {
        match large.body_mut().frame().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => break,
            None => panic!("a part looks whole"),
        }
    }
    let small = client.send_request(get("https://app.test/small")).await.unwrap();
    assert_eq!(read(small).await.unwrap().body(), "small");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_does_not_come_ends_its_stream() {
    let toy = Toy::saying("hello").await;
    let edge = Edge::with(to(toy.address), |options| {
        options.proxy.client_body = Duration::from_secs(1);
    });
    let io = TokioIo::new(stream(&edge).await);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut client, driver) = handshake.await.unwrap();
    tokio::spawn(driver);
    let silent = futures_util::stream::pending::<Result<http_body::Frame<Bytes>, std::io::Error>>();
    let request = Request::post("https://app.test/").body(StreamBody::new(silent)).unwrap();
    let answered = tokio::time::timeout(Duration::from_secs(10), client.send_request(request));
    assert!(answered.await.expect("the stream ends").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_requests_is_closed_and_a_stop_waits_for_those_under_way() {
    let toy = Toy::serving(|mut wire, _| async move {
        let _ = crate::support::toy::request(&mut wire).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        wire.send(crate::support::toy::ok("late")).await;
    })
    .await;
    let edge = Edge::with(to(toy.address), |options| {
        options.proxy.keep_alive = Duration::from_millis(500);
    });
    let idle = http2(stream(&edge).await).await;
    let mut busy = http2(stream(&edge).await).await;
    let late = tokio::spawn(async move {
        read(busy.send_request(get("https://app.test/")).await.unwrap()).await.unwrap()
    });
    until("it is closed", async || idle.is_closed().then_some(())).await;
    let Edge { front, .. } = edge;
    front.server.shutdown(Duration::from_secs(10)).await;
    assert_eq!(late.await.unwrap().body(), "late");
}
