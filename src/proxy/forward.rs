//! One request to an upstream and the head of its answer.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, Uri, Version, request};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::client::Client;
use super::core::Core;
use super::pool::{Connection, Used};
use super::request_body::RequestBody;
use super::ticker::Wait;
use crate::model::project::Protocol;
use crate::routing::upstream::Guard;

/// The head of an answer is never longer than this, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// No connection could be opened; the request is untouched.
    Connect(Box<Request<RequestBody>>),
    /// The connection ended, or the answer is not HTTP. A request that may be repeated, and of whose answer nothing
    /// came, is there for another try.
    Broken(Option<Box<Request<RequestBody>>>),
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
/// be repeated; any other fails, because the upstream may have acted on it.
///
/// # Errors
///
/// See `Failure`.
pub async fn send(
    core: &Core,
    client: &Client,
    guard: &Guard,
    mut request: Request<RequestBody>,
) -> Result<(Response<Incoming>, Used), Failure> {
    if guard.upstream().protocol() == Protocol::H2c {
        return send_multiplexed(core, client, guard, request).await;
    }
    let repeatable = is_repeatable(&request);
    while let Some(mut connection) = core.pool.take(guard.replica(), core.ticker.now()) {
        if !repeatable {
            // Lets the runtime look at its sockets: a close that has arrived is seen before
            // anything is sent, and not after.
            tokio::task::yield_now().await;
            if connection.is_closed() {
                continue;
            }
        }
        let spare = repeatable.then(|| copy(&request));
        let sending = connection.try_send_request(request);
        match exchange(core, client, guard, sending).await {
            Ok(response) => return Ok((response, Used::Alone(connection))),
            Err(Lost::Unsent(unsent)) => request = *unsent,
            Err(Lost::Broken { was_answer: false }) => {
                let Some(spare) = spare else {
                    return Err(Failure::Broken(None));
                };
                request = spare;
                // The others were kept as long and may be closed as well.
                break;
            }
            Err(lost) => return Err(lost.into()),
        }
    }
    let mut connection = match connect(core, guard).await {
        Ok(connection) => connection,
        Err(_) => return Err(Failure::Connect(Box::new(request))),
    };
    let spare = repeatable.then(|| copy(&request));
    let sending = connection.try_send_request(request);
    match exchange(core, client, guard, sending).await {
        Ok(response) => Ok((response, Used::Alone(connection))),
        Err(Lost::Broken { was_answer: false }) => Err(Failure::Broken(spare.map(Box::new))),
        Err(lost) => Err(lost.into()),
    }
}

/// The same to an upstream that speaks HTTP/2. A connection that is ending has taken nothing; another one is opened.
async fn send_multiplexed(
    core: &Core,
    client: &Client,
    guard: &Guard,
    mut request: Request<RequestBody>,
) -> Result<(Response<Incoming>, Used), Failure> {
    as_http2(&mut request);
    let spare = is_repeatable(&request).then(|| Box::new(copy(&request)));
    if let Some(mut shared) = core.multiplexed.take(guard.replica(), core.ticker.now()) {
        let sending = shared.sender.try_send_request(request);
        match exchange(core, client, guard, sending).await {
            Ok(response) => return Ok((response, Used::Shared(shared))),
            Err(Lost::Unsent(unsent)) => request = *unsent,
            Err(Lost::Broken { was_answer: false }) => return Err(Failure::Broken(spare)),
            Err(lost) => return Err(lost.into()),
        }
    }
    let opened = match open(core, guard).await {
        Ok(socket) => {
            let opening = core.multiplexed.open(socket, guard, core.ticker.now());
            tokio::time::timeout(core.options.connect, opening).await
        }
        Err(_) => return Err(Failure::Connect(Box::new(request))),
    };
    let Ok(Ok(mut shared)) = opened else { return Err(Failure::Connect(Box::new(request))) };
    let sending = shared.sender.try_send_request(request);
    match exchange(core, client, guard, sending).await {
        Ok(response) => Ok((response, Used::Shared(shared))),
        Err(Lost::Broken { was_answer: false }) => Err(Failure::Broken(spare)),
        Err(lost) => Err(lost.into()),
    }
}

/// A request in the form of HTTP/2: a whole address in the place of `Host`, and no fields of the connection (RFC 9113
/// sections 8.2.2 and 8.3.1).
fn as_http2(request: &mut Request<RequestBody>) {
    request.headers_mut().remove(TRANSFER_ENCODING);
    *request.version_mut() = Version::HTTP_2;
    let host = request.headers_mut().remove(HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    // It has been read as a host before, or has gone this way before.
    let Some(authority) = authority else { return };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
}

/// Without content and with a method that may be repeated (RFC 9110 section 9.2.2).
fn is_repeatable(request: &Request<RequestBody>) -> bool {
    matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    ) && request.body().is_end_stream()
}

/// A request without content, once more.
fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    copy
}

/// A new connection to the guard's replica, on the thread it is used on.
async fn connect(core: &Core, guard: &Guard) -> std::io::Result<Connection> {
    let socket = open(core, guard).await?;
    let (connection, driver) = http1::Builder::new()
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(socket))
        .await
        .map_err(std::io::Error::other)?;
    tokio::task::spawn_local(async move {
        // Errors reach whoever waits for the answer.
        let _ = driver.await;
    });
    Ok(connection)
}

/// A new connection to the guard's replica that can become a tunnel.
pub async fn connect_for_upgrade(core: &Core, guard: &Guard) -> std::io::Result<Connection> {
    let socket = open(core, guard).await?;
    let (connection, driver) = http1::Builder::new()
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(socket))
        .await
        .map_err(std::io::Error::other)?;
    tokio::task::spawn_local(async move {
        let _ = driver.with_upgrades().await;
    });
    Ok(connection)
}

async fn open(core: &Core, guard: &Guard) -> std::io::Result<TcpStream> {
    let replica = guard.replica();
    let opening = TcpStream::connect(replica.address());
    let opened = tokio::select! {
        opened = tokio::time::timeout(core.options.connect, opening) => opened??,
        () = replica.gone() => return Err(gone()),
    };
    // Its address may be another container's by now, which must not get this request.
    let socket = if replica.is_gone() { return Err(gone()) } else { opened };
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn gone() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::HostUnreachable, "the container is gone")
}

/// Why an exchange on one connection failed.
pub enum Lost {
    /// The connection was closed before anything was sent.
    Unsent(Box<Request<RequestBody>>),
    /// The connection ended, or what came is not HTTP (`was_answer`).
    Broken {
        /// Something came, so the upstream has acted.
        was_answer: bool,
    },
    TooSlow,
    Cut,
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Unsent(request) => Self::Connect(request),
            Lost::Broken { .. } => Self::Broken(None),
            Lost::TooSlow => Self::TooSlow,
            Lost::Cut => Self::Cut,
        }
    }
}

/// What becomes of a request that is sent.
type Sent = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

/// Sends on a connection and waits for the answer's head.
pub async fn exchange(
    core: &Core,
    client: &Client,
    guard: &Guard,
    sending: impl Future<Output = Sent>,
) -> Result<Response<Incoming>, Lost> {
    let (watch, first_byte) = (&client.watch, core.limits_of(client).first_byte);
    let mut sending = pin!(sending);
    watch.arm(Wait::Upstream, first_byte);
    let result = poll_fn(|cx| {
        if let Poll::Ready(result) = sending.as_mut().poll(cx) {
            return Poll::Ready(result.map_err(|mut error| match error.take_message() {
                Some(request) => Lost::Unsent(Box::new(request)),
                None => Lost::Broken { was_answer: error.error().is_parse() },
            }));
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

/// The parts of a client's request as an upstream gets them: origin form, HTTP/1.1.
pub fn request(parts: request::Parts, body: RequestBody) -> Request<RequestBody> {
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = if parts.uri.authority().is_some() {
        let path = parts.uri.path_and_query().cloned();
        path.map(http::Uri::from).unwrap_or_default()
    } else {
        parts.uri
    };
    *request.headers_mut() = parts.headers;
    request
}
