//! Upstreams and clients that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::support::front::{Front, HOST, to, upstream};
use crate::support::toy::{self, Toy, ok};
use crate::support::wire::{Wire, ask, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
const SHORT: Duration = Duration::from_millis(300);
const POST: &str = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi";

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_a_502_without_details() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let front = Front::start(to(address));
    let answer = ask(front.address, GET).await;
    assert_eq!(answer.status, 502);
    assert!(!answer.text().contains(&address.port().to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_upstream_connections_are_never_a_visitors_problem() {
    let counter = AtomicUsize::new(0);
    // Closes after an answer now and then, sometimes with notice and mostly without.
    let toy = Toy::serving(move |mut wire, _| {
        let mut seed = counter.fetch_add(7, Ordering::SeqCst) as u32 ^ 0x9e37_79b9;
        async move {
            while toy::request(&mut wire).await.is_ok() {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                wire.send(ok("fine")).await;
                match seed >> 29 {
                    0 => return,
                    1 => {
                        let socket = socket2::SockRef::from(&wire.stream);
                        socket.set_linger(Some(Duration::ZERO)).unwrap();
                        return;
                    }
                    2 => {
                        tokio::time::sleep(Duration::from_micros(u64::from(seed & 0x3ff))).await;
                        return;
                    }
                    _ => {}
                }
            }
        }
    })
    .await;
    let front = Front::start(to(toy.address));
    let clients = (0..8).map(|_| {
        let address = front.address;
        tokio::spawn(async move {
            let mut wire = Wire::connect(address).await;
            for number in 0..700 {
                let answer = wire.get(HOST, "/").await.unwrap();
                assert_eq!(answer.status, 200, "request {number}");
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_never_sent_twice() {
    let received = Arc::new(AtomicUsize::new(0));
    let toy = Toy::serving({
        let received = Arc::clone(&received);
        move |mut wire, _| {
            let received = Arc::clone(&received);
            async move {
                // Dies of a request with content, without an answer.
                while let Ok(request) = toy::request(&mut wire).await {
                    if request.head.starts_with("POST") {
                        received.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    wire.send(ok("fine")).await;
                }
            }
        }
    })
    .await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    for number in 1..=3 {
        // Over connections that were used before and over new ones.
        assert_eq!(wire.get(HOST, "/").await.unwrap().status, 200);
        wire.send(POST).await;
        assert_eq!(wire.answer(false).await.unwrap().status, 502);
        assert_eq!(received.load(Ordering::SeqCst), number);
    }
    assert_eq!(wire.get(HOST, "/").await.unwrap().status, 200);
}

/// Applications that close a connection without a word do so right after an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_takes_no_connection_that_is_about_to_be_closed() {
    let toy = Toy::serving(|mut wire, _| async move {
        toy::request(&mut wire).await.unwrap();
        wire.send(ok("fine")).await;
    })
    .await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    for number in 0..300 {
        wire.send(POST).await;
        assert_eq!(wire.answer(false).await.unwrap().status, 200, "request {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_make_no_sense_are_a_502() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 999 Strange\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/3.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "hello\r\n\r\n",
        "<html>HTTP/0.9</html>",
        "\0",
    ] {
        let toy = Toy::serving(move |mut wire, _| async move {
            if toy::request(&mut wire).await.is_ok() {
                wire.send(answer).await;
            }
        })
        .await;
        let front = Front::start(to(toy.address));
        let got = ask(front.address, GET).await;
        assert_eq!(got.status, 502, "{answer:?}");
    }
    for head in [format!("X: {}\r\n", "x".repeat(1024 * 1024)), "X: y\r\n".repeat(10_000)] {
        let toy = Toy::answering(move |_| {
            format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 0\r\n\r\n").into_bytes()
        })
        .await;
        let front = Front::start(to(toy.address));
        assert_eq!(ask(front.address, GET).await.status, 502);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_bytes_than_announced_never_reach_another_answer() {
    let toy = Toy::answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
            .to_vec()
    })
    .await;
    let front = Front::start(to(toy.address));
    let mut wire = Wire::connect(front.address).await;
    for _ in 0..10 {
        assert_eq!(wire.get(HOST, "/").await.unwrap().text(), "ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_short_is_seen_to_be_cut() {
    for (version, answer) in [
        ("1.1", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        ("1.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
        ("1.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        ("1.0", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    ] {
        let toy = Toy::serving(move |mut wire, _| async move {
            toy::request(&mut wire).await.unwrap();
            wire.send(answer).await;
        })
        .await;
        let front = Front::start(to(toy.address));
        let mut wire = Wire::connect(front.address).await;
        wire.send(format!("GET / HTTP/{version}\r\nHost: {HOST}\r\n\r\n")).await;
        let got = wire.answer(false).await;
        assert!(got.is_err(), "{version} {answer:?}: {got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_a_504_before_the_answer_and_a_cut_within() {
    let toy = Toy::serving(|mut wire, _| async move {
        let request = toy::request(&mut wire).await.unwrap();
        if request.head.contains("/half") {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
        }
        let _ = wire.more().await;
    })
    .await;
    let (address, route) = upstream(toy.address);
    let front = Front::with(route, |options| {
        options.proxy.first_byte = SHORT;
        options.proxy.upstream_body = SHORT;
    });
    assert_eq!(ask(front.address, GET).await.status, 504);
    let mut wire = Wire::connect(front.address).await;
    assert!(wire.get(HOST, "/half").await.is_err());
    until(|| address.in_flight() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_lose_their_connection() {
    let toy = Toy::saying("fine").await;
    let (address, route) = upstream(toy.address);
    let front = Front::with(route, |options| {
        options.proxy.head = SHORT;
        options.proxy.keep_alive = SHORT;
        options.proxy.client_body = SHORT;
    });
    let mut silent = Wire::connect(front.address).await;
    let mut head = Wire::connect(front.address).await;
    head.send("GET / HTTP/1.1\r\nHost: a").await;
    let mut idle = Wire::connect(front.address).await;
    assert_eq!(idle.get(HOST, "/").await.unwrap().status, 200);
    let mut body = Wire::connect(front.address).await;
    body.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 9\r\n\r\nhalf").await;
    for wire in [&mut silent, &mut head, &mut idle] {
        assert_eq!(wire.rest().await.unwrap(), b"");
    }
    let rest = body.rest().await.unwrap_or_default();
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    until(|| address.in_flight() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_drips_in_is_not_given_more_time() {
    let toy = Toy::saying("fine").await;
    let front = Front::with(to(toy.address), |options| options.proxy.head = SHORT);
    let wire = Wire::connect(front.address).await;
    let (mut reading, mut writing) = wire.stream.into_split();
    let dripping = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let _ = writing.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n").await;
        while writing.write_all(b"X: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut buffer = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut buffer).await;
    assert_eq!(buffer, b"");
    drop(reading);
    dripping.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_thread_says_so() {
    let toy = Toy::saying("fine").await;
    let front = Front::with(to(toy.address), |options| {
        options.threads = 1;
        options.connections_per_thread = 2;
    });
    let mut first = Wire::connect(front.address).await;
    let mut second = Wire::connect(front.address).await;
    first.get(HOST, "/").await.unwrap();
    second.get(HOST, "/").await.unwrap();
    let mut third = Wire::connect(front.address).await;
    assert_eq!(third.answer(false).await.unwrap().status, 503);
    drop(first);
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_is_told_that_the_port_is_taken() {
    let toy = Toy::saying("fine").await;
    let front = Front::start(to(toy.address));
    let options = orbitra::server::Options::new(
        front.address,
        front.routes.clone(),
        axum::Router::new(),
        |_| false,
    );
    let error = orbitra::server::Server::start(options).err().unwrap();
    assert!(error.to_string().contains("ORBITRA_LISTEN"), "{error}");
}
