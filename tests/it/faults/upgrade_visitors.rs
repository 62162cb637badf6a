//! Another version takes over while visitors keep things open: over TLS, with HTTP/2, a WebSocket and streams of events.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::Place;
use crate::support::api_client::try_visit;
use crate::support::orbitra::free_port;
use crate::support::tls::{Authority, connect, get, http1, http2, read};
use crate::support::until::{until, within};
use crate::support::wire::Wire;

const HOST: &str = "shop.apps.test";
const URL: &str = "https://shop.apps.test";

/// Where TLS is, and who is trusted.
struct Secure {
    address: SocketAddr,
    authority: Authority,
}

impl Secure {
    async fn open(&self, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.address, HOST, self.authority.client(&[protocol])).await
    }

    async fn socket(&self) -> WebSocketStream<TlsStream<TcpStream>> {
        let stream = self.open("http/1.1").await.unwrap();
        tokio_tungstenite::client_async(format!("wss://{HOST}/socket"), stream).await.unwrap().0
    }

    /// Events over this protocol.
    async fn events(&self, protocol: &str) -> Events {
        let stream = self.open(protocol).await.unwrap();
        let body = if protocol == "h2" {
            let mut client = http2(stream).await;
            client.send_request(get(&format!("{URL}/events"))).await.unwrap().into_body()
        } else {
            let mut request = get("/events");
            request.headers_mut().insert("host", HOST.parse().unwrap());
            http1(stream).await.send_request(request).await.unwrap().into_body()
        };
        Events { body, text: String::new(), next: 0 }
    }
}

/// A stream of events, each of which has to follow the one before.
struct Events {
    body: Incoming,
    text: String,
    next: u64,
}

impl Events {
    async fn more(&mut self, count: u64) {
        let end = self.next + count;
        while self.next < end {
            let frame = self.body.frame().await.expect("it goes on").unwrap();
            self.text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                assert_eq!(event, format!("data: {}", self.next));
                self.next += 1;
                self.text = rest.to_owned();
            }
        }
    }
}

async fn echo(socket: &mut WebSocketStream<TlsStream<TcpStream>>, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
}

/// Visitors who come all the time, in three ways: answers how many were answered.
fn visitors(secure: &Arc<Secure>, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<usize>> {
    let fresh = |secure: Arc<Secure>, stop: Arc<AtomicBool>, kept: bool| async move {
        let (mut count, mut open) = (0, None);
        while !stop.load(Ordering::Relaxed) {
            let mut client = match open.take() {
                Some(client) => client,
                None => http1(secure.open("http/1.1").await.expect("a handshake")).await,
            };
            let mut request = get("/");
            request.headers_mut().insert("host", HOST.parse().unwrap());
            let answer = client.send_request(request).await.expect("an answer");
            let last = answer.headers().get("connection").is_some_and(|value| value == "close");
            assert_eq!(read(answer).await.unwrap().body(), "one");
            count += 1;
            if kept && !last {
                open = Some(client);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        count
    };
    let multiplexed = |secure: Arc<Secure>, stop: Arc<AtomicBool>| async move {
        let mut count = 0;
        // What the connection before did not take any more.
        let mut refused: Option<String> = None;
        while refused.is_some() || !stop.load(Ordering::Relaxed) {
            let mut client = http2(secure.open("h2").await.expect("a handshake")).await;
            // Until it is told that this connection takes no more. One that was refused is sent at once.
            while refused.is_some()
                || (!stop.load(Ordering::Relaxed) && client.ready().await.is_ok())
            {
                let again = refused.take();
                let path = again.clone().unwrap_or_else(|| format!("/once/{count}"));
                match client.try_send_request(get(&format!("{URL}{path}"))).await {
                    Ok(answer) => {
                        assert_eq!(answer.status(), 200, "{path}");
                        assert_eq!(read(answer).await.unwrap().body(), "one");
                        count += 1;
                    }
                    Err(mut error) => {
                        let untouched = error.take_message().is_some();
                        let error = error.into_error();
                        // A goodbye that crosses a request says that it was not looked at (RFC 9113 section 6.8), so it
                        // may be sent again; one that never left may as well. Whatever else goes wrong is a loss.
                        let goodbye =
                            format!("{error:?}").contains("GoAway(b\"\", NO_ERROR, Remote)");
                        let unsent = untouched && (error.is_canceled() || error.is_closed());
                        assert!(goodbye || unsent, "lost: {path}: {error:?}");
                        assert!(again.is_none(), "refused by a new connection too: {path}");
                        refused = Some(path);
                        break;
                    }
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        count
    };
    vec![
        tokio::spawn(fresh(secure.clone(), stop.clone(), false)),
        tokio::spawn(fresh(secure.clone(), stop.clone(), true)),
        tokio::spawn(multiplexed(secure.clone(), stop.clone())),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_visitors_have_open_goes_on_where_it_is_and_ends_with_the_drain() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port(std::process::id() + 377)));
    let tls = address.to_string();
    let mut place = Place::start_with(&[
        ("ORBITRA_LISTEN_TLS", &tls),
        ("ORBITRA_BASE_DOMAIN", "apps.test"),
        ("ORBITRA_DRAIN_SECONDS", "4"),
    ])
    .await;
    let secure = Arc::new(Secure { address, authority: Authority::new() });
    let issued = secure.authority.issue(&["apps.test", "*.apps.test"]);
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("chain"), &issued.chain).unwrap();
    std::fs::write(path("key"), &issued.key).unwrap();
    place.orbitra.admin(&["set-certificate", "--chain", &path("chain"), "--key", &path("key")]);
    place.orbitra.kill9();
    place.orbitra.restart().await;
    let repository = place.repository("shop", &json!({"body": "one"}));
    let (_, id) = place.live("shop", &repository).await;
    until("the certificate is served", async || secure.open("h2").await.ok().map(drop)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let all = visitors(&secure, &stop);
    let mut socket = secure.socket().await;
    echo(&mut socket, "before").await;
    let mut events = [secure.events("h2").await, secure.events("http/1.1").await];
    for events in &mut events {
        events.more(3).await;
    }
    let before = place.orbitra.pid();
    let newer = place.newer("");
    place.orbitra.upgrade(&newer, 60).await.unwrap();
    let upgraded = Instant::now();
    assert_ne!(place.orbitra.pid(), before);
    // Both processes serve: what was open there, what comes here.
    echo(&mut socket, "during").await;
    for events in &mut events {
        events.more(10).await;
    }
    let mut newer = secure.socket().await;
    echo(&mut newer, "new").await;
    let told = within(Duration::from_secs(15), "it is told to go", async || {
        echo_or_close(&mut socket).await
    })
    .await;
    assert_eq!(told, 1001);
    let lived = upgraded.elapsed();
    assert!(lived > Duration::from_secs(2), "told after {lived:?}");
    // Streams are requests and may take longer than that.
    for events in &mut events {
        events.more(5).await;
    }
    drop(events);
    let status = place.orbitra.relieved().await;
    assert!(status.success(), "{status}\n{}", place.orbitra.log());
    echo(&mut newer, "goes on").await;
    stop.store(true, Ordering::Relaxed);
    let mut counts = Vec::new();
    for one in all {
        counts.push(one.await.unwrap());
    }
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
    // What was refused had reached nobody, and what was sent again was served: each came once.
    let came = place.engine.asked_below_once(&id);
    assert!(came.values().all(|times| *times == 1), "{came:?}");
    assert_eq!(came.len(), counts[2], "every answer is the application's own");
    assert_eq!(place.engine.starts(&id), Some(1), "containers are not touched");
}

/// Says something; answers the code when it was told to go instead.
async fn echo_or_close(socket: &mut WebSocketStream<TlsStream<TcpStream>>) -> Option<u16> {
    let _ = socket.send(Message::text("still")).await;
    match socket.next().await {
        Some(Ok(Message::Close(Some(frame)))) => Some(frame.code.into()),
        Some(Ok(message)) => {
            assert_eq!(message, Message::text("still"));
            None
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_stopped_right_after_it_took_over_is_not_brought_back() {
    let mut place = Place::start().await;
    let slow = place.repository("slow", &json!({"body": "slow", "think": 3000}));
    place.live("slow", &slow).await;
    let port = place.orbitra.port;
    let waiting = tokio::spawn(async move { try_visit(port, "slow.localhost", "/slow").await });
    until("it is under way", async || (place.engine.thinking() > 0).then_some(())).await;
    let newer = place.newer("");
    place.orbitra.upgrade(&newer, 60).await.unwrap();
    place.orbitra.ask_to_stop();
    // The one before finishes what it has, and that is all.
    assert_eq!(waiting.await.unwrap().unwrap().body, "slow");
    let status = place.orbitra.relieved().await;
    assert!(status.success(), "{status}");
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "nobody listens");
    assert!(!place.orbitra.log().contains("the process that took over has ended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_right_after_a_change_waits_for_what_the_one_before_has() {
    let mut place = Place::start().await;
    let slow = place.repository("slow", &json!({"body": "slow", "think": 3000}));
    place.live("slow", &slow).await;
    let port = place.orbitra.port;
    // A client that keeps its connection is told to go and waited for no longer.
    let mut kept = Wire::connect(([127, 0, 0, 1], port).into()).await;
    assert_eq!(kept.get("slow.localhost", "/health").await.unwrap().text(), "slow");
    let waiting = tokio::spawn(async move { try_visit(port, "slow.localhost", "/slow").await });
    until("it is under way", async || (place.engine.thinking() > 0).then_some(())).await;
    let newer = place.newer("");
    place.orbitra.upgrade(&newer, 60).await.unwrap();
    let serves = place.orbitra.pid();
    place.orbitra.ask_to_stop();
    until("the main process has ended", async || {
        let stat = std::fs::read_to_string(format!("/proc/{serves}/stat")).unwrap_or_default();
        let ended = stat.rsplit(") ").next().unwrap().starts_with('Z');
        (stat.is_empty() || ended).then_some(())
    })
    .await;
    // What a service manager does with what is left then.
    place.orbitra.kill9();
    assert_eq!(waiting.await.unwrap().unwrap().body, "slow");
    assert!(!place.orbitra.log().contains("the process that took over has ended"));
}
