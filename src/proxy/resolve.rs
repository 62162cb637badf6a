//! From a host name to what answers.

use std::sync::Arc;
use std::time::Duration;

use http::Request;

use super::error_page::Problem;
use super::host;
use crate::routing::requests::Application;
use crate::routing::table::{Route, Routes, StaticSite};
use crate::routing::upstream::Guard;

/// Pause before a table is read again that named a retired upstream.
const PAUSE: Duration = Duration::from_millis(10);
/// Longest time a request is held for a deployment that wakes.
const HOLD: Duration = Duration::from_secs(30);

/// What answers a request, and is told so: an upstream counts it from here on.
#[derive(Debug)]
pub struct Target {
    /// Who answers.
    pub answerer: Answerer,
    /// Whether search engines are told to leave the answer alone.
    pub noindex: bool,
    /// Whose request it is.
    pub application: Option<Arc<Application>>,
}

/// Who answers a request.
#[derive(Debug)]
pub enum Answerer {
    /// A running application.
    Upstream(Guard),
    /// The proxy, from files.
    Static(Arc<StaticSite>),
}

/// Why nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The proxy says why itself.
    Problem(Problem),
    /// The upstream was retired while the table was read; a newer table names another.
    Retired,
    /// The deployment sleeps and was asked to wake.
    Asleep,
}

/// Looks a host name up in the newest table.
///
/// # Errors
///
/// See `Miss`.
pub fn resolve(routes: &Routes, host: &str) -> Result<Target, Miss> {
    let table = routes.load();
    let entry = table.get(host).ok_or(Miss::Problem(Problem::UnknownHost))?;
    let answerer = match &entry.route {
        Route::Upstream(upstream) => Answerer::Upstream(upstream.acquire().ok_or(Miss::Retired)?),
        Route::Static(site) => Answerer::Static(Arc::clone(site)),
        Route::Asleep(deployment) => {
            routes.want(deployment);
            return Err(Miss::Asleep);
        }
        Route::Notice(notice) => return Err(Miss::Problem(Problem::Notice(*notice))),
    };
    Ok(Target { answerer, noindex: entry.noindex, application: entry.application.clone() })
}

/// Resolves a request's host until something answers: a retired upstream has a successor in the
/// next table, a sleeping deployment is held for until it is awake.
///
/// # Errors
///
/// Nothing came in time, or nothing ever will.
pub async fn again<B>(routes: &Routes, request: &Request<B>) -> Result<Target, Problem> {
    let mut changes = routes.changes();
    let deadline = tokio::time::Instant::now() + HOLD;
    loop {
        let host = host::of(request).map_err(|_| Problem::BadRequest)?;
        let pause = match resolve(routes, &host) {
            Ok(target) => return Ok(target),
            Err(Miss::Problem(problem)) => return Err(problem),
            // The successor is published already, or in a moment.
            Err(Miss::Retired) => PAUSE,
            Err(Miss::Asleep) => HOLD,
        };
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(pause) => {}
            () = tokio::time::sleep_until(deadline) => return Err(Problem::Unavailable),
        }
    }
}
