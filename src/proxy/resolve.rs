//! From a host name to what answers.

use std::sync::Arc;
use std::time::Duration;

use http::Request;

use super::error_page::Problem;
use super::host;
use super::wake::{HOLD, Held};
use crate::routing::hold::Hold;
use crate::routing::policy::Policy;
use crate::routing::requests::Application;
use crate::routing::table::{Asleep, Kept, Redirect, Route, Routes, StaticSite};
use crate::routing::upstream::Guard;

/// Pause before a table is read again that named a retired upstream.
const PAUSE: Duration = Duration::from_millis(10);
/// Pause before a deployment that still sleeps is asked for once more.
const REMIND: Duration = Duration::from_secs(5);

/// What answers a request, and is told so: an upstream counts it from here on.
#[derive(Debug)]
pub struct Target {
    /// Who answers.
    pub answerer: Answerer,
    /// Whether search engines are told to leave the answer alone.
    pub noindex: bool,
    /// Whose request it is.
    pub application: Option<Arc<Application>>,
    /// What its project has set for its visitors.
    pub policy: Option<Arc<Policy>>,
    /// Who answers for hashed files that the answerer does not have.
    pub kept: Option<Arc<[Kept]>>,
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
#[derive(Clone, Debug)]
pub enum Miss {
    /// The proxy says why itself.
    Problem(Problem),
    /// The upstream was retired while the table was read; a newer table names another.
    Retired,
    /// The deployment sleeps.
    Asleep {
        /// Which one.
        asleep: Asleep,
        /// Whether the URL is one that search engines are to leave alone.
        noindex: bool,
    },
    /// One deployment stops and another starts; the request is to wait.
    Held(Arc<Hold>),
    /// Another host answers.
    Redirect(Arc<Redirect>),
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
        Route::Asleep(asleep) => {
            return Err(Miss::Asleep { asleep: asleep.clone(), noindex: entry.noindex });
        }
        Route::Held(hold) => return Err(Miss::Held(Arc::clone(hold))),
        Route::Redirect(redirect) => return Err(Miss::Redirect(Arc::clone(redirect))),
        Route::Notice(notice) => return Err(Miss::Problem(Problem::Notice(*notice))),
    };
    let (application, kept) = (entry.application.clone(), entry.kept.clone());
    let policy = entry.policy.clone();
    Ok(Target { answerer, noindex: entry.noindex, application, policy, kept })
}

/// What was set for the visitors of a request's host, where nothing answers at once.
pub fn policy<B>(routes: &Routes, request: &Request<B>) -> Option<Arc<Policy>> {
    let host = host::of(request).ok()?;
    routes.load().get(&host)?.policy.clone()
}

/// Resolves a request's host until something answers: a retired upstream has a successor in the
/// next table, a sleeping deployment is woken and waited for, and so is one that stops for another.
///
/// # Errors
///
/// Nothing came in time, or nothing ever will.
pub async fn again<B>(routes: &Routes, request: &Request<B>) -> Result<Target, Problem> {
    let mut changes = routes.changes();
    let begin = tokio::time::Instant::now();
    let mut held: Option<Held> = None;
    let mut place = None;
    loop {
        let host = host::of(request).map_err(|_| Problem::BadRequest)?;
        let pause = match resolve(routes, &host) {
            Ok(target) => return Ok(target),
            Err(Miss::Problem(problem)) => return Err(problem),
            // Whoever has taken over publishes what this one waits for.
            Err(_) if routes.successor().is_some() => return Err(Problem::Elsewhere),
            // It was changed just now; the next request is told.
            Err(Miss::Redirect(_)) => return Err(Problem::Unavailable),
            // The successor is published already, or in a moment.
            Err(Miss::Retired) => PAUSE,
            Err(Miss::Asleep { asleep, .. }) => {
                match held.as_ref().filter(|held| held.is_for(&asleep)) {
                    Some(held) => held.check()?,
                    None => held = Some(Held::begin(routes, request, &asleep)?),
                }
                REMIND
            }
            Err(Miss::Held(hold)) => {
                if place.is_none() {
                    place = Some(hold.enter().ok_or(Problem::Unavailable)?);
                }
                HOLD
            }
        };
        let (limit, late) = held.as_ref().map_or((HOLD, Problem::Unavailable), Held::limit);
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(pause) => {
                if let Some(held) = &held {
                    held.ask_again(routes);
                }
            }
            () = tokio::time::sleep_until(begin + limit) => return Err(late),
        }
    }
}
