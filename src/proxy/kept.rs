//! Hashed files of deployments that were replaced a short time ago. A page that a visitor has open asks for the files it
//! was made with, which the new deployment does not have.

use std::rc::Rc;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};

use super::body::Body;
use super::client::Client;
use super::core::Core;
use super::error_page::Problem;
use super::handler::from_upstream;
use super::reference::Reference;
use super::request_body::RequestBody;
use super::static_site;
use crate::clock::Clock;
use crate::routing::table::{Kept, Route};

/// The head of a request that may be asked of another deployment: it reads a file whose name changes with its content.
pub fn copy<B>(request: &Request<B>) -> Option<Request<()>> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || !static_site::is_hashed(request.uri().path()) {
        return None;
    }
    let mut copy = Request::new(());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// Whether the live deployment does not have what was asked for.
pub fn is_missing(answered: &Result<Response<Body>, Problem>) -> bool {
    match answered {
        Ok(response) => response.status() == StatusCode::NOT_FOUND,
        Err(problem) => *problem == Problem::NoSuchFile,
    }
}

/// Asks the deployments before, the last one first. None is woken for it.
pub async fn answer(
    core: &Rc<Core>,
    client: &Rc<Client>,
    asked: Request<()>,
    kept: &[Kept],
    reference: Reference,
) -> Option<Response<Body>> {
    let now = Clock::System.now();
    for kept in kept.iter().filter(|kept| now < kept.until) {
        let copy = asked.clone();
        let answered = match &kept.route {
            Route::Static(site) => static_site::answer(Arc::clone(site), copy).await,
            Route::Upstream(upstream) => {
                let Some(guard) = upstream.acquire() else { continue };
                let (parts, ()) = copy.into_parts();
                from_upstream(core, client, guard, parts, RequestBody::empty(), reference).await
            }
            Route::Asleep(_) | Route::Held(_) | Route::Notice(_) | Route::Redirect(_) => continue,
        };
        if let Ok(response) = answered
            && is_the_file(&response)
        {
            return Some(response);
        }
    }
    None
}

/// A page in the place of a missing file is not what was asked for.
fn is_the_file(response: &Response<Body>) -> bool {
    let page = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/html"));
    let status = response.status();
    (status.is_success() || status == StatusCode::NOT_MODIFIED) && !page
}
