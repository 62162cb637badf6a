//! A WebSocket connection after its 101: bytes in both directions until one side ends or the
//! upstream is cut.

mod frames;

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::http1::Connection;
use crate::routing::upstream::Guard;
use frames::Frames;

/// One direction's buffer, in bytes.
const BUFFER: usize = 8 * 1024;

/// Close frame "going away" (RFC 6455 sections 5.5.1 and 7.4.1), as a server sends it.
const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];

/// The upstream's end of a tunnel. It counts as a request in flight.
#[derive(Debug)]
pub struct Tunnel {
    upstream: Box<Connection>,
    guard: Guard,
}

impl Tunnel {
    /// A tunnel to a connection whose 101 was read.
    pub fn new(upstream: Box<Connection>, guard: Guard) -> Self {
        Self { upstream, guard }
    }

    /// Runs until either side ends. `received` is what the client sent after its request. When
    /// the upstream is cut, or `stop` completes, a client that is between two frames is told so.
    pub async fn run(
        mut self,
        client: impl AsyncRead + AsyncWrite,
        received: Bytes,
        stop: impl Future<Output = ()>,
    ) {
        let (mut from_client, mut to_client) = tokio::io::split(client);
        // Some may have come together with the 101.
        let (upstream, said) = self.upstream.socket();
        let (mut from_upstream, mut to_upstream) = upstream.split();
        let mut frames = Frames::default();
        let ended = {
            let upward = async {
                to_upstream.write_all(&received).await?;
                tokio::io::copy(&mut from_client, &mut to_upstream).await?;
                to_upstream.shutdown().await?;
                // The upstream may still have something to say.
                std::future::pending::<io::Result<()>>().await
            };
            let downward = async {
                let mut buffer = vec![0; BUFFER];
                frames.write(&mut to_client, &said).await?;
                loop {
                    let length = from_upstream.read(&mut buffer).await?;
                    if length == 0 {
                        return io::Result::Ok(());
                    }
                    frames.write(&mut to_client, &buffer[..length]).await?;
                }
            };
            tokio::select! {
                _ = upward => true,
                _ = downward => true,
                () = self.guard.cut() => false,
                () = stop => false,
            }
        };
        if !ended && frames.at_border() {
            let _ = to_client.write_all(&GOING_AWAY).await;
        }
        let _ = to_client.shutdown().await;
    }
}
