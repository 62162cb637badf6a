//! A visitor's request from its head to the head of its answer, phase by phase.

use std::rc::Rc;

use http::header::ACCEPT;
use http::{HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;

use super::access_log::Line;
use super::body::{Body, UpstreamBody};
use super::client::Client;
use super::core::Core;
use super::error_page::{self, Problem};
use super::forward::{self, Failure};
use super::reference::Reference;
use super::request_body::RequestBody;
use super::resolve::{self, Answerer, Miss, Target};
use super::{headers, static_site, upgrade};
use crate::routing::upstream::Guard;

const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

/// Answers a request whose method and framing were found to be acceptable; `found` is what the
/// table has for its host.
pub async fn handle(
    core: Rc<Core>,
    client: Rc<Client>,
    request: Request<Incoming>,
    found: Result<Target, Miss>,
) -> Response<Body> {
    let reference = core.references.next();
    core.requests.update(|count| count + 1);
    let accept = request.headers().get(ACCEPT).cloned();
    let mut line = Line::begin(&core, &client, &request, reference);
    let target = match found {
        Ok(target) => Ok(target),
        Err(Miss::Problem(problem)) => Err(problem),
        Err(Miss::Retired | Miss::Asleep) => resolve::again(&core.routes, &request).await,
    };
    if let Ok(Target { application: Some(application), .. }) = &target {
        line = Line::list(line, application, &core, &client, &request, reference);
    }
    let answered = match target {
        Ok(target) => answer(&core, &client, request, target, reference).await,
        Err(problem) => Err(problem),
    };
    let mut response =
        answered.unwrap_or_else(|problem| error_page::answer(problem, accept.as_ref(), reference));
    if let Some(line) = line {
        let line = line.answered(response.status());
        response.body_mut().log(Some(line));
    }
    response
}

async fn answer(
    core: &Rc<Core>,
    client: &Rc<Client>,
    request: Request<Incoming>,
    target: Target,
    reference: Reference,
) -> Result<Response<Body>, Problem> {
    let mut response = match target.answerer {
        Answerer::Static(site) => static_site::answer(site, request).await?,
        Answerer::Upstream(guard) if upgrade::is_wanted(&request) => {
            upgrade::answer(core, client, guard, request, reference).await?
        }
        Answerer::Upstream(guard) => from_upstream(core, client, guard, request, reference).await?,
    };
    if target.noindex {
        response.headers_mut().insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex"));
    }
    Ok(response)
}

async fn from_upstream(
    core: &Rc<Core>,
    client: &Rc<Client>,
    mut guard: Guard,
    request: Request<Incoming>,
    reference: Reference,
) -> Result<Response<Body>, Problem> {
    let (mut parts, incoming) = request.into_parts();
    let authority = parts.uri.authority().cloned();
    if let Some(authority) = authority {
        // A target in absolute form replaces the field (RFC 9112 section 3.2.2).
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Problem::BadRequest)?;
        parts.headers.insert(http::header::HOST, host);
    }
    headers::to_upstream(&mut parts.headers, client, reference, &core.via)?;
    let body = RequestBody::new(incoming, client, core.limits.first_byte);
    let mut request = forward::request(parts, body);
    let (response, connection) = loop {
        match forward::send(core, client, &guard, request).await {
            Ok(answered) => break answered,
            Err(Failure::Connect(untouched)) => {
                // An upstream that went away may have been replaced in the meantime.
                guard = successor(core, &guard, &untouched).ok_or(Problem::NoAnswer)?;
                request = *untouched;
            }
            Err(Failure::Broken) => return Err(Problem::NoAnswer),
            Err(Failure::TooSlow) => return Err(Problem::TooSlow),
            Err(Failure::Cut) => return Err(Problem::Unavailable),
        }
    };
    let (mut parts, incoming) = response.into_parts();
    headers::to_client(parts.status, &mut parts.headers, reference)?;
    let body = UpstreamBody::new(incoming, Some(connection), guard, client, core);
    let mut response = Response::new(Body::upstream(body));
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    Ok(response)
}

/// What answers for the request's host now, if that is another upstream than before.
fn successor<B>(core: &Core, before: &Guard, request: &Request<B>) -> Option<Guard> {
    let host = super::host::of(request).ok()?;
    match resolve::resolve(&core.routes, &host).ok()?.answerer {
        Answerer::Upstream(guard) if guard.upstream().id() > before.upstream().id() => Some(guard),
        _ => None,
    }
}
