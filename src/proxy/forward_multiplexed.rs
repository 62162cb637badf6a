//! The same as `forward` to an upstream that speaks HTTP/2.

use std::pin::pin;

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version, request};

use super::body::Answering;
use super::client::Client;
use super::core::Core;
use super::forward::{Lost, open, watched};
use super::headers::Added;
use super::http1::Head;
use super::multiplex::Shared;
use super::request_body::RequestBody;
use crate::routing::upstream::Guard;

/// Sends a request on a connection that may carry others, and waits for the answer's head. A connection that is ending has
/// taken nothing; another one is opened.
///
/// # Errors
///
/// See `Lost`.
pub async fn send(
    core: &Core,
    client: &Client,
    guard: &Guard,
    (parts, added): (&request::Parts, &Added<'_>),
    mut body: RequestBody,
) -> Result<(Head, Answering), Lost> {
    let whole = |body| as_http2(parts.clone(), added, body);
    if let Some(shared) = core.multiplexed.take(guard.replica(), core.ticker.now()) {
        match exchange(core, client, guard, shared, whole(body)).await {
            Err(Lost::Unsent(unsent)) => body = unsent,
            answered => return answered,
        }
    }
    let opened = match open(core, guard).await {
        Ok(socket) => {
            let opening = core.multiplexed.open(socket, guard, core.ticker.now());
            tokio::time::timeout(core.options.connect, opening).await
        }
        Err(_) => return Err(Lost::Unsent(body)),
    };
    let Ok(Ok(shared)) = opened else { return Err(Lost::Unsent(body)) };
    exchange(core, client, guard, shared, whole(body)).await
}

async fn exchange(
    core: &Core,
    client: &Client,
    guard: &Guard,
    mut shared: Shared,
    request: Request<RequestBody>,
) -> Result<(Head, Answering), Lost> {
    let mut sending = pin!(shared.sender.try_send_request(request));
    let sent = watched(core, client, guard, |cx| sending.as_mut().poll(cx)).await?;
    let response = sent.map_err(|mut error| match error.take_message() {
        Some(request) => Lost::Unsent(request.into_body()),
        None => Lost::Broken { was_answer: error.error().is_parse() },
    })?;
    let (parts, incoming) = response.into_parts();
    let head = Head { status: parts.status, headers: parts.headers };
    Ok((head, Answering::Shared(Box::new((incoming, shared)))))
}

/// A request in the form of HTTP/2: a whole address in the place of `Host`, and no fields of the connection (RFC 9113
/// sections 8.2.2 and 8.3.1).
fn as_http2(
    mut parts: request::Parts,
    added: &Added<'_>,
    body: RequestBody,
) -> Request<RequestBody> {
    added.insert(&mut parts.headers);
    parts.headers.remove(TRANSFER_ENCODING);
    parts.version = Version::HTTP_2;
    let host = parts.headers.remove(HOST);
    // It has been read as a host before.
    if let Some(authority) = host.and_then(|host| Authority::try_from(host.as_bytes()).ok()) {
        let mut uri = std::mem::take(&mut parts.uri).into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(authority);
        uri.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        parts.uri = Uri::from_parts(uri).unwrap_or_default();
    }
    Request::from_parts(parts, body)
}
