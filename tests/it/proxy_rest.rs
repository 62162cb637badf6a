//! Connections that rest between two requests, and give up their buffers meanwhile.

use std::time::{Duration, Instant};

use crate::support::front::{Front, HOST, to};
use crate::support::tls::{connect, get, http1, read};
use crate::support::toy::Toy;
use crate::support::wire::Wire;
use crate::tls::Edge;

/// Longer than a connection keeps its buffers.
const LONG: Duration = Duration::from_millis(1800);

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_has_rested_goes_on_where_it_was() {
    let toy = Toy::saying("hello").await;
    let front = Front::start(to(toy.address));
    let edge = Edge::start(to(toy.address));
    let mut plain = Vec::new();
    let mut secure = Vec::new();
    for _ in 0..20 {
        let mut wire = Wire::connect(front.address).await;
        assert_eq!(wire.get(HOST, "/").await.unwrap().text(), "hello");
        plain.push(wire);
        let config = edge.authority.client(&["http/1.1"]);
        secure.push(http1(connect(edge.address, HOST, config).await.unwrap()).await);
    }
    for turn in 0..2 {
        for (number, client) in secure.iter_mut().enumerate() {
            let mut request = get("/");
            request.headers_mut().insert("host", HOST.parse().unwrap());
            let answer = read(client.send_request(request).await.unwrap()).await.unwrap();
            assert_eq!(answer.body(), "hello", "{turn} {number}");
        }
        tokio::time::sleep(LONG).await;
        for (number, wire) in plain.iter_mut().enumerate() {
            // Whole, in two parts, two at once, and with content that comes later.
            match number % 4 {
                0 => wire.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await,
                1 => {
                    wire.send("GET / HT").await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    wire.send("TP/1.1\r\nHost: app.test\r\n\r\n").await;
                }
                2 => {
                    wire.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n".repeat(2)).await;
                    assert_eq!(wire.answer(false).await.unwrap().text(), "hello");
                }
                _ => {
                    wire.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\n")
                        .await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    wire.send("abc").await;
                }
            }
            assert_eq!(wire.answer(false).await.unwrap().text(), "hello", "{turn} {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_ends_with_its_time_with_the_client_and_with_the_server() {
    let toy = Toy::saying("hello").await;
    let front = Front::with(to(toy.address), |options| options.proxy.keep_alive = LONG * 2);
    let mut all = Vec::new();
    for _ in 0..3 {
        let mut wire = Wire::connect(front.address).await;
        assert_eq!(wire.get(HOST, "/").await.unwrap().text(), "hello");
        all.push(wire);
    }
    let begin = Instant::now();
    let mut timed = all.pop().unwrap();
    let mut left = all.pop().unwrap();
    tokio::time::sleep(LONG).await;
    // Its end is answered with an end.
    tokio::io::AsyncWriteExt::shutdown(&mut left.stream).await.unwrap();
    assert_eq!(left.rest().await.unwrap(), b"");
    assert!(begin.elapsed() < LONG * 2);
    assert_eq!(timed.rest().await.unwrap(), b"");
    let rested = begin.elapsed();
    assert!(rested >= LONG * 2 && rested < LONG * 3, "{rested:?}");
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    assert_eq!(wire.get(HOST, "/").await.unwrap().text(), "hello");
    tokio::time::sleep(LONG).await;
    let begin = Instant::now();
    front.server.shutdown(Duration::from_secs(20)).await;
    assert!(begin.elapsed() < Duration::from_secs(5), "nobody waits for it");
    assert_eq!(wire.rest().await.unwrap(), b"");
}
