//! One look at an application from the host: TCP, then HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;

/// Bytes of an answer that are read for the message.
const EXCERPT: usize = 200;

/// What a probe met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Nothing accepts connections.
    Refused,
    /// No answer in time.
    TimedOut,
    /// Something answers that is not HTTP.
    NotHttp(String),
    /// An answer with this status, after this long, and the start of its body.
    Answered { status: u16, millis: u128, excerpt: String },
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
        Ok(Ok((status, excerpt))) => {
            Probe::Answered { status, millis: started.elapsed().as_millis(), excerpt }
        }
    }
}

enum Exchange {
    Connect,
    Http(hyper::Error),
}

async fn exchange(address: SocketAddr, host: &str, path: &str) -> Result<(u16, String), Exchange> {
    let stream = tokio::net::TcpStream::connect(address).await.map_err(|_| Exchange::Connect)?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
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
        let mut body = response.into_body();
        let mut excerpt = Vec::new();
        while excerpt.len() < EXCERPT {
            let Some(frame) = body.frame().await else { break };
            if let Some(data) = frame?.data_ref() {
                excerpt.extend_from_slice(&data[..data.len().min(EXCERPT)]);
            }
        }
        excerpt.truncate(EXCERPT);
        Ok((status, String::from_utf8_lossy(&excerpt).trim().to_owned()))
    }
    .await;
    driver.abort();
    answered.map_err(Exchange::Http)
}
