//! One look at an application from the host: TCP, then HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;

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

/// Asks for `path` with this `Host`.
pub async fn ask(address: SocketAddr, host: &str, path: &str, timeout: Duration) -> Probe {
    let started = std::time::Instant::now();
    match tokio::time::timeout(timeout, exchange(address, host, path)).await {
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
        Ok((status, String::from_utf8_lossy(&excerpt).trim().to_owned(), location))
    }
    .await;
    driver.abort();
    answered.map_err(Exchange::Http)
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
        ask(address, "app.test", "/", Duration::from_secs(5)).await
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
