//! The proxy's own answers: small pages that tell a visitor what is the matter and the owner
//! where to look, and nothing about the inside.

use askama::Template;
use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::body::Body;
use super::headers::{X_REQUEST_ID, X_ROBOTS_TAG};
use super::reference::Reference;
use crate::routing::table::Notice;

const REFRESH: HeaderName = HeaderName::from_static("refresh");

/// Why the proxy answers instead of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The request cannot be understood.
    BadRequest,
    /// The head is longer than the proxy takes.
    HeadTooLarge,
    /// The method is one the proxy does not pass on (CONNECT, TRACE and their like).
    MethodRefused,
    /// The method is not one for files.
    MethodNotForFiles,
    /// The connection was made for another host.
    Misdirected,
    /// No route has this host.
    UnknownHost,
    /// The file does not exist.
    NoSuchFile,
    /// A route without anything that answers.
    Notice(Notice),
    /// The deployment sleeps, and the request is not one that wakes it.
    Asleep,
    /// The deployment is on its way and has not answered in time.
    Waking {
        /// Somebody looks at a page, which loads itself again.
        page: bool,
    },
    /// The upstream is being replaced, and nothing has taken its place in time.
    Unavailable,
    /// The process that has taken over answers. Shown only when that one is gone.
    Elsewhere,
    /// The upstream has as many requests as it may have.
    Busy,
    /// The upstream refused, ended early or made no sense.
    NoAnswer,
    /// The upstream took too long.
    TooSlow,
    /// The visitor's address is not let in.
    NotAdmitted,
    /// Only who is signed in to the dashboard is let in.
    SignIn,
    /// The owner works on the site.
    Maintenance,
    /// The request's content is larger than the project wants it.
    BodyTooLarge,
    /// The request has been here before.
    Loop,
    /// The control plane failed.
    Internal,
}

/// What is said of a problem.
pub(super) struct Text {
    pub status: StatusCode,
    code: &'static str,
    pub headline: &'static str,
    pub message: &'static str,
    hint: &'static str,
    /// Seconds.
    retry_after: Option<u16>,
}

impl Problem {
    #[rustfmt::skip]
    pub(super) fn text(self) -> Text {
        use StatusCode as S;
        let (status, code, headline, message) = match self {
            Self::BadRequest => (S::BAD_REQUEST, "bad_request", "Bad request", "The request could not be understood."),
            Self::HeadTooLarge => (S::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", "Request too large", "The address or the header fields of the request are too long."),
            Self::MethodRefused => (S::NOT_IMPLEMENTED, "method_refused", "Not supported", "This request method is not supported here."),
            Self::MethodNotForFiles => (S::METHOD_NOT_ALLOWED, "method_not_allowed", "Not allowed", "This page can only be read."),
            Self::Misdirected => (S::MISDIRECTED_REQUEST, "misdirected", "Wrong connection", "This connection was made for another site. Try again."),
            Self::UnknownHost => (S::NOT_FOUND, "host_not_found", "Nothing here", "No site is set up for this address."),
            Self::NoSuchFile => (S::NOT_FOUND, "not_found", "Page not found", "This page does not exist."),
            Self::Notice(Notice::NotReady) => (S::SERVICE_UNAVAILABLE, "not_ready", "Not ready yet", "This site is being set up."),
            Self::Notice(Notice::Building) => (S::SERVICE_UNAVAILABLE, "building", "Not ready yet", "This site is being built."),
            Self::Notice(Notice::Failed) => (S::SERVICE_UNAVAILABLE, "deployment_failed", "Not available", "This version of the site did not start."),
            Self::Notice(Notice::Stopped) => (S::SERVICE_UNAVAILABLE, "deployment_stopped", "Stopped", "This version of the site has been stopped."),
            Self::Notice(Notice::Paused) => (S::SERVICE_UNAVAILABLE, "deployment_paused", "Paused", "The owner has paused this site."),
            Self::Notice(Notice::Removed) => (S::GONE, "deployment_removed", "Gone", "This version of the site has been removed."),
            Self::Asleep => (S::SERVICE_UNAVAILABLE, "asleep", "Asleep", "This site sleeps until a visitor comes."),
            Self::Waking { .. } => (S::SERVICE_UNAVAILABLE, "waking", "Waking up", "This site was asleep. It answers in a few seconds."),
            Self::Unavailable | Self::Elsewhere => (S::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable", "Try again in a moment."),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy", "Too many visitors", "This site has more visitors than it can take. Try again in a moment."),
            Self::NoAnswer => (S::BAD_GATEWAY, "no_answer", "The site did not answer", "Try again in a moment."),
            Self::TooSlow => (S::GATEWAY_TIMEOUT, "too_slow", "The site took too long", "Try again in a moment."),
            Self::NotAdmitted => (S::FORBIDDEN, "not_admitted", "Not for everybody", "This site does not let visitors from your address in."),
            Self::SignIn => (S::UNAUTHORIZED, "sign_in_required", "Sign in to see this", "This site is for people who may see its project. Load the page again to sign in."),
            Self::Maintenance => (S::SERVICE_UNAVAILABLE, "maintenance", "Back soon", "This site is being worked on."),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large", "Too large", "What was sent is larger than this site takes."),
            Self::Loop => (S::LOOP_DETECTED, "loop", "Going round in circles", "The request came back to where it started."),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "Our fault", "The request could not be answered."),
        };
        let hint = match self {
            Self::UnknownHost => "Is this yours? Add the domain in Orbitra.",
            _ => "",
        };
        let retry_after = match self {
            Self::Notice(Notice::NotReady | Notice::Building) => Some(10),
            Self::Maintenance => Some(300),
            // A crawler that is early comes for nothing.
            Self::Asleep => Some(3600),
            Self::Unavailable | Self::Elsewhere | Self::Busy | Self::Waking { .. } => Some(3),
            _ => None,
        };
        Text { status, code, headline, message, hint, retry_after }
    }

    /// Whether what follows on the connection cannot be trusted to be a request.
    pub(super) fn closes(self) -> bool {
        matches!(
            self,
            Self::BadRequest | Self::HeadTooLarge | Self::MethodRefused | Self::BodyTooLarge
        )
    }
}

#[derive(Template)]
#[template(path = "proxy/problem.html")]
struct Page<'a> {
    headline: &'a str,
    message: &'a str,
    hint: &'a str,
    status: u16,
    reference: &'a str,
}

enum Form {
    Html,
    Json,
    Text,
}

/// The answer for a problem, in the form that the request's `Accept` asks for. `reference` is the
/// request's own.
pub fn answer(
    problem: Problem,
    accept: Option<&HeaderValue>,
    reference: Reference,
) -> Response<Body> {
    let text = problem.text();
    let (content_type, body) = match form(accept) {
        // A program that does not say what it reads reads this.
        Form::Text if problem == Problem::SignIn => ("application/json", json(&text, reference)),
        Form::Html => ("text/html; charset=utf-8", html(&text, reference)),
        Form::Json => ("application/json", json(&text, reference)),
        Form::Text => (
            "text/plain; charset=utf-8",
            format!("{}: {} ({})\n", text.headline, text.message, reference.as_str()),
        ),
    };
    let mut response = Response::new(Body::full(Bytes::from(body)));
    *response.status_mut() = text.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(CONTENT_SECURITY_POLICY, policy(reference));
    headers.insert(X_REQUEST_ID, reference.header());
    // Nothing here is worth finding, whoever's the host is.
    headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex"));
    if problem == (Problem::Waking { page: true }) {
        headers.insert(REFRESH, HeaderValue::from_static("3"));
    }
    if let Some(seconds) = text.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem == Problem::SignIn {
        // RFC 9110 wants a scheme named; browsers ask nobody for this one.
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Orbitra"));
    }
    if problem == Problem::MethodNotForFiles {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    if problem.closes() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether a request asks for HTML before anything else.
pub fn wants_html(headers: &HeaderMap) -> bool {
    matches!(form(headers.get(ACCEPT)), Form::Html)
}

fn json(text: &Text, reference: Reference) -> String {
    // Codes and messages are our own and hold nothing that needs escaping.
    format!(
        "{{\"error\":{{\"code\":\"{}\",\"message\":\"{}\",\"reference\":\"{}\"}}}}\n",
        text.code,
        text.message,
        reference.as_str()
    )
}

fn html(text: &Text, reference: Reference) -> String {
    let page = Page {
        headline: text.headline,
        message: text.message,
        hint: text.hint,
        status: text.status.as_u16(),
        reference: reference.as_str(),
    };
    page.render().unwrap_or_else(|_| format!("{}\n", text.headline))
}

/// Nothing may load but the page's own style, named by the reference, which is new every time.
fn policy(reference: Reference) -> HeaderValue {
    HeaderValue::try_from(format!(
        "default-src 'none'; style-src 'nonce-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        reference.as_str()
    ))
    .unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The form named first in `Accept`; text for whoever asks for neither of the two others.
fn form(accept: Option<&HeaderValue>) -> Form {
    if let Some(value) = accept {
        for item in value.as_bytes().split(|byte| *byte == b',') {
            let name = item.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case(b"text/html") {
                return Form::Html;
            }
            if name.eq_ignore_ascii_case(b"application/json")
                || name.to_ascii_lowercase().ends_with(b"+json")
            {
                return Form::Json;
            }
        }
    }
    Form::Text
}

#[cfg(test)]
mod tests;
