//! Server-sent events (HTML Living Standard §9.2): frames and the answer that carries them.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::{Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

/// A comment is sent after this much silence, so that nothing in between takes the connection for dead.
pub const PING: Duration = Duration::from_secs(15);
/// How soon a client connects again, in milliseconds; goes before the first frame.
pub const RETRY: &str = "retry: 2000\n";
/// The comment.
pub const PINGED: &str = ": ping\n\n";
/// The last comment of a server that stops: no `end`, so the client connects again and goes on.
pub const STOPPING: &str = ": stopping\n\n";

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What a client that connects again has seen last; `Some(None)` when that is not plain text.
pub fn last_event_id(headers: &HeaderMap) -> Option<Option<&str>> {
    headers.get(LAST_EVENT_ID).map(|sent| sent.to_str().ok())
}

/// One event. JSON is one line, in which every line end is escaped.
pub fn frame(id: Option<impl Display>, event: &str, data: &impl Serialize) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    // The views are plain structs, which can always be written.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("{id}event: {event}\ndata: {data}\n\n")
}

/// The answer that sends frames as they come.
pub fn response(
    frames: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Response {
    // Fused: whoever polls once more after the end gets the end again.
    let mut response = Response::new(Body::from_stream(frames.fuse()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}
