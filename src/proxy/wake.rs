//! A request for a deployment that sleeps: who wakes it, who waits for it, and how long.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Response};

use super::body::Body;
use super::error_page::Problem;
use super::headers::{X_REQUEST_ID, X_ROBOTS_TAG};
use super::reference::Reference;
use crate::model::crawler::is_crawler;
use crate::routing::sleeper::{Place, Unwoken};
use crate::routing::table::{Asleep, Notice, Routes};

/// Longest time a request is held.
pub const HOLD: Duration = Duration::from_secs(30);
/// Longest time a page load is held: then the visitor is shown what is going on.
const PAGE: Duration = Duration::from_secs(3);
/// What crawlers are told of a URL that is not for them.
const NOT_FOR_ROBOTS: &str = "User-agent: *\nDisallow: /\n";
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// A request that is held until a deployment is awake.
#[derive(Debug)]
pub struct Held {
    place: Place,
    /// It loads a page for somebody who looks at it.
    page: bool,
}

impl Held {
    /// Lets a request wait, and asks for the deployment when nobody has.
    ///
    /// # Errors
    ///
    /// The request is not one that wakes, or too many wait.
    pub fn begin<B>(
        routes: &Routes,
        request: &Request<B>,
        asleep: &Asleep,
    ) -> Result<Self, Problem> {
        if !asleep.for_all && looks_on_its_own(request) {
            return Err(Problem::Asleep);
        }
        let page = is_page_load(request);
        let place = asleep.sleeper.wait().ok_or(Problem::Waking { page })?;
        if place.asks() {
            routes.want(place.deployment());
        }
        Ok(Self { place, page })
    }

    /// Whether it waits for this one.
    pub fn is_for(&self, asleep: &Asleep) -> bool {
        self.place.is_for(&asleep.sleeper)
    }

    /// Asks once more: whatever has become of the first time, it is meant.
    pub fn ask_again(&self, routes: &Routes) {
        routes.want(self.place.deployment());
    }

    /// Whether there is still something to wait for.
    ///
    /// # Errors
    ///
    /// The deployment did not wake.
    pub fn check(&self) -> Result<(), Problem> {
        match self.place.failure() {
            None => Ok(()),
            Some(Unwoken::Broken) => Err(Problem::Notice(Notice::Failed)),
            Some(Unwoken::Unavailable) => Err(Problem::Unavailable),
        }
    }

    /// How long it waits, and what is said then.
    pub fn limit(&self) -> (Duration, Problem) {
        (if self.page { PAGE } else { HOLD }, Problem::Waking { page: self.page })
    }
}

/// Nobody waits for the answer: a look whether the site is there, or a known crawler.
fn looks_on_its_own<B>(request: &Request<B>) -> bool {
    let agents = request.headers().get_all(USER_AGENT);
    *request.method() == Method::HEAD || agents.iter().any(|agent| is_crawler(agent.as_bytes()))
}

/// Whether somebody opens a page in a browser. A script's request has another mode, and a program rarely asks for HTML.
fn is_page_load<B>(request: &Request<B>) -> bool {
    let fields = request.headers();
    let navigates = fields.get(SEC_FETCH_MODE).is_none_or(|mode| mode == "navigate");
    let html = |value: &HeaderValue| {
        let mut items = value.as_bytes().split(|byte| *byte == b',');
        items.any(|item| {
            let name = item.split(|byte| *byte == b';').next().unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"text/html")
        })
    };
    *request.method() == Method::GET && navigates && fields.get_all(ACCEPT).iter().any(html)
}

/// What the proxy answers itself for a deployment that sleeps and is not for crawlers: its `robots.txt`.
pub fn robots<B>(request: &Request<B>, reference: Reference) -> Option<Response<Body>> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || request.uri().path() != "/robots.txt" {
        return None;
    }
    let head = *request.method() == Method::HEAD;
    let text = if head { Bytes::new() } else { Bytes::from_static(NOT_FOR_ROBOTS.as_bytes()) };
    let mut response = Response::new(Body::full(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(NOT_FOR_ROBOTS.len()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex"));
    headers.insert(X_REQUEST_ID, reference.header());
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, fields: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn page_loads_are_told_from_other_requests() {
        let html = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        for (method, fields, is) in [
            (Method::GET, vec![html], true),
            (Method::GET, vec![html, ("sec-fetch-mode", "navigate")], true),
            (Method::GET, vec![("accept", "application/json, Text/HTML;q=0.5")], true),
            (Method::GET, vec![html, ("sec-fetch-mode", "cors")], false),
            (Method::POST, vec![html], false),
            (Method::GET, vec![("accept", "*/*")], false),
            (Method::GET, vec![], false),
        ] {
            assert_eq!(is_page_load(&request(method.clone(), &fields)), is, "{method} {fields:?}");
        }
    }
}
