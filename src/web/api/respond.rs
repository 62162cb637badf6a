//! Answers that are not errors.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};

use super::error::ApiError;
use super::object::Object;

/// What a handler gives back.
pub type Answer = Result<Response, ApiError>;

/// The content type of every body.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// An object with status 200.
pub fn object(object: &Object) -> Response {
    let mut response = Response::new(Body::from(object.to_json()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// A new object and where it is, relative to the API's base path.
pub fn created(path: &str, created: &Object) -> Response {
    let mut response = object(created);
    *response.status_mut() = StatusCode::CREATED;
    // Made of identifiers, which are always acceptable in a header.
    if let Ok(location) = HeaderValue::try_from(format!("/api/v1{path}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Done, and nothing to say.
pub fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
