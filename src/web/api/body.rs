//! Request bodies: one JSON object, read strictly. Reading happens in the handler, after the scope check.

use std::fmt;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::asked::Asked;
use super::error::ApiError;
use super::fields::Fields;
use super::guards::BODY_LIMIT;

/// A body that was not read yet.
pub struct JsonBody {
    asked: Asked,
    headers: HeaderMap,
    body: axum::body::Body,
}

impl<S: Sync> FromRequest<S> for JsonBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        Ok(Self { asked: Asked::read(&parts), headers: parts.headers, body })
    }
}

impl JsonBody {
    /// The fields of the object.
    ///
    /// # Errors
    /// Another media type, not JSON, or not an object.
    pub async fn fields(self) -> Result<Fields, ApiError> {
        check_media_type(&self.headers, JSON)?;
        let bytes = read(self.body).await?;
        Ok(Fields::new(self.asked, parse(&bytes)?))
    }

    /// The fields of an object that may be left out.
    ///
    /// # Errors
    /// As [`JsonBody::fields`], when there is a body.
    pub async fn optional_fields(self) -> Result<Fields, ApiError> {
        let bytes = read(self.body).await?;
        if bytes.is_empty() {
            return Ok(Fields::new(self.asked, Map::new()));
        }
        check_media_type(&self.headers, JSON)?;
        Ok(Fields::new(self.asked, parse(&bytes)?))
    }
}

async fn read(body: axum::body::Body) -> Result<Bytes, ApiError> {
    // The size was checked before; what fails here is a connection that broke.
    let bytes = axum::body::to_bytes(body, BODY_LIMIT).await;
    bytes.map_err(|_| ApiError::json("The body ended early.", 1, 1))
}

/// The whole body, when it has at most `limit` bytes.
///
/// # Errors
/// It has more, or the connection broke.
pub async fn read_up_to(body: axum::body::Body, limit: usize) -> Result<Bytes, ApiError> {
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        let source = std::error::Error::source(&error);
        if source.is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
            ApiError::too_large(limit as u64)
        } else {
            ApiError::json("The body ended early.", 1, 1)
        }
    })
}

/// What bodies are, but for a few.
const JSON: &[&str] = &["application/json"];

/// Refuses a body that is not JSON by its own account.
///
/// # Errors
/// `unsupported_media_type` with what is supported.
pub fn check_media_type(headers: &HeaderMap, supported: &[&str]) -> Result<(), ApiError> {
    let encoded = headers.get(CONTENT_ENCODING);
    if encoded.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let message = "Send the body without a content encoding.";
        return Err(ApiError::other_media_type(message, supported));
    }
    let Some(sent) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let kind = sent.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    let json = kind == "application/json"
        || kind.strip_prefix("application/").is_some_and(|rest| rest.ends_with("+json"));
    if json {
        return Ok(());
    }
    Err(ApiError::other_media_type("Send the body as application/json.", supported))
}

/// Reads an object.
///
/// # Errors
/// Not JSON, not an object, or one that has a key twice.
pub fn parse(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::json("The body is empty. Send a JSON object.", 1, 1));
    }
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(Strict(Value::Object(object))) => Ok(object),
        Ok(_) => Err(ApiError::json("The body must be a JSON object.", 1, 1)),
        Err(error) => {
            let (line, column) = (error.line().max(1), error.column().max(1));
            let text = error.to_string();
            let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
            let message =
                format!("The body is not valid JSON: {what} (line {line}, column {column}).");
            Err(ApiError::json(message, line, column))
        }
    }
}

/// A JSON value in which no object has a key twice: of two equal keys, two readers may take different ones.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Strict(Value::Array(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Strict, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                let key: String = key.chars().take(64).collect();
                return Err(A::Error::custom(format!("the key `{key}` occurs twice")));
            }
            let Strict(value) = entries.next_value()?;
            object.insert(key, value);
        }
        Ok(Strict(Value::Object(object)))
    }
}
