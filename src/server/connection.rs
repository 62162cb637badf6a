//! One client connection from accept to close.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;

use super::client_io::{ClientIo, Link};
use super::dispatch::{ControlPlane, Dispatch, InTurn};
use super::edge::{Edge, Transport};
use super::frames::Frames;
use super::multiplex::{Multiplexed, Streams};
use super::pace::{Kind, Pace};
use super::socket::Socket;
use super::thread::Relayed;
use crate::proxy::{Client, Core, Wait};
use crate::tls::acceptor;

/// More than the longest head that is accepted, so that a longer one is answered and not cut.
const BUFFER: usize = 96 * 1024;
/// Fields of a head.
pub const MAX_HEADERS: usize = 100;
/// The same of a head over HTTP/2, in bytes.
const MAX_HEAD: u32 = 64 * 1024;
/// Requests at a time on one connection.
const MAX_STREAMS: u32 = 100;
/// Bytes of a stream that wait for the client to take them.
const MAX_WAITING: usize = 64 * 1024;
/// What tells HTTP/2 from every method of HTTP/1.1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Between two looks at a beginning that has come in part.
const A_MOMENT: Duration = Duration::from_millis(10);
/// How often a client is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);
/// How long an idle client of HTTP/2 may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long, and for how many bytes, a closing connection listens to what nobody reads.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// What the connections of one thread share.
pub struct Connections {
    /// The data plane.
    pub core: Rc<Core>,
    /// The control plane.
    pub control: Rc<ControlPlane>,
    /// Whether HTTP/2 is spoken without TLS.
    pub h2c: bool,
    /// The turns of what others must not wait for.
    pub pace: Rc<Pace>,
    /// The TLS side.
    pub edge: Option<Rc<Edge>>,
    /// Set when the server goes down: each answer is its connection's last one.
    pub leaving: Rc<Cell<bool>>,
    /// Set a while later: connections without a request are closed.
    pub closing: Cell<bool>,
    /// Ends the tunnels.
    pub stop: CancellationToken,
}

impl Connections {
    fn dispatch(&self, client: &Rc<Client>, link: &Rc<Link>, transport: Transport) -> Dispatch {
        Dispatch {
            core: Rc::clone(&self.core),
            client: Rc::clone(client),
            link: Rc::clone(link),
            transport: Rc::new(transport),
            control: Rc::clone(&self.control),
        }
    }
}

/// Serves one connection to its end.
pub async fn serve(shared: Rc<Connections>, stream: TcpStream, peer: SocketAddr) {
    let client = Client::new(peer, shared.core.ticker.watch());
    let client = Rc::new(client.trusting(&shared.core.options.trusted_proxies));
    let transport = Transport::Plain(shared.edge.clone());
    let is_http2 = shared.h2c && Box::pin(begins_with_http2(&stream, shared.core.options.head)).await;
    let socket = Socket::Plain(stream);
    if is_http2 {
        Box::pin(serve_at_once(&shared, socket, client, transport)).await;
    } else {
        serve_in_turn(&shared, socket, client, transport).await;
    }
}

/// Whether the first bytes are those of HTTP/2 (RFC 9113 section 3.4). They stay where they are. Who says nothing in time
/// is left to the limits of HTTP/1.1.
async fn begins_with_http2(stream: &TcpStream, patience: Duration) -> bool {
    let looking = async {
        let mut start = [0; PREFACE.len()];
        loop {
            let came = stream.peek(&mut start).await.unwrap_or(0);
            if came == 0 || came == PREFACE.len() || start[..came] != PREFACE[..came] {
                return start[..came] == *PREFACE;
            }
            // Bytes that were only looked at wake nobody again.
            tokio::time::sleep(A_MOMENT).await;
        }
    };
    tokio::time::timeout(patience, looking).await.unwrap_or(false)
}

/// Serves one connection to the TLS side to its end, from the handshake on.
pub async fn serve_tls(
    shared: Rc<Connections>,
    edge: Rc<Edge>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let handshake = shared.pace.by_turns(Kind::Handshake, edge.acceptor.accept(stream));
    let Some(stream) = handshake.await else { return };
    let client = Client::new(peer, shared.core.ticker.watch()).secured();
    let client = Rc::new(client.trusting(&shared.core.options.trusted_proxies));
    let shown = acceptor::server_name(&stream).and_then(|name| edge.certificates.of(name));
    let is_http2 = acceptor::is_http2(&stream);
    let (socket, transport) = (Socket::Tls(Box::new(stream)), Transport::Tls { edge, shown });
    if is_http2 {
        Box::pin(serve_at_once(&shared, socket, client, transport)).await;
    } else {
        serve_in_turn(&shared, socket, client, transport).await;
    }
}

/// Serves the one request that the process before passes on.
pub async fn serve_relayed(shared: Rc<Connections>, relayed: Relayed) {
    let Relayed { stream, peer, secure } = relayed;
    let Ok(stream) = UnixStream::from_std(stream) else { return };
    let client = Client::new(peer, shared.core.ticker.watch());
    let client = Rc::new(if secure { client.secured() } else { client });
    serve_in_turn(&shared, Socket::Relayed(stream), client, Transport::Relayed).await;
}

/// HTTP/2.
async fn serve_at_once(
    shared: &Connections,
    socket: Socket,
    client: Rc<Client>,
    transport: Transport,
) {
    let link = Rc::new(Link::default());
    link.multiplex((!client.trusted).then(|| Frames::new(shared.core.ticker.now())));
    let io = ClientIo::new(socket, &link, shared, &client);
    let dispatch = Rc::new(shared.dispatch(&client, &link, transport));
    let streams = Streams::new(&shared.pace, &link);
    let mut connection = http2::Builder::new(streams.clone())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD)
        .max_send_buf_size(MAX_WAITING)
        // All of a page that is left at once; `Frames` counts the rest.
        .max_pending_accept_reset_streams(MAX_STREAMS as usize)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .serve_connection(TokioIo::new(io), Multiplexed { dispatch, streams });
    let mut told = false;
    let ended = poll_fn(|cx| {
        client.watch.wake_with(cx.waker());
        let idle = link.is_idle() && client.watch.expired(Wait::ClientRead);
        if idle && told {
            return Poll::Ready(Ok(()));
        }
        if (shared.leaving.get() || idle) && !told {
            told = true;
            // Who does not answer to it, or has never begun, is not waited for.
            client.watch.arm(Wait::ClientRead, GOODBYE.into());
            std::pin::Pin::new(&mut connection).graceful_shutdown();
        }
        std::pin::Pin::new(&mut connection).poll(cx)
    });
    if let Err(error) = ended.await {
        tracing::trace!(%error, "a client connection ended early");
    }
}

/// HTTP/1.1. Before the first request and between two that are further apart there is no part of the library, with its
/// buffers: most connections rest most of the time.
async fn serve_in_turn(
    shared: &Connections,
    socket: Socket,
    client: Rc<Client>,
    transport: Transport,
) {
    let link = Rc::new(Link::default());
    let dispatch = Rc::new(shared.dispatch(&client, &link, transport));
    let mut io = ClientIo::new(socket, &link, shared, &client);
    io.begin();
    while io.rested(&shared.closing).await {
        // In the heap, and gone from there while the connection rests.
        io = match Box::pin(serve_for_a_while(shared, io, &dispatch)).await {
            Some(io) => io,
            None => return,
        };
    }
    Box::pin(close(io, &link)).await;
}

/// Serves requests until there is none for a moment; then the connection is there again. Else it has ended.
async fn serve_for_a_while(
    shared: &Connections,
    io: ClientIo,
    dispatch: &Rc<Dispatch>,
) -> Option<ClientIo> {
    let (client, link) = (&dispatch.client, &dispatch.link);
    let service = InTurn { dispatch: Rc::clone(dispatch), leaving: Rc::clone(&shared.leaving) };
    let mut connection = http1::Builder::new()
        .half_close(true)
        .max_headers(MAX_HEADERS)
        .max_buf_size(BUFFER)
        // The socket has limits of its own, which cost nothing per request.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(io), service);
    let (mut told, mut rests) = (false, false);
    let ended = poll_fn(|cx| {
        client.watch.wake_with(cx.waker());
        let closing = shared.closing.get();
        let quiet = link.is_between() && client.watch.expired(Wait::ClientRead);
        if (closing || quiet) && !told {
            told = true;
            rests = !closing;
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
        Err(error) if error.is_user() => {
            io.reset();
            return None;
        }
        // The library has answered that it cannot read the request.
        Err(error) if error.is_parse() => {
            close(io, link).await;
            return None;
        }
        // Clients end connections in every possible way; none of them is news.
        Err(error) => {
            tracing::trace!(%error, "a client connection ended early");
            return None;
        }
    }
    let tunnel = client.tunnel.borrow_mut().take();
    match tunnel {
        Some(tunnel) => {
            let stop = shared.stop.cancelled();
            Box::pin(tunnel.run(io.into_tunnel(), received, stop)).await;
        }
        None if rests && link.is_between() && received.is_empty() => return Some(io),
        None => close(io, link).await,
    }
    None
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
