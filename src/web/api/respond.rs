//! Answers that are not errors.

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::conditional::Tag;
use super::error::ApiError;
use crate::app::terms::Settled;

/// What a handler gives back.
pub type Answer = Result<Response, ApiError>;

/// The content type of every body.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// An object or a list with status 200.
///
/// # Errors
/// The view cannot be written as JSON, which is a defect.
pub fn object(view: &impl Serialize) -> Answer {
    Ok(written(&Written::new(view)?))
}

/// An object whose changes are counted, with status 200.
///
/// # Errors
/// As [`object`].
pub fn revised(revision: i64, view: &impl Serialize) -> Answer {
    Ok(written(&Written::revised(view, Some(revision))?))
}

/// A new object and where it is, relative to the API's base path; as it is stored for a repetition.
pub fn created(path: &str, view: &impl Serialize) -> Settled {
    let location = ("location".to_owned(), format!("/api/v1{path}"));
    Settled { status: 201, headers: vec![location], body: json(view) }
}

/// A new object that has no URL of its own; as it is stored for a repetition.
pub fn made(view: &impl Serialize) -> Settled {
    Settled { status: 201, headers: Vec::new(), body: json(view) }
}

/// The object an action was done to, with status 200; as it is stored for a repetition.
pub fn done(view: &impl Serialize) -> Settled {
    Settled { status: 200, headers: Vec::new(), body: json(view) }
}

/// An object that something is about to happen to, with status 202 and where it is.
pub fn accepted(path: &str, view: &impl Serialize) -> Settled {
    Settled { status: 202, ..created(path, view) }
}

fn json(view: &impl Serialize) -> String {
    serde_json::to_string(view).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer cannot be written as JSON");
        "{}".to_owned()
    })
}

/// What is stored for a repetition, as it is sent.
pub fn settled(settled: &Settled) -> Response {
    let mut response = Response::new(Body::from(settled.body.clone()));
    *response.status_mut() = StatusCode::from_u16(settled.status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    for (name, value) in &settled.headers {
        // Made of identifiers, which are always acceptable in a header.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// An answer that was given before.
pub fn replayed(before: &Settled) -> Response {
    let mut response = settled(before);
    let replayed = HeaderName::from_static("idempotent-replayed");
    response.headers_mut().insert(replayed, HeaderValue::from_static("true"));
    response
}

/// Done, and nothing to say.
pub fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A body and its tag, to be sent more than once.
#[derive(Clone)]
pub struct Written {
    json: Bytes,
    tag: Tag,
}

impl Written {
    /// Bytes of the body.
    pub fn len(&self) -> usize {
        self.json.len()
    }

    /// The body.
    pub fn json(&self) -> Bytes {
        self.json.clone()
    }

    /// Writes a view.
    ///
    /// # Errors
    /// As [`object`].
    pub fn new(view: &impl Serialize) -> Result<Self, ApiError> {
        Self::revised(view, None)
    }

    fn revised(view: &impl Serialize, revision: Option<i64>) -> Result<Self, ApiError> {
        let json = serde_json::to_string(view);
        let json = json.map_err(|error| ApiError::internal(error.to_string()))?;
        Ok(Self { tag: Tag::new(&json, revision), json: json.into() })
    }
}

/// What was written before, with status 200.
pub fn written(written: &Written) -> Response {
    let mut response = Response::new(Body::from(written.json.clone()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.extensions_mut().insert(written.tag.clone());
    response.extensions_mut().insert(written.clone());
    response
}
