//! Paths: one canonical form for all the ways to write one, and the parts that name a resource.

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use http::Uri;
use http::request::Parts;
use http::uri::PathAndQuery;

use super::error::ApiError;

/// The same request with its path relative to the API's base and without a trailing slash.
pub fn canonical(mut request: Request) -> Request {
    // What the outer router matched is one way of many to write the path.
    request.extensions_mut().remove::<MatchedPath>();
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
        let [named] = parts_of(parts, state, [&["id", "project"]]).await?;
        Ok(Self(named))
    }
}

/// A project, by id or name, and one of its variables. Anything at all, as [`Named`].
pub struct NamedVariable {
    pub project: String,
    pub key: String,
}

impl<S: Send + Sync> FromRequestParts<S> for NamedVariable {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let [project, key] = parts_of(parts, state, [&["project"], &["key"]]).await?;
        Ok(Self { project, key })
    }
}

/// The token in the address of a hook. Anything at all, as [`Named`].
pub struct NamedToken(pub String);

impl<S: Send + Sync> FromRequestParts<S> for NamedToken {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let [token] = parts_of(parts, state, [&["token"]]).await?;
        Ok(Self(token))
    }
}

/// A path for the log: of the address of a hook the token is left out.
pub fn without_token(path: &str) -> &str {
    let token = path.find("/orbh_").or_else(|| path.find("/hooks/git/").map(|at| at + 10));
    let token = token.or_else(|| path.find("/hooks/deploy/").map(|at| at + 13));
    token.map_or(path, |at| &path[..=at])
}

/// Two deployments. Anything at all, as [`Named`].
pub struct NamedPair {
    pub id: String,
    pub other: String,
}

impl<S: Send + Sync> FromRequestParts<S> for NamedPair {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let [id, other] = parts_of(parts, state, [&["id"], &["other"]]).await?;
        Ok(Self { id, other })
    }
}

/// Something of a project: what the path names the project by, and the id within it.
pub struct NamedIn {
    pub project: String,
    pub id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for NamedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let [project, id] = parts_of(parts, state, [&["project"], &["id"]]).await?;
        Ok(Self { project, id })
    }
}

/// A delivery of a webhook. Anything at all, as [`Named`].
pub struct NamedDelivery {
    pub webhook: String,
    pub delivery: String,
}

impl<S: Send + Sync> FromRequestParts<S> for NamedDelivery {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let [webhook, delivery] = parts_of(parts, state, [&["id"], &["delivery"]]).await?;
        Ok(Self { webhook, delivery })
    }
}

/// The first part of the path with one of these names, for each of them.
async fn parts_of<S: Send + Sync, const N: usize>(
    parts: &mut Parts,
    state: &S,
    names: [&[&str]; N],
) -> Result<[String; N], Response> {
    let not_found = || ApiError::no_route().into_response();
    let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| not_found())?;
    let find = |names: &[&str]| params.iter().find(|(name, _)| names.contains(name));
    if names.iter().any(|names| find(names).is_none()) {
        return Err(not_found());
    }
    Ok(names.map(|names| find(names).map(|(_, value)| value.to_owned()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::without_token;

    #[test]
    fn no_token_is_in_a_path_for_the_log() {
        for (path, logged) in [
            ("/api/v1/hooks/git/orbh_0123", "/api/v1/hooks/git/"),
            ("/hooks/deploy/orbh_0123/x", "/hooks/deploy/"),
            ("/v1/hooks/git/another", "/v1/hooks/git/"),
            ("/hooks/orbh_0123", "/hooks/"),
            ("/projects/web/hooks", "/projects/web/hooks"),
        ] {
            assert_eq!(without_token(path), logged);
        }
    }
}
