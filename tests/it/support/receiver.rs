//! A receiver of webhooks: a server that keeps what it gets and answers as it is told, well or badly.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::until::until;

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Act {
    /// With a status, header lines and a body.
    Answer(u16, &'static str, &'static str),
    /// Not at all; the connection stays open.
    Hang,
    /// By ending the connection.
    Close,
    /// With these bytes, then these again and again, with a pause after each.
    Endless(&'static [u8], Bytes, Duration),
}

/// What came.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
    pub at: Instant,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn event_id(&self) -> &str {
        self.header("x-orbitra-event-id")
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether the reference library accepts it.
    pub fn verifies(&self, secret: &str) -> bool {
        let judge = standardwebhooks::Webhook::new(secret).unwrap();
        judge.verify(self.body.as_bytes(), &self.headers).is_ok()
    }
}

#[derive(Default)]
struct Script {
    /// What is verified when it comes, with this secret.
    secret: Option<String>,
    /// What was not accepted.
    refused: usize,
    /// What comes next, one for each request.
    next: VecDeque<Act>,
    /// What comes after that.
    then: Option<Act>,
}

/// A receiver; ends when dropped.
pub struct Receiver {
    pub port: u16,
    got: Arc<Mutex<Vec<Got>>>,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

/// What a connection shares with its receiver.
#[derive(Clone, Default)]
struct Shared {
    got: Arc<Mutex<Vec<Got>>>,
    script: Arc<Mutex<Script>>,
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        Self::at(0).await
    }

    /// The same at a port.
    pub async fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared::default();
        let kept = shared.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    stream.set_nodelay(true).unwrap();
                    connections.spawn(serve(stream, kept.clone()));
                }
            }
        });
        Self { port, got: shared.got, script: shared.script, task }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// How the next requests are answered, one after the other, before it goes on as before.
    pub fn next(&self, acts: &[Act]) {
        self.script.lock().unwrap().next.extend(acts.iter().cloned());
    }

    /// How all further requests are answered.
    pub fn always(&self, act: Act) {
        self.script.lock().unwrap().then = Some(act);
    }

    /// Verifies everything with the reference library from now on, when it comes.
    pub fn verify(&self, secret: &str) {
        self.script.lock().unwrap().secret = Some(secret.to_owned());
    }

    /// How much of it was not accepted.
    pub fn refused(&self) -> usize {
        self.script.lock().unwrap().refused
    }

    /// What came so far.
    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// How much came so far.
    pub fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    /// Waits until this much has come.
    pub async fn wait(&self, count: usize) -> Vec<Got> {
        until(&format!("{count} requests"), async || (self.count() >= count).then(|| self.got()))
            .await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, shared: Shared) {
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await {
        let act = {
            let mut script = shared.script.lock().unwrap();
            if script.secret.as_ref().is_some_and(|secret| !request.verifies(secret)) {
                script.refused += 1;
            }
            shared.got.lock().unwrap().push(request);
            script.next.pop_front().or_else(|| script.then.clone())
        };
        match act.unwrap_or(Act::Answer(200, "", "ok")) {
            Act::Answer(status, headers, body) => {
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
                );
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            Act::Hang => std::future::pending().await,
            Act::Close => return,
            Act::Endless(first, again, pause) => {
                if stream.write_all(first).await.is_err() {
                    return;
                }
                while stream.write_all(&again).await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
                return;
            }
        }
    }
}

/// The next request of a connection; `None` at its end.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Got> {
    loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let path = lines.next()?.split(' ').nth(1)?.to_owned();
            let mut headers = HeaderMap::new();
            for line in lines {
                let (name, value) = line.split_once(": ")?;
                let name: http::HeaderName = name.parse().unwrap();
                headers.append(name, value.parse().unwrap());
            }
            let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
            let whole = end + 4 + length;
            while buffer.len() < whole {
                if stream.read_buf(buffer).await.ok()? == 0 {
                    return None;
                }
            }
            let body = String::from_utf8(buffer[end + 4..whole].to_vec()).unwrap();
            buffer.drain(..whole);
            return Some(Got { path, headers, body, at: Instant::now() });
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        // Somebody who speaks TLS.
        if !buffer.starts_with(b"P") {
            let _ = stream.write_all(b"HTTP/1.1 400 X\r\n\r\n").await;
            return None;
        }
    }
}
