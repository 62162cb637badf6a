//! The error envelope. An error travels through the middleware as a value and is written once, at the
//! outermost place, where the request's id and the wanted format are known.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::error_view::{Details, ErrorBodyView, ErrorView, ParseErrorView, ProblemView};
use super::respond;
use crate::app::AppError;
use crate::app::rates::Standing;
use crate::app::terms::Settled;
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;
use crate::web::error;

/// Most entries of one kind of problem that are listed; a request of 1 MiB could hold 100,000.
const LISTED: usize = 100;

/// An answer that is an error.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Box<Details>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log only.
    cause: Option<Box<str>>,
    /// Not an error at all: the answer a repeated request had before.
    replay: Option<Box<Settled>>,
}

impl ApiError {
    fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        details: Value,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Box::new(Details::Values(details)),
            headers: Vec::new(),
            cause: None,
            replay: None,
        }
    }

    fn header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// No such route.
    pub fn no_route() -> Self {
        let details = json!({ "resource": "route" });
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such route.", details)
    }

    /// The route has no such method.
    pub fn method(allowed: &[&'static str], header: HeaderValue) -> Self {
        let message = format!("This method is not allowed here. Allowed: {}.", allowed.join(", "));
        let details = json!({ "allowed": allowed });
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message, details)
            .header(ALLOW, header)
    }

    /// The body is larger than `limit` bytes.
    pub fn too_large(limit: u64) -> Self {
        let message = format!("The body may have at most {limit} bytes.");
        let details = json!({ "limit_bytes": limit });
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message, details)
    }

    /// The body is none of what is taken here.
    pub fn other_media_type(message: &str, supported: &[&str]) -> Self {
        let details = json!({ "supported": supported });
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message, details)
    }

    /// The body cannot be read as a JSON object.
    pub fn json(message: impl Into<String>, line: usize, column: usize) -> Self {
        let details = Details::ParseError { parse_error: ParseErrorView { line, column } };
        Self {
            details: Box::new(details),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_request", message, json!({}))
        }
    }

    /// The handler took too long.
    pub fn timeout() -> Self {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let message = "The server took too long to answer. Try again.";
        Self::new(unavailable, "service_unavailable", message, json!({ "reason": "timeout" }))
            .header(RETRY_AFTER, 5)
    }

    /// As many requests were made as are answered in a window.
    pub fn rate_limited(standing: &Standing, now: Timestamp) -> Self {
        let wait = standing.seconds_left(now).max(1);
        let message = format!("Too many requests. Try again in {wait} s.");
        let details = json!({
            "limit": standing.limit, "window_seconds": standing.window.as_secs(),
            "retry_after_seconds": wait, "reset_at": standing.resets_at,
            "violated_policies": [standing.policy],
        });
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message, details)
            .header(RETRY_AFTER, wait)
    }

    /// One key holds as many streams as it may.
    pub fn too_many_streams(limit: usize) -> Self {
        let wait = 5;
        let message = format!("This key has {limit} open streams. Close one and try again.");
        let details = json!({ "limit": limit, "retry_after_seconds": wait, "violated_policies": ["streams"] });
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message, details)
            .header(RETRY_AFTER, wait)
    }

    /// A defect; `cause` goes to the log.
    pub fn internal(cause: impl Into<String>) -> Self {
        let failed = StatusCode::INTERNAL_SERVER_ERROR;
        let message = "An unexpected error occurred.";
        Self {
            cause: Some(cause.into().into_boxed_str()),
            ..Self::new(failed, "internal_error", message, json!({}))
        }
    }

    /// The reason among the details; empty when there is none.
    pub fn reason(&self) -> String {
        match &*self.details {
            Details::Values(details) => details["reason"].as_str().unwrap_or_default().to_owned(),
            _ => String::new(),
        }
    }

    /// What happened, for the log; only of defects.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The body: the envelope, or with `problem` (the URL of this server) the form of RFC 9457.
    pub fn body(&self, request_id: &str, problem: Option<&str>) -> String {
        let details = match &self.cause {
            Some(_) => Details::Values(json!({ "request_id": request_id })),
            None => (*self.details).clone(),
        };
        let message = self.message.clone();
        let error = ErrorBodyView { code: self.code, message: message.clone(), details };
        match problem {
            None => serde_json::to_string(&ErrorView { error }),
            Some(server) => serde_json::to_string(&ProblemView {
                kind: format!("{server}/docs/errors/{}", self.code),
                title: title(self.code),
                status: self.status.as_u16(),
                detail: message,
                instance: request_id.to_owned(),
                error,
            }),
        }
        // Texts and numbers, which can always be written.
        .unwrap_or_default()
    }
}

/// `Invalid request` for `invalid_request`.
fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

fn problem_details(mut problems: Problems) -> Details {
    problems.missing_fields.truncate(LISTED);
    problems.invalid_fields.truncate(LISTED);
    problems.unknown_fields.truncate(LISTED);
    problems.unknown_params.truncate(LISTED);
    Details::Problems(Box::new(problems))
}

/// Adds the reason to what else there is to say.
fn with_reason(reason: &str, mut details: Value) -> Value {
    if let Value::Object(map) = &mut details {
        map.insert("reason".to_owned(), reason.into());
    }
    details
}

impl From<AppError> for ApiError {
    fn from(error: AppError) -> Self {
        let status = error::status(&error);
        let message = error.to_string();
        match error {
            AppError::Invalid(problems) => {
                let details = Box::new(problem_details(problems));
                Self { details, ..Self::new(status, "invalid_request", message, json!({})) }
            }
            AppError::NotFound { resource, id } => {
                let message = format!("This {} was not found.", resource.replace('_', " "));
                Self::new(status, "not_found", message, json!({ "resource": resource, "id": id }))
            }
            AppError::Forbidden { reason, details, .. } => {
                Self::new(status, "forbidden", message, with_reason(reason, details))
            }
            AppError::Unauthorized { reason, .. } => {
                // RFC 6750 §3.1: no error code when no credentials were sent.
                let challenge = if reason == "missing_credentials" {
                    "Bearer realm=\"orbitra\""
                } else {
                    "Bearer realm=\"orbitra\", error=\"invalid_token\""
                };
                Self::new(status, "unauthorized", message, json!({ "reason": reason }))
                    .header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
            }
            AppError::Conflict { reason, details, .. } => {
                let error = Self::new(status, "conflict", message, with_reason(reason, details));
                if reason == "idempotency_key_in_use" {
                    return error.header(RETRY_AFTER, 1);
                }
                error
            }
            AppError::PreconditionFailed { revision } => {
                let details = json!({ "current_etag": format!("\"{revision}\"") });
                Self::new(status, "precondition_failed", message, details)
            }
            AppError::Unprocessable => {
                let details = json!({ "reason": "idempotency_key_reused" });
                Self::new(status, "unprocessable", message, details)
            }
            AppError::Replay(settled) => Self {
                replay: Some(Box::new(settled)),
                ..Self::new(status, "", message, json!({}))
            },
            AppError::TooMany { retry_after_seconds } => {
                let details = json!({ "retry_after_seconds": retry_after_seconds });
                Self::new(status, "rate_limit_exceeded", message, details)
                    .header(RETRY_AFTER, retry_after_seconds)
            }
            AppError::Unavailable { reason, .. } => {
                Self::new(status, "service_unavailable", message, json!({ "reason": reason }))
                    .header(RETRY_AFTER, 10)
            }
            AppError::Internal(cause) => Self::internal(cause),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Some(settled) = &self.replay {
            return respond::replayed(settled);
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers.iter().cloned());
        response.extensions_mut().insert(self);
        response
    }
}
