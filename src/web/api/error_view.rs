//! Errors as the API shows them: the envelope, and the form of RFC 9457.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::schema;
use crate::model::problems::Problems;

/// Every code, the status it comes with, and when.
pub const CODES: [(&str, u16, &str); 13] = [
    (
        "invalid_request",
        400,
        "Something is wrong with the request itself; `details` names all of it.",
    ),
    ("unauthorized", 401, "There is no key, or it is unknown, expired or revoked."),
    ("forbidden", 403, "The key or its owner may not do this."),
    ("not_found", 404, "There is no such thing, or the key does not see it."),
    (
        "method_not_allowed",
        405,
        "The path exists and has no such method; `Allow` lists those it has.",
    ),
    ("conflict", 409, "The request is valid and contradicts the present state."),
    ("precondition_failed", 412, "The thing has changed since the revision in `If-Match`."),
    ("payload_too_large", 413, "The body is larger than `details.limit_bytes`."),
    ("unsupported_media_type", 415, "The body is not what `details.supported` lists."),
    ("unprocessable", 422, "The `Idempotency-Key` was used for another request."),
    ("rate_limit_exceeded", 429, "Too many requests; wait as long as `Retry-After` says."),
    ("internal_error", 500, "A defect of the server; quote the request id when you report it."),
    (
        "service_unavailable",
        503,
        "The server cannot do this now; wait as long as `Retry-After` says.",
    ),
];

/// An error.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
#[serde(deny_unknown_fields)]
pub struct ErrorView {
    pub error: ErrorBodyView,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = ErrorBody)]
#[serde(deny_unknown_fields)]
pub struct ErrorBodyView {
    #[schema(value_type = ErrorCode)]
    pub code: &'static str,
    /// A sentence for people.
    #[schema(example = "Missing required fields: name, region.")]
    pub message: String,
    pub details: Details,
}

/// An error as problem details (RFC 9457), for who accepts `application/problem+json`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView {
    #[serde(rename = "type")]
    #[schema(format = "uri", example = "https://orbitra.example.com/docs/errors/invalid_request")]
    pub kind: String,
    #[schema(example = "Invalid request")]
    pub title: String,
    #[schema(example = 400)]
    pub status: u16,
    pub detail: String,
    /// The id of the request.
    #[schema(example = "req_3f8d0a6k2m9qhx4t")]
    pub instance: String,
    pub error: ErrorBodyView,
}

/// The kind of an error, in place of its code as text.
pub struct ErrorCode;

impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        let codes: Vec<_> = CODES.iter().map(|(code, ..)| *code).collect();
        schema::words(&codes).description(Some("The kind of an error.")).into()
    }
}

impl ToSchema for ErrorCode {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ErrorCode")
    }
}

/// What `details` holds.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Details {
    Values(Value),
    Problems(Box<Problems>),
    ParseError { parse_error: ParseErrorView },
}

impl PartialSchema for Details {
    fn schema() -> RefOr<Schema> {
        ErrorDetails::schema()
    }
}

impl ToSchema for Details {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ErrorDetails")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ErrorDetails::schemas(schemas);
    }
}

/// Where the body stops being JSON.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ParseError)]
pub struct ParseErrorView {
    #[schema(minimum = 1)]
    pub line: usize,
    #[schema(minimum = 1)]
    pub column: usize,
}

/// More about it, by kind; only what there is. Other keys may come.
#[derive(ToSchema)]
#[allow(dead_code)] // `Details` holds one kind of it at a time.
struct ErrorDetails {
    /// Required fields that are not there.
    #[schema(required = false)]
    missing_fields: Vec<String>,
    #[schema(required = false)]
    invalid_fields: Vec<InvalidField>,
    #[schema(required = false)]
    unknown_fields: Vec<UnknownField>,
    /// Query parameters that do not exist.
    #[schema(required = false)]
    unknown_params: Vec<String>,
    #[schema(required = false)]
    parse_error: ParseErrorView,
    /// Which case of 401, 403, 409, 422 or 503 it is, such as `missing_scope` or `name_taken`.
    #[schema(required = false, example = "name_taken")]
    reason: String,
    /// Scopes the key lacks.
    #[schema(required = false)]
    required_scopes: Vec<String>,
    /// What was not found.
    #[schema(required = false)]
    resource: String,
    /// The id that was not found, as it was sent, at most 64 characters of it.
    #[schema(required = false, max_length = 64)]
    id: String,
    /// Methods of the path.
    #[schema(required = false)]
    allowed: Vec<String>,
    #[schema(required = false)]
    limit_bytes: u64,
    /// Media types that are read.
    #[schema(required = false)]
    supported: Vec<String>,
    /// The entity tag the thing has now.
    #[schema(required = false)]
    current_etag: String,
    #[schema(required = false)]
    limit: u64,
    #[schema(required = false)]
    window_seconds: u64,
    #[schema(required = false)]
    retry_after_seconds: u64,
    #[schema(required = false, format = DateTime)]
    reset_at: String,
    #[schema(required = false)]
    violated_policies: Vec<String>,
    /// Of an internal error: the id to report it with.
    #[schema(required = false)]
    request_id: String,
}

/// A field whose value is not acceptable.
#[derive(ToSchema)]
#[allow(dead_code)] // The model's own struct is what is written.
struct InvalidField {
    /// Its name, with dots where it lies in an object.
    #[schema(example = "runtime.port")]
    field: String,
    #[schema(example = "out_of_range")]
    code: String,
    message: String,
    /// Every value that would be acceptable, where they are few.
    #[schema(required = false)]
    allowed: Vec<String>,
    /// A value that would be acceptable.
    #[schema(required = false)]
    suggestion: String,
}

/// A field that does not exist.
#[derive(ToSchema)]
#[allow(dead_code)] // The model's own struct is what is written.
struct UnknownField {
    #[schema(example = "giturl")]
    field: String,
    /// The field that was probably meant.
    #[schema(required = false, example = "git_url")]
    suggestion: String,
}
