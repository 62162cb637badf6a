//! Pages instead of the one that was asked for. An error travels through the layers as a value and is
//! rendered once, at the outermost place, where it is known who is signed in and which request it was.

use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, StatusCode};
use tower_sessions::Session;

use super::visitor::{is_fragment, shell_of};
use super::{Pages, respond, welcome};
use crate::app::AppError;
use crate::app::recipients::LINK_PATH;
use crate::crypto::random;
use crate::model::ids::RequestId;
use crate::web::session::signed_in;
use crate::web::view::error::ErrorPage;
use crate::web::view::shell::Shell;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An answer that is an error page.
#[derive(Clone, Debug)]
pub struct PageError {
    status: StatusCode,
    /// Instead of the usual sentence of the status.
    text: Option<String>,
    wait_seconds: Option<u64>,
    /// For the log only.
    cause: Option<String>,
}

impl PageError {
    fn new(status: StatusCode) -> Self {
        Self { status, text: None, wait_seconds: None, cause: None }
    }

    fn said(status: StatusCode, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::new(status) }
    }

    /// There is no such page, or nobody may know of it.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND)
    }

    /// Refused, and why.
    pub fn forbidden(text: &str) -> Self {
        Self::said(StatusCode::FORBIDDEN, text)
    }

    /// Nobody is signed in, and this cannot wait until somebody is.
    pub fn signed_out() -> Self {
        Self::new(StatusCode::UNAUTHORIZED)
    }

    /// The form is too large.
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE)
    }

    /// What was sent is not a form.
    pub fn unsupported() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    }

    /// A defect; `cause` goes to the log.
    pub fn internal(cause: impl Into<String>) -> Self {
        let failed = StatusCode::INTERNAL_SERVER_ERROR;
        Self { cause: Some(cause.into()), ..Self::new(failed) }
    }
}

impl From<AppError> for PageError {
    fn from(error: AppError) -> Self {
        let message = error.to_string();
        match error {
            AppError::Invalid(_) => Self::said(StatusCode::UNPROCESSABLE_ENTITY, message),
            AppError::NotFound { .. } => Self::not_found(),
            AppError::Forbidden { .. } => Self::said(StatusCode::FORBIDDEN, message),
            AppError::Unauthorized { .. } => Self::signed_out(),
            AppError::PreconditionFailed { .. }
            | AppError::Unprocessable
            | AppError::Replay(_)
            | AppError::Conflict { .. } => Self::said(StatusCode::CONFLICT, message),
            AppError::TooMany { retry_after_seconds } => Self {
                wait_seconds: Some(retry_after_seconds),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS)
            },
            AppError::Unavailable { .. } => Self::said(StatusCode::SERVICE_UNAVAILABLE, message),
            AppError::Internal(cause) => Self::internal(cause),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// `GET` of anything that is not there.
pub async fn not_found() -> PageError {
    PageError::not_found()
}

/// A method a page does not have.
pub async fn method_not_allowed() -> PageError {
    PageError::new(StatusCode::METHOD_NOT_ALLOWED)
}

/// A path as it may stand in a log.
fn without_secret(path: &str) -> &str {
    let secret = [welcome::START, LINK_PATH];
    secret.into_iter().find(|start| path.starts_with(start)).unwrap_or(path)
}

/// Gives every request an id, and turns an error into a page with it.
pub async fn finish(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    let id = RequestId::from_random(random::bytes());
    let (method, path) =
        (request.method().clone(), without_secret(request.uri().path()).to_owned());
    let fragment = is_fragment(request.uri(), request.headers());
    let session = request.extensions().get::<Session>().cloned();
    // A panic is a defect of one request, not the end of the connection it came over.
    let mut response = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| PageError::internal("a handler panicked").into_response());
    if let Some(error) = response.extensions_mut().remove::<PageError>() {
        if let Some(cause) = &error.cause {
            tracing::error!(request = %id, %method, path, cause, "a page failed");
        }
        response = if fragment {
            error.status.into_response()
        } else {
            let shell = shell(&pages, session.as_ref()).await;
            page(&error, shell, id.as_str(), response)
        };
        if let Some(seconds) = error.wait_seconds {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
    }
    // An id is always acceptable in a header.
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The shell of an error page; the one for nobody when even that cannot be found out.
async fn shell(pages: &Pages, session: Option<&Session>) -> Shell {
    let Some(session) = session else { return Shell::default() };
    match signed_in(&pages.app, session).await {
        Ok(Some(signed_in)) => shell_of(&signed_in, 0),
        _ => Shell::default(),
    }
}

fn page(error: &PageError, shell: Shell, reference: &str, response: Response) -> Response {
    // A reference helps to find what is in the server's log, and only defects are.
    let reference = if error.cause.is_some() { reference } else { "" };
    let mut page = ErrorPage::new(shell, error.status.as_u16(), reference);
    if let Some(text) = &error.text {
        page.text.clone_from(text);
    }
    page.wait_seconds = error.wait_seconds;
    match respond::html_with(error.status, &page) {
        Ok(mut rendered) => {
            // A 405 lists the methods there are.
            for (name, value) in response.headers() {
                if *name == http::header::ALLOW {
                    rendered.headers_mut().insert(name, value.clone());
                }
            }
            rendered
        }
        Err(_) => response,
    }
}
