//! One client connection from accept to close.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::client_io::{ClientIo, Link};
use super::dispatch::{ControlPlane, Dispatch};
use crate::proxy::{Client, Core};

/// More than the longest head that is accepted, so that a longer one is answered and not cut.
const BUFFER: usize = 96 * 1024;
/// Fields of a head.
const MAX_HEADERS: usize = 100;
/// How long, and for how many bytes, a closing connection listens to what nobody reads.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// What the connections of one thread share.
pub struct Connections {
    /// The data plane.
    pub core: Rc<Core>,
    /// The control plane.
    pub control: Rc<ControlPlane>,
    /// Set when the server goes down: no connection takes another request.
    pub draining: Cell<bool>,
    /// Ends the tunnels.
    pub stop: CancellationToken,
}

/// Serves one connection to its end.
pub async fn serve(shared: Rc<Connections>, stream: TcpStream, peer: SocketAddr) {
    let core = &shared.core;
    let client = Rc::new(Client::new(peer, core.ticker.watch()));
    let link = Rc::new(Link::default());
    let io = ClientIo::new(stream, &link, core, &client);
    let service = Dispatch {
        core: Rc::clone(core),
        client: Rc::clone(&client),
        link: Rc::clone(&link),
        control: Rc::clone(&shared.control),
    };
    let mut connection = http1::Builder::new()
        .half_close(true)
        .max_headers(MAX_HEADERS)
        .max_buf_size(BUFFER)
        // The socket has limits of its own, which cost nothing per request.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(io), service);
    let mut told = false;
    let ended = poll_fn(|cx| {
        client.watch.wake_with(cx.waker());
        if shared.draining.get() && !told {
            told = true;
            std::pin::Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx)
    });
    let ended = ended.await;
    let io = connection.into_parts();
    let (io, received) = (io.io.into_inner(), io.read_buf);
    match ended {
        Ok(()) => {}
        // A body that ended early must not look whole, so the connection is reset.
        Err(error) if error.is_user() => return io.reset(),
        // The library has answered that it cannot read the request.
        Err(error) if error.is_parse() => return close(io, &link).await,
        // Clients end connections in every possible way; none of them is news.
        Err(error) => {
            tracing::trace!(%error, "a client connection ended early");
            return;
        }
    }
    let tunnel = client.tunnel.borrow_mut().take();
    match tunnel {
        Some(tunnel) => {
            let stop = shared.stop.cancelled();
            tunnel.run(io.into_tunnel(), received, stop).await;
        }
        None => close(io, &link).await,
    }
}

/// Ends the sending half first and listens for a while: a socket that is closed with unread
/// input resets the connection, and the client may lose the answer it was just sent.
async fn close(io: ClientIo, link: &Link) {
    let unread = link.has_unread_input();
    let mut io = io.into_tunnel();
    if io.shutdown().await.is_err() || !unread {
        return;
    }
    let listen = async {
        let mut buffer = vec![0; 16 * 1024];
        let mut left = LINGER_BYTES;
        while let Ok(length @ 1..) = io.read(&mut buffer).await {
            left = left.saturating_sub(length);
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, listen).await;
}
