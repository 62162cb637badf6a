//! Domains whose requests go on to another one.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, Request, Response, StatusCode};

use super::body::Body;
use super::headers::X_REQUEST_ID;
use super::reference::Reference;
use crate::routing::table::Redirect;

/// The same path at the other host.
pub fn answer<B>(
    redirect: &Redirect,
    request: &Request<B>,
    reference: Reference,
) -> Response<Body> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    // `OPTIONS *` is about the server.
    let path = if path.starts_with('/') { path } else { "/" };
    let mut response = Response::new(Body::full(Bytes::new()));
    *response.status_mut() =
        StatusCode::from_u16(redirect.code).unwrap_or(StatusCode::PERMANENT_REDIRECT);
    let headers = response.headers_mut();
    // A host name, and a path that was read, can be written.
    if let Ok(location) = HeaderValue::try_from(format!("{}{path}", redirect.origin)) {
        headers.insert(LOCATION, location);
    }
    // It can be changed.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_REQUEST_ID, reference.header());
    response
}
