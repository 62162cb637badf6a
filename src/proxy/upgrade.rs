//! WebSocket requests (RFC 6455 section 4). No other protocol change is passed on.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::{Body, UpstreamBody};
use super::client::Client;
use super::core::Core;
use super::error_page::Problem;
use super::forward::{self, Lost};
use super::pool::Used;
use super::reference::Reference;
use super::request_body::RequestBody;
use super::tunnel::Tunnel;
use super::{another, headers};
use crate::routing::upstream::Guard;

/// Whether a request asks for a WebSocket as it must: GET, HTTP/1.1, without content.
pub fn is_wanted<B>(request: &Request<B>) -> bool {
    let fields = request.headers();
    let mut protocols = fields.get_all(UPGRADE).iter();
    let Some(protocol) = protocols.next() else {
        return false;
    };
    protocols.next().is_none()
        && protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
        && headers::has_token(fields, &CONNECTION, "upgrade")
        && request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && !fields.contains_key(TRANSFER_ENCODING)
        && fields.get(CONTENT_LENGTH).is_none_or(|length| length.as_bytes() == b"0")
}

/// Asks the upstream for a WebSocket. With its 101 the client's connection gets a tunnel, which
/// starts when the answer is written; with any other answer nothing special happens. What the
/// client sends before the 101 waits in its connection.
///
/// # Errors
///
/// The page to show instead.
pub async fn answer(
    core: &Rc<Core>,
    client: &Rc<Client>,
    mut guard: Guard,
    request: Request<Incoming>,
    reference: Reference,
) -> Result<Response<Body>, Problem> {
    let (mut parts, _) = request.into_parts();
    headers::to_upstream(&mut parts.headers, client, reference, &core.via)?;
    headers::mark_upgrade(&mut parts.headers);
    let request = forward::request(parts, RequestBody::empty());
    let mut tried = Vec::new();
    let mut connection = loop {
        if let Ok(connection) = forward::connect_for_upgrade(core, &guard).await {
            break connection;
        }
        guard = another::for_untouched(core, guard, &request, &mut tried).await?;
    };
    let exchanged = connection.try_send_request(request);
    let exchanged = forward::exchange(core, client, &guard, exchanged).await;
    let mut response = exchanged.map_err(|lost| match lost {
        Lost::TooSlow => Problem::TooSlow,
        Lost::Cut => Problem::Unavailable,
        Lost::Unsent(_) | Lost::Broken { .. } => Problem::NoAnswer,
    })?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (mut parts, incoming) = response.into_parts();
        headers::to_client(parts.status, &mut parts.headers, reference)?;
        let body = UpstreamBody::new(incoming, Used::Once, guard, client, core);
        let mut response = Response::new(Body::upstream(body));
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        return Ok(response);
    }
    if !is_agreed(response.headers()) {
        return Err(Problem::NoAnswer);
    }
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(|_| Problem::NoAnswer)?;
    let upstream = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| Problem::NoAnswer)?;
    *client.tunnel.borrow_mut() =
        Some(Tunnel::new(upstream.io.into_inner(), upstream.read_buf, guard));
    let mut fields = std::mem::take(response.headers_mut());
    // Told apart from other answers only here: a 101 keeps its two hop-by-hop fields.
    headers::to_client(StatusCode::OK, &mut fields, reference)?;
    headers::mark_upgrade(&mut fields);
    let mut response = Response::new(Body::full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = fields;
    Ok(response)
}

/// Whether a 101 is for what was asked.
fn is_agreed(fields: &HeaderMap) -> bool {
    headers::has_token(fields, &UPGRADE, "websocket")
        && headers::has_token(fields, &CONNECTION, "upgrade")
}
