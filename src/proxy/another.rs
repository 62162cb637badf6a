//! Who else can answer a request that its replica did not answer.

use std::sync::Arc;

use http::{Request, request};

use super::core::Core;
use super::error_page::Problem;
use super::host;
use super::resolve::{self, Answerer, Target};
use crate::routing::upstream::Guard;

/// Another replica of the same upstream. The one before is asked last for a moment, and for this request never again.
pub fn replica(before: &Guard, tried: &mut Vec<u64>) -> Option<Guard> {
    before.replica().fails();
    tried.push(before.replica().id());
    before.upstream().acquire_other(tried)
}

/// Who answers a request of which nothing was sent: another replica, or what was put in the place of an upstream that
/// went away. Of one whose container is gone the routes are asked as for a new request: it may be woken, or be
/// replaced in a moment.
///
/// # Errors
///
/// Nobody else is there, and that counts against the one before.
pub async fn for_untouched(
    core: &Core,
    before: Guard,
    parts: &request::Parts,
    tried: &mut Vec<u64>,
) -> Result<Guard, Problem> {
    let request = &Request::from_parts(parts.clone(), ());
    let other = replica(&before, tried);
    if let Some(guard) = other.or_else(|| successor(core, &before, request, tried)) {
        return Ok(guard);
    }
    let (upstream, is_gone) = (Arc::clone(before.upstream()), before.replica().is_gone());
    // Whoever waits for the end of its requests does not wait for this one.
    drop(before);
    let again = match is_gone {
        true => resolve::again(&core.routes, request).await.ok(),
        false => None,
    };
    if let Some(Target { answerer: Answerer::Upstream(guard), .. }) = again
        && let Some(guard) = fresh(guard, tried)
    {
        return Ok(guard);
    }
    upstream.tally().failure();
    Err(Problem::NoAnswer)
}

/// What answers for the request's host now, if that is another upstream than before.
fn successor<B>(core: &Core, before: &Guard, request: &Request<B>, tried: &[u64]) -> Option<Guard> {
    let host = host::of(request).ok()?;
    match resolve::resolve(&core.routes, &host).ok()?.answerer {
        Answerer::Upstream(guard) if guard.upstream().id() > before.upstream().id() => {
            fresh(guard, tried)
        }
        _ => None,
    }
}

/// The guard, or one of the same upstream for a replica that was not tried.
fn fresh(guard: Guard, tried: &[u64]) -> Option<Guard> {
    if tried.contains(&guard.replica().id()) {
        return guard.upstream().acquire_other(tried);
    }
    Some(guard)
}
