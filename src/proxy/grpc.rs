//! The proxy's own answers to gRPC clients: a status in the place of a page, as an answer without messages
//! (`Trailers-Only` of <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>). Clients of gRPC-Web read it the
//! same way (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>).

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::body::Body;
use super::error_page::Problem;
use super::headers::X_REQUEST_ID;
use super::reference::Reference;
use crate::routing::table::Notice;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// What a message has to encode, beside what is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// Which of the protocols a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Grpc,
    Web,
    WebText,
}

/// Why a call was not answered (<https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// The status that the proxy means, where the answer carries another one. Logs and figures go by it.
#[derive(Clone, Copy, Debug)]
struct Meant(StatusCode);

/// The protocol of a request, when it is a call. Costs next to nothing for requests that bring no content.
pub fn kind<B>(request: &Request<B>) -> Option<Kind> {
    if *request.method() != Method::POST {
        return None;
    }
    let value = request.headers().get(CONTENT_TYPE)?.as_bytes();
    let rest = value.get(..16).filter(|name| name.eq_ignore_ascii_case(b"application/grpc"));
    let rest = rest.map(|name| &value[name.len()..])?;
    let word = rest.split(|byte| matches!(byte, b'+' | b';' | b' ')).next().unwrap_or_default();
    match word.to_ascii_lowercase().as_slice() {
        b"" => Some(Kind::Grpc),
        b"-web" => Some(Kind::Web),
        b"-web-text" => Some(Kind::WebText),
        _ => None,
    }
}

/// The answer for a problem.
pub fn answer(problem: Problem, kind: Kind, reference: Reference) -> Response<Body> {
    let text = problem.text();
    let said = format!("{}: {} ({})", text.headline, text.message, reference.as_str());
    let said = utf8_percent_encode(&said, ENCODED).to_string();
    let mut response = Response::new(Body::full(Bytes::new()));
    response.extensions_mut().insert(Meant(text.status));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind.media_type()));
    headers.insert(GRPC_STATUS, HeaderValue::from(code(problem) as u16));
    if let Ok(said) = HeaderValue::try_from(said) {
        headers.insert(GRPC_MESSAGE, said);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_REQUEST_ID, reference.header());
    if problem.closes() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The status of an answer as logs and figures have it: a call that failed carries 200.
pub fn status(response: &Response<Body>) -> StatusCode {
    response.extensions().get::<Meant>().map_or(response.status(), |meant| meant.0)
}

impl Kind {
    fn media_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::Web => "application/grpc-web",
            Self::WebText => "application/grpc-web-text",
        }
    }
}

/// What a client would make of the page's status
/// (<https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>), where nothing says it more exactly.
fn code(problem: Problem) -> Code {
    match problem {
        Problem::BadRequest | Problem::Loop | Problem::Internal => Code::Internal,
        // It may have been carried out: who calls decides whether to call again.
        Problem::TooSlow => Code::DeadlineExceeded,
        Problem::Busy | Problem::HeadTooLarge | Problem::BodyTooLarge => Code::ResourceExhausted,
        Problem::UnknownHost
        | Problem::NoSuchFile
        | Problem::MethodRefused
        | Problem::MethodNotForFiles => Code::Unimplemented,
        Problem::Notice(Notice::Removed) => Code::NotFound,
        Problem::NotAdmitted => Code::PermissionDenied,
        Problem::SignIn => Code::Unauthenticated,
        Problem::Misdirected
        | Problem::Notice(_)
        | Problem::Asleep
        | Problem::Waking { .. }
        | Problem::Unavailable
        | Problem::Elsewhere
        | Problem::NoAnswer
        | Problem::Maintenance => Code::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_other_requests() {
        for (method, content_type, expected) in [
            (Method::POST, "application/grpc", Some(Kind::Grpc)),
            (Method::POST, "Application/gRPC+proto", Some(Kind::Grpc)),
            (Method::POST, "application/grpc; charset=utf-8", Some(Kind::Grpc)),
            (Method::POST, "application/grpc-web", Some(Kind::Web)),
            (Method::POST, "application/grpc-web+proto", Some(Kind::Web)),
            (Method::POST, "application/grpc-web-text+proto", Some(Kind::WebText)),
            (Method::POST, "application/grpcx", None),
            (Method::POST, "application/grpc-other", None),
            (Method::POST, "application/grp", None),
            (Method::POST, "application/json", None),
            (Method::GET, "application/grpc", None),
        ] {
            let request = Request::builder().method(&method).header(CONTENT_TYPE, content_type);
            assert_eq!(kind(&request.body(()).unwrap()), expected, "{method} {content_type}");
        }
        assert_eq!(kind(&Request::post("/").body(()).unwrap()), None);
    }
}
