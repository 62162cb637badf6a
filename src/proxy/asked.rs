//! In which form a client wants to be told that something is the matter; taken from the request before it is handed on.

use http::header::ACCEPT;
use http::{HeaderValue, Request, Response};

use super::body::Body;
use super::error_page::{self, Problem};
use super::grpc;
use super::reference::Reference;

/// What a client reads.
#[derive(Clone, Debug)]
pub struct Asked {
    accept: Option<HeaderValue>,
    call: Option<grpc::Kind>,
}

impl Asked {
    /// As a request says it.
    pub fn by<B>(request: &Request<B>) -> Self {
        Self { accept: request.headers().get(ACCEPT).cloned(), call: grpc::kind(request) }
    }

    /// The answer for a problem. `reference` is the request's own.
    pub fn answer(&self, problem: Problem, reference: Reference) -> Response<Body> {
        match self.call {
            Some(kind) => grpc::answer(problem, kind, reference),
            None => error_page::answer(problem, self.accept.as_ref(), reference),
        }
    }
}
