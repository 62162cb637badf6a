//! The outermost layer: request ids, headers of every answer, the writing of errors, the time limit.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::Api;
use super::error::ApiError;
use super::meter::Meter;
use super::path::without_token;
use super::respond::JSON;
use super::uploads;
use crate::crypto::random;
use crate::model::ids::RequestId;
use crate::web::actor::{REQUEST_ID, client_request_id, peer_ip};

/// How long a handler may take until its answer begins.
const LIMIT: Duration = Duration::from_secs(30);
/// The same when the request brings an archive.
const UPLOAD: Duration = Duration::from_secs(15 * 60);
/// The same when the client asked to wait.
const LONG_POLL: Duration = Duration::from_secs(65);

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Whether an `Accept` header names a media type.
pub fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case(media_type))
}

/// Runs the rest and puts on every answer what every answer has.
pub async fn finish(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let id = RequestId::from_random(random::bytes());
    let (meter, address) = (Meter::default(), peer_ip(request.extensions()));
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(meter.clone());
    let client_id = client_request_id(request.headers());
    let method = request.method().clone();
    let path = without_token(request.uri().path()).to_owned();
    let problem = accepts(request.headers(), "application/problem+json");
    // A panic is a defect of one request, not the end of the connection it came over.
    let mut response = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| ApiError::internal("a handler panicked").into_response());
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        if let Some(cause) = error.cause() {
            tracing::error!(request = %id, %method, path, cause, "a request failed");
        }
        let server = api.app.hosts.dashboard_url();
        let body = error.body(id.as_str(), problem.then_some(server.as_str()));
        write_error(&mut response, body, problem, &method);
    }
    meter.write(&api.app, address, &method, &mut response);
    // Of conflicts only the one that passes by itself says when.
    let passes = matches!(
        response.status(),
        StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    let headers = response.headers_mut();
    // An id is always acceptable in a header.
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(id) = client_id {
        headers.insert(CLIENT_REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let reads = matches!(method, Method::GET | Method::HEAD);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(if reads {
        "private, no-cache"
    } else {
        "no-store"
    }));
    if passes && headers.contains_key(RETRY_AFTER) {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("true"));
    }
    response
}

fn write_error(response: &mut Response, body: String, problem: bool, method: &Method) {
    let kind = if problem { HeaderValue::from_static("application/problem+json") } else { JSON };
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    if method != Method::HEAD {
        *response.body_mut() = Body::from(body);
    }
}

/// Ends a request whose handler takes too long. What it has handed to the database is still done.
pub async fn limit_time(request: Request, next: Next) -> Response {
    let waits = request.uri().query().is_some_and(|query| {
        query.split('&').any(|pair| pair.strip_prefix("wait=").is_some_and(|n| !n.is_empty()))
    });
    let limit = match () {
        () if uploads::is_upload(request.method(), request.uri().path()) => UPLOAD,
        () if waits => LONG_POLL,
        () => LIMIT,
    };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::timeout().into_response(),
    }
}
