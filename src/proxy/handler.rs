//! A visitor's request from its head to the head of its answer, phase by phase.

use std::rc::Rc;
use std::time::Instant;

use http::{HeaderValue, Request, Response, request};
use hyper::body::Incoming;

use super::access_log::Line;
use super::asked::Asked;
use super::body::{Body, Measured, UpstreamBody};
use super::client::Client;
use super::core::Core;
use super::error_page::Problem;
use super::forward::{self, Failure};
use super::headers::X_ROBOTS_TAG;
use super::reference::Reference;
use super::request_body::RequestBody;
use super::resolve::{self, Answerer, Miss, Target};
use super::{
    another, compress, grpc, headers, kept, policy, redirect, relay, static_site, upgrade, wake,
};
use crate::model::project::Protocol;
use crate::routing::upstream::Guard;

/// Answers a request whose method and framing were found to be acceptable; `found` is what the
/// table has for its host. What most requests do not need is in boxes: the rest is made anew for each.
pub async fn handle(
    core: Rc<Core>,
    client: Rc<Client>,
    mut request: Box<Request<Incoming>>,
    found: Result<Target, Miss>,
) -> Response<Body> {
    let (reference, started) = (core.references.next(), Instant::now());
    core.requests.update(|count| count + 1);
    client.limits.set(None);
    let asked = Asked::by(&request);
    let mut line = Line::begin(&core, &client, &request, (reference, started));
    let policy = match &found {
        Ok(target) => target.policy.clone(),
        Err(_) => resolve::policy(&core.routes, &request),
    };
    let mut measured = None;
    let mut set = None;
    if let Some(policy) = policy {
        let before = policy::before(&core, &client, &mut request, &policy, reference);
        match Box::pin(before).await {
            Ok(None) => {
                client.limits.set(Some(core.limits.with(&policy)));
                client.oversized.set(false);
                set = Some((policy, request.uri().path().to_owned(), compress::wanted(&request)));
            }
            Ok(Some(response)) => return logged(line, response),
            Err(problem) => return logged(line, asked.answer(problem, reference)),
        }
    }
    let own = match &found {
        Err(Miss::Asleep { noindex: true, .. }) => wake::robots(&request, reference),
        Err(Miss::Redirect(target)) => Some(redirect::answer(target, &request, reference)),
        _ => None,
    };
    let target = match found {
        Ok(target) => Ok(target),
        // What is not known here may be known by now to whoever has taken over.
        Err(Miss::Problem(_)) if core.routes.successor().is_some() => Err(Problem::Elsewhere),
        Err(Miss::Problem(problem)) => Err(problem),
        Err(_) if own.is_some() => Err(Problem::Asleep),
        Err(Miss::Retired | Miss::Asleep { .. } | Miss::Held(_) | Miss::Redirect(_)) => {
            Box::pin(resolve::again(&core.routes, &request)).await
        }
    };
    if matches!(target, Err(Problem::Elsewhere)) {
        return Box::pin(relay::answer(&core, &client, *request)).await;
    }
    if let Ok(Target { application: Some(application), .. }) = &target {
        line = Line::list(line, application, &core, &client, &request, (reference, started));
        measured = Some(Measured::begin(application, core.number, started));
    }
    let answered = match target {
        Ok(target) => answer(&core, &client, request, target, reference).await,
        Err(problem) => own.ok_or(problem),
    };
    let answered = match answered {
        Err(_) if client.oversized.get() => Err(Problem::BodyTooLarge),
        answered => answered,
    };
    let mut response = answered.unwrap_or_else(|problem| asked.answer(problem, reference));
    if let Some((policy, path, coding)) = set {
        policy::add_fields(&policy.rules, &path, response.headers_mut());
        if policy.compress
            && let Some(coding) = coding
        {
            response = compress::answer(response, coding);
        }
    }
    let measured = measured.map(|measured| measured.answered(grpc::status(&response)));
    response.body_mut().measure(measured);
    logged(line, response)
}

/// The answer, whose line is written when it ends.
fn logged(line: Option<Box<Line>>, mut response: Response<Body>) -> Response<Body> {
    if let Some(line) = line {
        let line = line.answered(grpc::status(&response));
        response.body_mut().log(Some(line));
    }
    response
}

async fn answer(
    core: &Rc<Core>,
    client: &Rc<Client>,
    request: Box<Request<Incoming>>,
    target: Target,
    reference: Reference,
) -> Result<Response<Body>, Problem> {
    let max_body = target.policy.as_ref().and_then(|policy| policy.max_body);
    // Only where a switch was a short time ago, and only for what it may have taken away.
    let kept = target.kept.and_then(|kept| Some((kept, kept::copy(&request)?)));
    let mut answered = match target.answerer {
        Answerer::Static(site) => Box::pin(static_site::answer(site, *request)).await,
        // It is counted already.
        Answerer::Upstream(guard)
            if guard.upstream().in_flight() > core.options.requests_per_deployment =>
        {
            return Err(Problem::Busy);
        }
        Answerer::Upstream(guard)
            if guard.upstream().protocol() == Protocol::Http1 && upgrade::is_wanted(&request) =>
        {
            Box::pin(upgrade::answer(core, client, guard, *request, reference)).await
        }
        Answerer::Upstream(guard) => {
            let (mut parts, incoming) = (*request).into_parts();
            let body = match guard.upstream().protocol() {
                Protocol::Http1 => RequestBody::new(incoming, client, &core.limits_of(client)),
                Protocol::H2c => RequestBody::stream(incoming, client),
            };
            let body = body.at_most(max_body);
            from_upstream(core, client, guard, &mut parts, body, reference).await
        }
    };
    if let Some((kept, copy)) = kept.filter(|_| kept::is_missing(&answered))
        && let Some(found) = Box::pin(kept::answer(core, client, copy, &kept, reference)).await
    {
        answered = Ok(found);
    }
    let mut response = answered?;
    if target.noindex {
        response.headers_mut().insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex"));
    }
    Ok(response)
}

/// Sends a request to an application and answers what it answers.
///
/// # Errors
///
/// The page to show instead.
pub async fn from_upstream(
    core: &Rc<Core>,
    client: &Rc<Client>,
    mut guard: Guard,
    parts: &mut request::Parts,
    mut body: RequestBody,
    reference: Reference,
) -> Result<Response<Body>, Problem> {
    let authority = parts.uri.authority().cloned();
    if let Some(authority) = authority {
        // A target in absolute form replaces the field (RFC 9112 section 3.2.2).
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Problem::BadRequest)?;
        parts.headers.insert(http::header::HOST, host);
    }
    let added = headers::to_upstream(&mut parts.headers, client, reference, &core.via)?;
    // Who could not be reached. Empty, and without memory of its own, for nearly every request.
    let (mut tried, mut repeated) = (Vec::new(), false);
    let (mut head, answering) = loop {
        match forward::send(core, client, &guard, (parts, &added), body).await {
            Ok(answered) => break answered,
            Err(Failure::Connect(unsent)) => {
                let next = another::for_untouched(core, guard, parts, &mut tried);
                guard = Box::pin(next).await?;
                body = unsent;
            }
            // Once: what takes one replica down must not take them all down.
            Err(Failure::Broken { repeatable: true }) if !repeated => {
                repeated = true;
                let next = another::replica(&guard, &mut tried);
                guard = next.ok_or_else(|| failed(&guard, Problem::NoAnswer))?;
                body = RequestBody::empty();
            }
            Err(Failure::Broken { .. }) => return Err(failed(&guard, Problem::NoAnswer)),
            Err(Failure::TooSlow) => return Err(failed(&guard, Problem::TooSlow)),
            Err(Failure::Cut) => return Err(Problem::Unavailable),
        }
    };
    if head.status.is_server_error() {
        guard.upstream().tally().failure();
    }
    headers::to_client(head.status, &mut head.headers, reference)?;
    let body = UpstreamBody::new(answering, guard, client, core);
    Ok(head.into_response(Body::upstream(body)))
}

/// The upstream did not answer, and that counts.
fn failed(guard: &Guard, problem: Problem) -> Problem {
    guard.upstream().tally().failure();
    problem
}
