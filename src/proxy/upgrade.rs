//! WebSocket requests (RFC 6455 section 4). No other protocol change is passed on.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use super::body::{Answering, Body, UpstreamBody};
use super::client::Client;
use super::core::Core;
use super::error_page::Problem;
use super::forward::{self, Lost};
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
    let added = headers::to_upstream(&mut parts.headers, client, reference, &core.via)?;
    headers::mark_upgrade(&mut parts.headers);
    let mut tried = Vec::new();
    let mut connection = loop {
        if let Ok(connection) = forward::connect(core, &guard).await {
            break connection;
        }
        guard = another::for_untouched(core, guard, &parts, &mut tried).await?;
    };
    connection.begin(&parts, &added, RequestBody::empty()).map_err(|_| Problem::BadRequest)?;
    let answered = forward::watched(core, client, &guard, |cx| connection.poll_head(cx)).await;
    let mut head = answered
        .and_then(|answered| answered.map_err(|_| Lost::Broken { was_answer: false }))
        .map_err(|lost| match lost {
            Lost::TooSlow => Problem::TooSlow,
            Lost::Cut => Problem::Unavailable,
            Lost::Unsent(_) | Lost::Broken { .. } => Problem::NoAnswer,
        })?;
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        headers::to_client(head.status, &mut head.headers, reference)?;
        let body = UpstreamBody::new(Answering::Alone(connection), guard, client, core);
        return Ok(head.into_response(Body::upstream(body)));
    }
    if !is_agreed(&head.headers) {
        return Err(Problem::NoAnswer);
    }
    *client.tunnel.borrow_mut() = Some(Tunnel::new(connection, guard));
    // Told apart from other answers only here: a 101 keeps its two hop-by-hop fields.
    headers::to_client(StatusCode::OK, &mut head.headers, reference)?;
    headers::mark_upgrade(&mut head.headers);
    Ok(head.into_response(Body::full(Bytes::new())))
}

/// Whether a 101 is for what was asked.
fn is_agreed(fields: &HeaderMap) -> bool {
    headers::has_token(fields, &UPGRADE, "websocket")
        && headers::has_token(fields, &CONNECTION, "upgrade")
}
