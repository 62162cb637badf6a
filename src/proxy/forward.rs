//! One request to an upstream and the head of its answer.

use std::future::poll_fn;
use std::task::{Context, Poll};

use http::{Method, request};
use hyper::body::Body as _;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use super::body::Answering;
use super::client::Client;
use super::core::Core;
use super::forward_multiplexed;
use super::headers::Added;
use super::http1::{Connection, Error, Head};
use super::request_body::RequestBody;
use super::ticker::Wait;
use crate::model::project::Protocol;
use crate::routing::upstream::Guard;

/// Bytes that an application may send before they are taken. The kernel would let it be megabytes, for each client that
/// takes nothing.
const AHEAD: u32 = 192 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// No connection could be opened; nothing of the request was sent, and this is its body.
    Connect(RequestBody),
    /// The connection ended, or the answer is not HTTP.
    Broken {
        /// The request may be sent once more: nothing of an answer came.
        repeatable: bool,
    },
    /// The upstream took too long.
    TooSlow,
    /// The upstream was cut at the drain limit.
    Cut,
}

/// Sends a request on an unused connection, or on a new one, and waits for the answer's head. The
/// connection comes back with it; it may be used again once the body was read to its end.
///
/// A connection that was kept may have been closed by the upstream just now (RFC 9112 section
/// 9.3.1). So a request of which nothing was sent goes out again, and so does a request that may
/// be repeated; any other goes over a connection that is known to be open, and fails if it breaks
/// even so, because the upstream may have acted on it.
///
/// # Errors
///
/// See `Failure`.
pub async fn send(
    core: &Core,
    client: &Client,
    guard: &Guard,
    (parts, added): (&request::Parts, &Added<'_>),
    mut body: RequestBody,
) -> Result<(Head, Answering), Failure> {
    let repeatable = is_repeatable(&parts.method, &body);
    if guard.upstream().protocol() == Protocol::H2c {
        let sending = forward_multiplexed::send(core, client, guard, (parts, added), body);
        return Box::pin(sending).await.map_err(|lost| lost.failure(repeatable));
    }
    let mut was_closed = false;
    loop {
        let now = core.ticker.now();
        let unused = match repeatable {
            // The others were kept as long, and may be closed as well.
            _ if was_closed => None,
            true => core.pool.take(guard.replica(), now),
            false => core.pool.take_settled(guard.replica(), now),
        };
        let (connection, is_new) = match unused {
            Some(unused) => (unused, false),
            None => match Box::pin(connect(core, guard)).await {
                Ok(connection) => (connection, true),
                Err(_) => return Err(Failure::Connect(body)),
            },
        };
        match exchange(core, client, guard, connection, (parts, added), body).await {
            Ok(answered) => return Ok(answered),
            Err(Lost::Unsent(unsent)) if !is_new => body = unsent,
            Err(Lost::Broken { was_answer: false }) if repeatable && !is_new => {
                body = RequestBody::empty();
                was_closed = true;
            }
            Err(lost) => return Err(lost.failure(repeatable)),
        }
    }
}

/// Without content and with a method that may be repeated (RFC 9110 section 9.2.2).
pub fn is_repeatable(method: &Method, body: &RequestBody) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
        && body.is_end_stream()
}

/// Sends on a connection and waits for the answer's head.
async fn exchange(
    core: &Core,
    client: &Client,
    guard: &Guard,
    mut connection: Box<Connection>,
    (parts, added): (&request::Parts, &Added<'_>),
    body: RequestBody,
) -> Result<(Head, Answering), Lost> {
    let begun = connection.begin(parts, added, body);
    let answered = match begun {
        Ok(()) => watched(core, client, guard, |cx| connection.poll_head(cx)).await?,
        Err(error) => Err(error),
    };
    match answered {
        Ok(head) => Ok((head, Answering::Alone(connection))),
        Err(Error::Unsent) => Err(Lost::Unsent(connection.into_body())),
        Err(Error::Broken) => Err(Lost::Broken { was_answer: false }),
        Err(Error::Malformed) => Err(Lost::Broken { was_answer: true }),
    }
}

/// A new connection to the guard's replica, on the thread it is used on.
pub async fn connect(core: &Core, guard: &Guard) -> std::io::Result<Box<Connection>> {
    Ok(Box::new(Connection::new(open(core, guard).await?)))
}

/// A new socket to the guard's replica.
pub async fn open(core: &Core, guard: &Guard) -> std::io::Result<TcpStream> {
    let replica = guard.replica();
    let address = replica.address();
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Before it is connected: later the window stays at the 64 KiB that it begins with.
    socket.set_recv_buffer_size(AHEAD)?;
    // A visitor may give up meanwhile; why it is reset then, the end of `Connection` says.
    socket.set_zero_linger()?;
    let opening = socket.connect(address);
    let opened = tokio::select! {
        opened = tokio::time::timeout(core.options.connect, opening) => opened??,
        () = replica.gone() => return Err(gone()),
    };
    // Its address may be another container's by now, which must not get this request.
    let socket = if replica.is_gone() { return Err(gone()) } else { opened };
    SockRef::from(&socket).set_linger(None)?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn gone() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::HostUnreachable, "the container is gone")
}

/// Why an exchange on one connection failed.
#[derive(Debug)]
pub enum Lost {
    /// The connection was closed before anything of the request was sent, whose body this is.
    Unsent(RequestBody),
    /// The connection ended, or what came is not HTTP (`was_answer`).
    Broken {
        /// Something came, so the upstream has acted.
        was_answer: bool,
    },
    TooSlow,
    Cut,
}

impl Lost {
    /// The same for the whole request.
    pub fn failure(self, repeatable: bool) -> Failure {
        match self {
            Self::Unsent(body) => Failure::Connect(body),
            Self::Broken { was_answer } => {
                Failure::Broken { repeatable: repeatable && !was_answer }
            }
            Self::TooSlow => Failure::TooSlow,
            Self::Cut => Failure::Cut,
        }
    }
}

/// Waits for an answer's head for as long as the upstream may take, and is there.
pub async fn watched<T>(
    core: &Core,
    client: &Client,
    guard: &Guard,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Result<T, Lost> {
    let (watch, first_byte) = (&client.watch, core.limits_of(client).first_byte);
    watch.arm(Wait::Upstream, first_byte);
    let result = poll_fn(|cx| {
        if let Poll::Ready(result) = poll(cx) {
            return Poll::Ready(Ok(result));
        }
        if guard.upstream().is_cut() {
            return Poll::Ready(Err(Lost::Cut));
        }
        if watch.expired(Wait::Upload) {
            return Poll::Ready(Err(Lost::TooSlow));
        }
        if watch.expired(Wait::Upstream) {
            if !client.uploading.get() {
                return Poll::Ready(Err(Lost::TooSlow));
            }
            // The answer's time runs from the end of the request.
            watch.arm(Wait::Upstream, first_byte);
        }
        Poll::Pending
    })
    .await;
    watch.disarm(Wait::Upstream);
    result
}
