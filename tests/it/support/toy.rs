//! Upstreams made by hand: they note what they get and answer exactly what they are told to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::wire::{Answer, Wire};

/// A request as an upstream got it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<String> {
        Answer { status: 0, head: self.head.clone(), body: Vec::new() }.header(name)
    }
}

/// An upstream; ends when dropped.
pub struct Toy {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    pub connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Toy {
    /// Serves each connection with `serve`.
    pub async fn serving<F, R>(serve: F) -> Self
    where
        F: Fn(Wire, usize) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let number = connections.fetch_add(1, Ordering::SeqCst);
                    let received = Vec::new();
                    tokio::spawn(serve(Wire { stream, received }, number));
                }
            }
        });
        Self { address, seen: Arc::default(), connections, task }
    }

    /// Answers each request with the bytes that `answer` makes for it; an empty answer closes.
    pub async fn answering(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let notes = Arc::clone(&seen);
        let answer = Arc::new(answer);
        let mut toy = Self::serving(move |mut wire, _| {
            let notes = Arc::clone(&notes);
            let answer = Arc::clone(&answer);
            async move {
                while let Ok(request) = request(&mut wire).await {
                    notes.lock().unwrap().push(request.clone());
                    let bytes = answer(&request);
                    if bytes.is_empty() {
                        return;
                    }
                    wire.send(bytes).await;
                }
            }
        })
        .await;
        toy.seen = seen;
        toy
    }

    /// Answers everything with this text and keeps the connection.
    pub async fn saying(text: &'static str) -> Self {
        Self::answering(move |_| ok(text)).await
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }
}

impl Drop for Toy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads one request with its content.
pub async fn request(wire: &mut Wire) -> std::io::Result<Seen> {
    let head = wire.head().await?;
    let mut seen = Seen { head, body: Vec::new() };
    if let Some(length) = seen.header("content-length") {
        seen.body = wire.take(length.parse().unwrap()).await?;
    } else if seen.header("transfer-encoding").is_some() {
        let end = b"0\r\n\r\n";
        while !wire.received.ends_with(end) {
            if !wire.more().await? {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        seen.body = std::mem::take(&mut wire.received);
    }
    Ok(seen)
}

/// A plain answer.
pub fn ok(text: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Type: text/plain\r\n\r\n{text}",
        text.len()
    )
    .into_bytes()
}
