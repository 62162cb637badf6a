//! Visitors: some keep their connection, some come with a new one for every request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Visitors of each kind.
const CLIENTS: u32 = 4;
/// A visitor who waits longer than this has been failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// One who may wait for an application to stop and another to start.
const MUCH_PATIENCE: Duration = Duration::from_secs(30);

/// Requests that come until they are stopped.
pub struct Load {
    stop: CancellationToken,
    clients: JoinSet<()>,
    seen: Arc<Mutex<Seen>>,
}

/// What the visitors met.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub requests: usize,
    /// What was not an answer with status 200.
    pub failures: Vec<String>,
    /// How often each body came.
    pub bodies: BTreeMap<String, usize>,
}

impl Load {
    /// `rate` requests a second for `host`, half of them on connections that are kept.
    pub fn start(port: u16, host: &str, rate: u32) -> Self {
        Self::with(PATIENCE, port, host, rate, 0)
    }

    /// The same, where every second request is a `POST` with a body of so many bytes.
    pub fn start_with(port: u16, host: &str, rate: u32, body: usize) -> Self {
        Self::with(PATIENCE, port, host, rate, body)
    }

    /// The same of visitors who may have to wait.
    pub fn patient(port: u16, host: &str, rate: u32) -> Self {
        Self::with(MUCH_PATIENCE, port, host, rate, 0)
    }

    fn with(patience: Duration, port: u16, host: &str, rate: u32, body: usize) -> Self {
        let body = Bytes::from(vec![b'b'; body]);
        let (stop, seen) = (CancellationToken::new(), Arc::<Mutex<Seen>>::default());
        let mut clients = JoinSet::new();
        let pause = Duration::from_secs(1) * (2 * CLIENTS) / rate;
        for number in 0..2 * CLIENTS {
            let (host, stop, seen) = (host.to_owned(), stop.clone(), seen.clone());
            let body = body.clone();
            let keep = number % 2 == 0;
            clients.spawn(async move {
                let mut ticks = tokio::time::interval(pause);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let mut kept = None;
                for turn in 0u64.. {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        _ = ticks.tick() => {}
                    }
                    let sent = if turn % 2 == 0 { Bytes::new() } else { body.clone() };
                    let asking = ask(port, &host, sent, &mut kept);
                    let answered = tokio::time::timeout(patience, asking).await;
                    let answered = answered.unwrap_or_else(|_| Err("no answer".to_owned()));
                    if !keep || answered.is_err() {
                        kept = None;
                    }
                    let mut seen = seen.lock().unwrap();
                    seen.requests += 1;
                    match answered {
                        Ok(body) => *seen.bodies.entry(body).or_default() += 1,
                        Err(failure) => {
                            let kind = if keep { "kept" } else { "new" };
                            seen.failures.push(format!("{kind} connection: {failure}"));
                        }
                    }
                }
            });
        }
        Self { stop, clients, seen }
    }

    /// What was met so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Ends it; requests under way are finished.
    pub async fn stop(mut self) -> Seen {
        self.stop.cancel();
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
        self.seen()
    }
}

type Sender = SendRequest<Full<Bytes>>;

/// One request, on the kept connection when there is one. A connection that the server had closed
/// before anything was sent is replaced, as every client does.
async fn ask(
    port: u16,
    host: &str,
    body: Bytes,
    kept: &mut Option<Sender>,
) -> Result<String, String> {
    let mut sender = match kept.take() {
        Some(sender) => sender,
        None => connect(port).await?,
    };
    if sender.ready().await.is_err() {
        sender = connect(port).await?;
    }
    let method = if body.is_empty() { "GET" } else { "POST" };
    let request = Request::builder().method(method).uri("/").header("host", host);
    let request = request.body(Full::new(body)).unwrap();
    let response = sender.send_request(request).await.map_err(|error| format!("{error:?}"))?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| format!("body: {error}"))?;
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    if status != 200 {
        return Err(format!("{status}: {body}"));
    }
    *kept = Some(sender);
    Ok(body)
}

async fn connect(port: u16) -> Result<Sender, String> {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    let io = TokioIo::new(stream.map_err(|error| format!("connect: {error}"))?);
    let connection = hyper::client::conn::http1::handshake(io).await;
    let (sender, driver) = connection.map_err(|error| format!("handshake: {error}"))?;
    tokio::spawn(driver);
    Ok(sender)
}
