//! Visitors who want the proxy to be busy or full: each is ended or bounded, and nobody else notices.
//! `bench/floods.sh` measures what others notice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use http_body_util::Full;
use orbitra::server::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::support::floods::{Flood, Target, headers};
use crate::support::front::{Front, HOST, table, to, upstream};
use crate::support::http2_frames::{self, HEADERS, PING, RST_STREAM, fields};
use crate::support::tls::{connect, get, http2, read};
use crate::support::toy::{self, Toy, ok};
use crate::support::until::until;
use crate::support::wire::{Answer, PATIENCE, Wire, ask};
use crate::tls::Edge;

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
const HEAD_OF_LARGE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n";
const SHORT: Duration = Duration::from_millis(500);

fn impatient(options: &mut Options) {
    options.proxy.head = SHORT;
    options.proxy.keep_alive = SHORT;
    options.proxy.client_body = SHORT;
    options.proxy.client_write = SHORT;
}

/// An application with a large answer, one that takes long, and others.
async fn application() -> Toy {
    let seen = Arc::default();
    let notes = Arc::clone(&seen);
    let mut toy = Toy::serving(move |mut wire, _| {
        let notes: Arc<std::sync::Mutex<Vec<toy::Seen>>> = Arc::clone(&notes);
        async move {
            while let Ok(request) = toy::request(&mut wire).await {
                let large = request.head.starts_with("GET /large");
                if request.head.starts_with("GET /slow") {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                notes.lock().unwrap().push(request);
                let mut sent = match large {
                    true => wire.stream.write_all(HEAD_OF_LARGE).await,
                    false => wire.stream.write_all(&ok("fine")).await,
                };
                // A part at a time: there may be many of them.
                for _ in 0..if large { 512 } else { 0 } {
                    if sent.is_ok() {
                        sent = wire.stream.write_all(&[b'x'; 64 * 1024]).await;
                    }
                }
                if sent.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    toy.seen = seen;
    toy
}

fn target(edge: &Edge) -> Target {
    Target {
        plain: edge.front.address,
        tls: edge.address,
        host: HOST.to_owned(),
        large: "/large",
        slow: "/slow",
        config: Arc::new(edge.authority.client(&["h2"])),
        from: SocketAddr::from(([127, 0, 0, 1], 0)),
    }
}

async fn is_served(edge: &Edge) {
    let stream = connect(edge.address, HOST, edge.authority.client(&["h2"])).await.unwrap();
    let answer = http2(stream).await.send_request(get("https://app.test/")).await.unwrap();
    assert_eq!(read(answer).await.unwrap().body(), "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flood_ends_and_others_are_served() {
    // The time limit of half a handshake is fixed, and a test of its own waits for it. So does one for who takes nothing.
    let apart = [Flood::HalfHandshakes, Flood::SlowReader];
    let all = Flood::ALL.into_iter().filter(|flood| !apart.contains(flood));
    futures_util::future::join_all(all.map(it_ends_and_others_are_served)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_is_let_go() {
    let toy = application().await;
    let (upstream, route) = upstream(toy.address);
    let front = Front::with(route, impatient);
    let socket = TcpSocket::new_v4().unwrap();
    // Where much is let be received, an answer that is not taken looks as if it were.
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(front.address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
    until("it is on its way", async || (upstream.in_flight() == 1).then_some(())).await;
    until("it is let go", async || (upstream.in_flight() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_lines_between_requests_gain_no_time() {
    let toy = application().await;
    let front = Front::with(to(toy.address), impatient);
    for asked in [true, false] {
        let mut wire = Wire::connect(front.address).await;
        if asked {
            assert_eq!(wire.get(HOST, "/").await.unwrap().status, 200);
        }
        let (mut reading, mut writing) = wire.stream.into_split();
        let sending = tokio::spawn(async move {
            while writing.write_all(b"\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let end = tokio::time::timeout(PATIENCE, reading.read(&mut [0; 64])).await;
        assert!(matches!(end.unwrap(), Ok(0) | Err(_)), "asked: {asked}");
        sending.abort();
    }
}

async fn it_ends_and_others_are_served(flood: Flood) {
    let toy = application().await;
    let (upstream, route) = upstream(toy.address);
    let edge = Edge::with(route, impatient);
    let target = target(&edge);
    let flooding = tokio::spawn(async move {
        let ended = tokio::time::timeout(Duration::from_secs(25), flood.once(&target));
        assert!(ended.await.is_ok(), "{flood:?} goes on");
    });
    is_served(&edge).await;
    flooding.await.unwrap();
    is_served(&edge).await;
    until(&format!("{flood:?}: nothing is left"), async || {
        (upstream.in_flight() == 0).then_some(())
    })
    .await;
    // What was reset at once, or never whole, has not made the application busy.
    assert!(toy.count() < 2100, "{flood:?}: {}", toy.count());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_who_often_changes_his_mind_is_served() {
    let toy = application().await;
    let edge = Edge::start(to(toy.address));
    let stream = connect(edge.address, HOST, edge.authority.client(&["h2"])).await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(stream);
    http2_frames::begin(&mut writing).await.unwrap();
    let reset =
        |number: u32| http2_frames::frame(RST_STREAM, 0, number * 2 + 1, &8_u32.to_be_bytes());
    // A page that is left while everything loads, and again.
    for page in 0..15 {
        let numbers = page * 50..(page + 1) * 50;
        let mut sent: Vec<u8> =
            numbers.clone().flat_map(|number| headers(number, &fields("GET", HOST, "/"))).collect();
        sent.extend(numbers.flat_map(reset));
        sent.extend(http2_frames::frame(PING, 0, 0, &[0; 8]));
        writing.write_all(&sent).await.unwrap();
        writing.flush().await.unwrap();
        // Until the server has seen all of it.
        while http2_frames::next(&mut reading).await.expect("the connection stays").kind != PING {}
    }
    writing.write_all(&headers(5000, &fields("GET", HOST, "/"))).await.unwrap();
    writing.flush().await.unwrap();
    loop {
        let came = http2_frames::next(&mut reading).await.expect("the connection stays");
        if came.kind == HEADERS && came.stream == 10_001 {
            return;
        }
    }
}

/// Connections of this machine to an address that are closed and keep their ports (TIME-WAIT, number 6).
fn lingering(address: SocketAddr) -> usize {
    let to = format!(":{:04X} 06 ", address.port());
    let all = std::fs::read_to_string("/proc/net/tcp").unwrap();
    all.lines().filter(|line| line.contains(&to)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_given_up_keep_no_port() {
    let (asked, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let toy = Toy::serving({
        let (asked, ended) = (Arc::clone(&asked), Arc::clone(&ended));
        move |mut wire, _| {
            let (asked, ended) = (Arc::clone(&asked), Arc::clone(&ended));
            async move {
                toy::request(&mut wire).await.unwrap();
                asked.fetch_add(1, Ordering::SeqCst);
                // Never answers, and closes when the other end does.
                assert!(toy::request(&mut wire).await.is_err());
                drop(wire);
                ended.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    // The port may have been another's a moment ago.
    let before = lingering(toy.address);
    let edge = Edge::start(to(toy.address));
    let mut stream = connect(edge.address, HOST, edge.authority.client(&["h2"])).await.unwrap();
    http2_frames::begin(&mut stream).await.unwrap();
    for number in 0..20 {
        stream.write_all(&headers(number, &fields("GET", HOST, "/"))).await.unwrap();
        stream.flush().await.unwrap();
        until("it is asked", async || (asked.load(Ordering::SeqCst) > number).then_some(())).await;
        let reset = http2_frames::frame(RST_STREAM, 0, number * 2 + 1, &8_u32.to_be_bytes());
        stream.write_all(&reset).await.unwrap();
        stream.flush().await.unwrap();
        until("it is told", async || (ended.load(Ordering::SeqCst) > number).then_some(())).await;
    }
    let after = lingering(toy.address);
    assert!(after <= before, "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_there_may_be_wait_for_nobody() {
    let most = Arc::new(AtomicUsize::new(0));
    let toy = Toy::serving({
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&most));
        move |mut wire, _| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                while toy::request(&mut wire).await.is_ok() {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    wire.send(ok("fine")).await;
                }
            }
        }
    })
    .await;
    let edge = Edge::start(to(toy.address));
    let stream = connect(edge.address, HOST, edge.authority.client(&["h2"])).await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(stream);
    http2_frames::begin(&mut writing).await.unwrap();
    let all: Vec<u8> =
        (0..400).flat_map(|number| headers(number, &fields("GET", HOST, "/"))).collect();
    writing.write_all(&all).await.unwrap();
    writing.flush().await.unwrap();
    let (mut refused, mut answered) = (0, 0);
    while refused + answered < 400 {
        let came = http2_frames::next(&mut reading).await.unwrap();
        match came.kind {
            // REFUSED_STREAM: nothing was done, and it may be asked again (RFC 9113 section 8.7).
            RST_STREAM => {
                assert_eq!(came.payload, 7_u32.to_be_bytes());
                refused += 1;
            }
            HEADERS => answered += 1,
            _ => {}
        }
    }
    assert!((1..=100).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    assert!(refused >= 200, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_as_few_over_http_2_as_over_http_1() {
    let toy = application().await;
    let edge = Edge::start(to(toy.address));
    let stream = connect(edge.address, HOST, edge.authority.client(&["h2"])).await.unwrap();
    let mut client = http2(stream).await;
    let mut asks = async |count: usize, length: usize| {
        let mut request = get("https://app.test/");
        for number in 0..count {
            let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
            request.headers_mut().insert(name, "y".repeat(length).parse().unwrap());
        }
        client.send_request(request).await.unwrap().status().as_u16()
    };
    assert_eq!(asks(90, 1).await, 200);
    assert_eq!(asks(100, 1).await, 431);
    assert_eq!(asks(1000, 1).await, 431);
    assert_eq!(asks(1, 60 * 1024).await, 200);
    // Crumbs of a cookie are one field.
    let stream = connect(edge.address, HOST, edge.authority.client(&["h2"])).await.unwrap();
    let mut request = get("https://app.test/");
    for number in 0..200 {
        request.headers_mut().append("cookie", format!("c{number}=1").parse().unwrap());
    }
    let answered = http2(stream).await.send_request(request).await.unwrap();
    assert_eq!(answered.status(), 200);
    assert!(toy.last().header("cookie").unwrap().ends_with("c198=1; c199=1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_who_say_nothing_are_let_go() {
    let toy = application().await;
    let edge = Edge::with(to(toy.address), impatient);
    let mut all = Vec::new();
    for _ in 0..400 {
        all.push(Wire::connect(edge.front.address).await);
    }
    is_served(&edge).await;
    for mut wire in all {
        assert_eq!(wire.rest().await.unwrap_or_default(), b"");
    }
    is_served(&edge).await;
}

async fn from(source: [u8; 4], address: SocketAddr) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((source, 0))).unwrap();
    Wire { stream: socket.connect(address).await.unwrap(), received: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_connections_and_others_have_theirs() {
    let toy = application().await;
    let edge = Edge::with(to(toy.address), |options| options.connections_per_address = 5);
    let plain = Front::with(to(toy.address), |options| options.connections_per_address = 5);
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut wire = Wire::connect(plain.address).await;
        assert_eq!(wire.get(HOST, "/").await.unwrap().status, 200);
        held.push(wire);
    }
    let refused = |answer: &Answer| {
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("3".to_owned())));
    };
    refused(&Wire::connect(plain.address).await.answer(false).await.unwrap());
    let mut other = from([127, 0, 0, 2], plain.address).await;
    assert_eq!(other.get(HOST, "/").await.unwrap().status, 200);
    held.pop();
    until("there is room again", async || {
        let mut wire = Wire::connect(plain.address).await;
        wire.get(HOST, "/").await.ok().filter(|answer| answer.status == 200).map(drop)
    })
    .await;
    // Handshakes that are not finished count as well.
    let mut held = Vec::new();
    until("one too many is closed", async || {
        let mut wire = Wire::connect(edge.address).await;
        wire.send(b"\x16\x03\x01\x02\x00\x01").await;
        let ended = tokio::time::timeout(SHORT / 5, wire.rest()).await;
        held.push(wire);
        ended.is_ok().then_some(())
    })
    .await;
    assert!(held.len() > 5, "{}", held.len());
    let mut other = from([127, 0, 0, 2], edge.address).await;
    other.send(b"\x16\x03\x01\x02\x00\x01").await;
    assert!(tokio::time::timeout(SHORT, other.more()).await.is_err(), "it may go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_has_so_many_requests_and_others_have_theirs() {
    let busy = application().await;
    let quiet = Toy::saying("quiet").await;
    let (address, route) = upstream(busy.address);
    let front = Front::with(route.clone(), |options| options.proxy.requests_per_deployment = 3);
    let mut both = table(route);
    let other = table(to(quiet.address)).hosts.remove(HOST).unwrap();
    both.hosts.insert("quiet.test".into(), other);
    front.routes.publish(both);
    let slow = (0..3).map(|_| {
        let address = front.address;
        tokio::spawn(async move {
            ask(address, format!("GET /slow HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await.status
        })
    });
    let slow: Vec<_> = slow.collect();
    until("all are under way", async || (address.in_flight() == 3).then_some(())).await;
    let answer = ask(front.address, GET).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("3".to_owned())));
    assert!(answer.text().contains("more visitors than it can take"), "{}", answer.text());
    let answer = ask(front.address, "GET / HTTP/1.1\r\nHost: quiet.test\r\n\r\n").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "quiet"));
    for one in slow {
        assert_eq!(one.await.unwrap(), 200);
    }
    assert_eq!(ask(front.address, GET).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_without_tls_is_spoken_where_it_is_wanted() {
    let toy = application().await;
    let front = Front::with(to(toy.address), |options| {
        impatient(options);
        options.h2c = true;
    });
    let stream = tokio::net::TcpStream::connect(front.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut client, driver) =
        hyper::client::conn::http2::handshake::<_, _, Full<bytes::Bytes>>(executor, io)
            .await
            .unwrap();
    let driver = tokio::spawn(driver);
    for body in ["", "abc"] {
        let request = Request::post("http://app.test/x").body(Full::from(body)).unwrap();
        let answer = read(client.send_request(request).await.unwrap()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (200, "fine"));
        assert_eq!(toy.last().header("x-forwarded-proto").unwrap(), "http");
    }
    assert_eq!(toy.last().body, b"abc");
    drop(client);
    let _ = driver.await.unwrap();
    // In pieces, beside methods that begin alike, and beside those who say nothing.
    let mut wire = Wire::connect(front.address).await;
    for piece in ["P", "RI * HTTP/2.0\r\n", "\r\nSM\r\n\r\n"] {
        wire.send(piece).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    wire.send(http2_frames::frame(http2_frames::SETTINGS, 0, 0, &[])).await;
    let first = tokio::time::timeout(PATIENCE, http2_frames::next(&mut wire.stream)).await.unwrap();
    assert_eq!(first.unwrap().kind, http2_frames::SETTINGS);
    let mut wire = Wire::connect(front.address).await;
    wire.send("PR").await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    wire.send("OPFIND / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert_eq!(wire.answer(false).await.unwrap().status, 200);
    for begin in ["", "P", "PRI * HTTP"] {
        let mut wire = Wire::connect(front.address).await;
        wire.send(begin).await;
        let rest = wire.rest().await.unwrap_or_default();
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{begin}");
    }
}
