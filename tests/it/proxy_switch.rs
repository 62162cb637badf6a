//! Switching, draining, tunnels and stopping under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use orbitra::routing::hold::{Hold, MOST_WAITING};
use orbitra::routing::table::Route;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use crate::support::front::{Front, HOST, table, upstream};
use crate::support::toy::{self, Toy, ok};
use crate::support::wire::{PATIENCE, Wire, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_under_load_loses_no_request() {
    let front;
    let mut toy = Toy::saying("0").await;
    let (mut current, route) = upstream(toy.address);
    front = Front::start(route);
    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let (done, answered) = (Arc::clone(&done), Arc::clone(&answered));
            let address = front.address;
            tokio::spawn(async move {
                let mut wire = Wire::connect(address).await;
                while !done.load(Ordering::SeqCst) {
                    if number % 2 == 0 {
                        wire = Wire::connect(address).await;
                    }
                    let answer = wire.get(HOST, "/").await.unwrap();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let before = answered.load(Ordering::SeqCst);
        until(|| answered.load(Ordering::SeqCst) > before + 100).await;
        let next = Toy::saying("1").await;
        let (upstream, route) = upstream(next.address);
        front.routes.publish(table(route));
        current.retire();
        tokio::time::timeout(PATIENCE, current.drained()).await.unwrap();
        assert_eq!(current.in_flight(), 0);
        // Replacing the old one ends its listener, and its connections end with their tasks.
        toy = next;
        current = upstream;
    }
    done.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    drop(toy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_retires_too_early_loses_no_request_either() {
    let old = Toy::saying("old").await;
    let new = Toy::saying("new").await;
    let (current, route) = upstream(old.address);
    let front = Front::start(route);
    let mut wire = Wire::connect(front.address).await;
    assert_eq!(wire.get(HOST, "/").await.unwrap().text(), "old");
    current.retire();
    wire.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    tokio::task::yield_now().await;
    front.routes.publish(table(upstream(new.address).1));
    assert_eq!(wire.answer(false).await.unwrap().text(), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_finishes_where_it_began() {
    let release = Arc::new(tokio::sync::Notify::new());
    let toy = Toy::serving({
        let release = Arc::clone(&release);
        move |mut wire, _| {
            let release = Arc::clone(&release);
            async move {
                toy::request(&mut wire).await.unwrap();
                release.notified().await;
                wire.send(ok("old")).await;
            }
        }
    })
    .await;
    let new = Toy::saying("new").await;
    let (old, route) = upstream(toy.address);
    let front = Front::start(route);
    let mut slow = Wire::connect(front.address).await;
    slow.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    until(|| old.in_flight() == 1).await;
    front.routes.publish(table(upstream(new.address).1));
    old.retire();
    let mut quick = Wire::connect(front.address).await;
    assert_eq!(quick.get(HOST, "/").await.unwrap().text(), "new");
    assert_eq!(old.in_flight(), 1);
    release.notify_one();
    assert_eq!(slow.answer(false).await.unwrap().text(), "old");
    tokio::time::timeout(PATIENCE, old.drained()).await.unwrap();
}

async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
                    return;
                };
                while let Some(Ok(message)) = socket.next().await {
                    if (message.is_text() || message.is_binary())
                        && socket.send(message).await.is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn web_sockets_cross_and_end_with_a_close_frame_at_the_drain_limit() {
    let (old, route) = upstream(echo().await);
    let front = Front::start(route);
    let stream = TcpStream::connect(front.address).await.unwrap();
    let (mut socket, answer) =
        tokio_tungstenite::client_async(format!("ws://{HOST}/"), stream).await.unwrap();
    assert_eq!(answer.status(), 101);
    for length in [0, 5, 125, 126, 70_000, 1_000_000] {
        let message = Message::binary(vec![7; length]);
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    assert_eq!(old.in_flight(), 1);
    old.retire();
    socket.send(Message::text("still here")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("still here"));
    old.cut();
    match socket.next().await.unwrap().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("{other:?}"),
    }
    tokio::time::timeout(PATIENCE, old.drained()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_web_socket_becomes_a_tunnel() {
    let toy = Toy::answering(|seen| {
        if seen.header("upgrade").is_some() {
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
                .to_vec()
        } else {
            ok("plain")
        }
    })
    .await;
    let front = Front::start(upstream(toy.address).1);
    for request in [
        "GET / HTTP/1.1\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ",
        "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: TLS/1.0",
        "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket, h2c",
        "GET / HTTP/1.1\r\nUpgrade: websocket",
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket",
        "POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket",
        "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3",
    ] {
        let mut wire = Wire::connect(front.address).await;
        wire.send(format!("{request}\r\nHost: {HOST}\r\n\r\nabc")).await;
        let answer = wire.answer(false).await.unwrap();
        assert_eq!(answer.text(), "plain", "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_what_runs_and_closes_what_rests() {
    let release = Arc::new(tokio::sync::Notify::new());
    let toy = Toy::serving({
        let release = Arc::clone(&release);
        move |mut wire, _| {
            let release = Arc::clone(&release);
            async move {
                while let Ok(request) = toy::request(&mut wire).await {
                    if request.head.contains("/slow") {
                        release.notified().await;
                    }
                    wire.send(ok("done")).await;
                }
            }
        }
    })
    .await;
    let (upstream, route) = upstream(toy.address);
    let front = Front::start(route);
    let mut idle = Wire::connect(front.address).await;
    assert_eq!(idle.get(HOST, "/").await.unwrap().text(), "done");
    let mut slow = Wire::connect(front.address).await;
    slow.send(format!("GET /slow HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    until(|| upstream.in_flight() == 1).await;
    let stopping = tokio::spawn(front.server.shutdown(PATIENCE));
    assert_eq!(idle.rest().await.unwrap(), b"");
    // The other thread's listener goes a moment later.
    while TcpStream::connect(front.address).await.is_ok() {}
    assert!(!stopping.is_finished());
    release.notify_one();
    let answer = slow.answer(false).await.unwrap();
    assert_eq!(answer.text(), "done");
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_does_not_wait_for_ever() {
    let toy = Toy::serving(|mut wire, _| async move {
        toy::request(&mut wire).await.unwrap();
        let _ = wire.more().await;
    })
    .await;
    let (upstream, route) = upstream(toy.address);
    let front = Front::start(route);
    let mut wire = Wire::connect(front.address).await;
    wire.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    until(|| upstream.in_flight() == 1).await;
    front.server.shutdown(Duration::from_millis(50)).await;
    assert_eq!(upstream.in_flight(), 0);
    assert!(wire.answer(false).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn held_requests_wait_for_what_starts_and_no_more_than_there_are_places() {
    let hold = Arc::<Hold>::default();
    let front = Front::start(Route::Held(Arc::clone(&hold)));
    // All places but two are taken.
    let places: Vec<_> = (2..MOST_WAITING).map(|_| hold.enter().unwrap()).collect();
    let waiting: Vec<_> = (0..2)
        .map(|number| {
            let address = front.address;
            tokio::spawn(async move {
                let mut wire = Wire::connect(address).await;
                let body = if number == 0 { "" } else { "Content-Length: 4\r\n" };
                let content = if number == 0 { "" } else { "body" };
                let method = if number == 0 { "GET" } else { "POST" };
                wire.send(format!("{method} / HTTP/1.1\r\nHost: {HOST}\r\n{body}\r\n{content}"))
                    .await;
                wire.answer(false).await.unwrap()
            })
        })
        .collect();
    until(|| hold.waiting() == MOST_WAITING).await;
    let refused = Wire::connect(front.address).await.get(HOST, "/").await.unwrap();
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    drop(places);
    assert_eq!(hold.waiting(), 2);
    // Another table with the same hold is no reason to be asked anew.
    front.routes.publish(table(Route::Held(Arc::clone(&hold))));
    let toy = Toy::saying("new").await;
    front.routes.publish(table(upstream(toy.address).1));
    for answer in waiting {
        let answer = answer.await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, "new".into()));
    }
    assert_eq!((hold.waiting(), toy.count()), (0, 2));
    assert!(toy.seen.lock().unwrap().iter().any(|seen| seen.body == b"body"), "with its content");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_failures_are_counted() {
    let toy = Toy::answering(|seen| match seen.head.contains("/fail") {
        true => b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec(),
        false if seen.head.contains("/close") => Vec::new(),
        false => ok("fine"),
    })
    .await;
    let (upstream, route) = upstream(toy.address);
    let front = Front::start(route);
    let mut wire = Wire::connect(front.address).await;
    for (path, status) in [("/", 200), ("/fail", 503), ("/", 200), ("/close", 502)] {
        assert_eq!(wire.get(HOST, path).await.unwrap().status, status, "{path}");
    }
    let counts = upstream.tally().counts();
    assert_eq!((counts.requests, counts.failures), (4, 2));
    drop(toy);
    assert_eq!(wire.get(HOST, "/").await.unwrap().status, 502);
    assert_eq!(upstream.tally().counts().failures, 3);
}
