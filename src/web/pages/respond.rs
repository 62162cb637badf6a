//! Answers that are not errors.

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderName, HeaderValue, StatusCode};
use std::convert::Infallible;

use super::PageError;
use crate::web::view::View;

/// What a handler gives back.
pub type Answer = Result<Response, PageError>;

/// A rendered page or part.
pub fn html(page: &impl View) -> Answer {
    html_with(StatusCode::OK, page)
}

/// A rendered page with another status than 200.
pub fn html_with(status: StatusCode, page: &impl View) -> Answer {
    let text = page.html().map_err(PageError::internal)?;
    Ok(markup(status, text))
}

/// Text that is HTML already.
pub fn markup(status: StatusCode, text: String) -> Response {
    let mut response = (status, text).into_response();
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// See the other page; a reload there sends nothing again.
pub fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // Paths of ours and paths that passed `safe_next`.
    let location = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/dashboard"));
    response.headers_mut().insert(LOCATION, location);
    response
}

/// The same answer with a cookie.
pub fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// A body that is made while it is sent. It may be asked again after its end, as the compressor does.
pub fn body<E>(chunks: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Body
where
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    Body::from_stream(chunks.fuse())
}

/// Server-sent events.
pub fn events(frames: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static) -> Response {
    let mut response = body(frames).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    response
}
