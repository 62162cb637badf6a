//! Paths: one canonical form for all the ways to write one, and the parts that name a resource.

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use http::Uri;
use http::request::Parts;
use http::uri::PathAndQuery;

use super::error::ApiError;

/// The same request with its path relative to the API's base and without a trailing slash.
pub fn canonical(mut request: Request) -> Request {
    let path = request.uri().path();
    let path = ["/api/v1", "/v1"]
        .iter()
        .find_map(|base| {
            path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = if path.is_empty() { "/" } else { path };
    let rewritten = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    // A part of a path that was read is a path as well.
    if let Ok(rewritten) = PathAndQuery::try_from(rewritten) {
        *request.uri_mut() = Uri::from(rewritten);
    }
    request
}

/// What the path names: an id, or of a project its name. Anything at all; what is not known is not found.
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let not_found = || ApiError::no_route().into_response();
        let params =
            RawPathParams::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        let named = params.iter().find(|(name, _)| matches!(*name, "id" | "project"));
        named.map(|(_, value)| Self(value.to_owned())).ok_or_else(not_found)
    }
}
