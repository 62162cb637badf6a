//! One look at an application from the host: TCP, then HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Full};
use hyper::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::model::project::Protocol;

/// Bytes of an answer's body that are read at most.
const BODY: usize = 4 * 1024;
/// Bytes of them that a message shows.
const EXCERPT: usize = 200;
/// The head of an answer is never longer than this, in bytes.
const HEAD: usize = 16 * 1024;

/// What a probe met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Nothing accepts connections.
    Refused,
    /// No answer in time.
    TimedOut,
    /// Something answers that is not HTTP.
    NotHttp(String),
    /// An answer with this status, after this long, the start of its body, and where it leads to.
    Answered { status: u16, millis: u128, excerpt: String, location: Option<String> },
}

/// Whether anything accepts connections there.
pub async fn accepts(address: SocketAddr, timeout: Duration) -> bool {
    let connect = tokio::net::TcpStream::connect(address);
    matches!(tokio::time::timeout(timeout, connect).await, Ok(Ok(_)))
}

/// Where gRPC's own health check is asked (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).
const GRPC: &str = "/grpc.health.v1.Health/Check";
/// A message without fields, with its prefix.
const EMPTY_MESSAGE: &[u8] = &[0; 5];
/// The answer that says `SERVING`: a prefix, and field 1 with the value 1.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];

/// Asks for `path` with this `Host`. gRPC's own check counts as 200 when the application says that it serves, else as
/// 503.
pub async fn ask(
    address: SocketAddr,
    protocol: Protocol,
    host: &str,
    path: &str,
    timeout: Duration,
) -> Probe {
    let started = std::time::Instant::now();
    let asked = async {
        match protocol {
            Protocol::Http1 => exchange(address, host, path).await,
            Protocol::H2c => exchange_h2c(address, host, path).await,
        }
    };
    match tokio::time::timeout(timeout, asked).await {
        Err(_) => Probe::TimedOut,
        Ok(Err(Exchange::Connect)) => Probe::Refused,
        Ok(Err(Exchange::Http(error))) => Probe::NotHttp(error.to_string()),
        Ok(Ok((status, excerpt, location))) => {
            let millis = started.elapsed().as_millis();
            Probe::Answered { status, millis, excerpt, location }
        }
    }
}

enum Exchange {
    Connect,
    Http(hyper::Error),
}

async fn exchange(
    address: SocketAddr,
    host: &str,
    path: &str,
) -> Result<(u16, String, Option<String>), Exchange> {
    let stream = tokio::net::TcpStream::connect(address).await.map_err(|_| Exchange::Connect)?;
    let mut client = hyper::client::conn::http1::Builder::new();
    // Whatever it sends, no more than this is ever held.
    let handshake = client.max_buf_size(HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(Exchange::Http)?;
    let driver = tokio::spawn(connection);
    let request = hyper::Request::get(path)
        .header(hyper::header::HOST, host)
        .header(hyper::header::USER_AGENT, "Orbitra-Health/1")
        .header(hyper::header::CONNECTION, "close")
        .body(Empty::<bytes::Bytes>::new());
    // Host and path were checked when they were stored; a request that cannot be written is no answer.
    let Ok(request) = request else { return Err(Exchange::Connect) };
    let answered = async {
        let response = sender.send_request(request).await?;
        let (status, excerpt, location) = read(response).await?;
        Ok((status, String::from_utf8_lossy(&excerpt).trim().to_owned(), location))
    }
    .await;
    driver.abort();
    answered.map_err(Exchange::Http)
}

/// The same over HTTP/2 without TLS.
async fn exchange_h2c(
    address: SocketAddr,
    host: &str,
    path: &str,
) -> Result<(u16, String, Option<String>), Exchange> {
    let stream = tokio::net::TcpStream::connect(address).await.map_err(|_| Exchange::Connect)?;
    let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let client = client.max_header_list_size(HEAD as u32);
    let handshake = client.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(Exchange::Http)?;
    let driver = tokio::spawn(connection);
    let grpc = path == GRPC;
    let request = hyper::Request::builder()
        .method(if grpc { hyper::Method::POST } else { hyper::Method::GET })
        .uri(format!("http://{host}{path}"))
        .header(hyper::header::USER_AGENT, "Orbitra-Health/1");
    let request = match grpc {
        true => request
            .header(hyper::header::CONTENT_TYPE, "application/grpc")
            .header(hyper::header::TE, "trailers")
            .body(Full::new(bytes::Bytes::from_static(EMPTY_MESSAGE))),
        false => request.body(Full::default()),
    };
    let Ok(request) = request else { return Err(Exchange::Connect) };
    let answered = async {
        let response = sender.send_request(request).await?;
        let told = response.headers().get("grpc-status").cloned();
        let (status, excerpt, location) = read(response).await?;
        if !grpc {
            return Ok((status, String::from_utf8_lossy(&excerpt).trim().to_owned(), location));
        }
        let status = match (status, &*excerpt) {
            (200, SERVING) => 200,
            (200, _) => 503,
            (other, _) => other,
        };
        let text =
            told.and_then(|told| told.to_str().ok().map(|told| format!("gRPC status {told}")));
        Ok((status, text.unwrap_or_default(), None))
    }
    .await;
    driver.abort();
    answered.map_err(Exchange::Http)
}

/// Status, the start of the body, and where it leads to.
async fn read(response: Response<Incoming>) -> hyper::Result<(u16, Vec<u8>, Option<String>)> {
    let status = response.status().as_u16();
    let location = response.headers().get(hyper::header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = response.into_body();
    let (mut excerpt, mut read) = (Vec::new(), 0);
    while read < BODY {
        let Some(frame) = body.frame().await else { break };
        if let Some(data) = frame?.data_ref() {
            let room = EXCERPT - excerpt.len();
            excerpt.extend_from_slice(&data[..data.len().min(room)]);
            read += data.len();
        }
    }
    Ok((status, excerpt, location))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Answers with `head` and then with this many bytes, as long as anybody takes them. Tells how many were taken.
    async fn server(head: &'static [u8], body: usize) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, sent) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let taken = sent.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let taken = taken.clone();
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 1024]).await;
                    let _ = stream.write_all(head).await;
                    while taken.load(Ordering::SeqCst) < body {
                        let Ok(count) = stream.write(&[b'x'; 4096]).await else { return };
                        taken.fetch_add(count, Ordering::SeqCst);
                    }
                });
            }
        });
        (address, sent)
    }

    async fn ask_once(address: SocketAddr) -> Probe {
        ask(address, Protocol::Http1, "app.test", "/", Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn of_an_endless_body_only_the_start_is_read() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n";
        let (address, sent) = server(head, usize::MAX).await;
        let Probe::Answered { status, excerpt, .. } = ask_once(address).await else {
            panic!("no answer")
        };
        assert_eq!((status, excerpt.len()), (200, EXCERPT));
        // What the kernel holds for a reader is all that is taken.
        assert!(sent.load(Ordering::SeqCst) < 64 << 20);
    }

    #[tokio::test]
    async fn redirects_are_answers_and_not_followed() {
        let (away, followed) = server(b"HTTP/1.1 200 OK\r\n\r\n", 1).await;
        let head =
            format!("HTTP/1.1 302 Found\r\nLocation: http://{away}/\r\nContent-Length: 0\r\n\r\n");
        let (address, _) = server(head.leak().as_bytes(), 0).await;
        assert!(matches!(ask_once(address).await, Probe::Answered { status: 302, .. }));
        assert_eq!(followed.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn what_is_not_http_is_named() {
        for head in [&b"hello\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc OK\r\n\r\n"]
        {
            let (address, _) = server(head, 0).await;
            assert!(matches!(ask_once(address).await, Probe::NotHttp(_)));
        }
        let (address, _) = server(&[b'x'; 64 * 1024], 0).await;
        assert!(matches!(ask_once(address).await, Probe::NotHttp(_)), "a head without an end");
    }
}
