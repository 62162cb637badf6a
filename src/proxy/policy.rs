//! What a project has set for its visitors: who is let in, what is answered in the place of the application, and what is
//! added to its answers.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::body::Body;
use super::client::Client;
use super::core::Core;
use super::error_page::Problem;
use super::headers::X_REQUEST_ID;
use super::reference::Reference;
use super::sign_in;
use crate::crypto::{password, token};
use crate::model::proxy_settings::Login;
use crate::model::site_rules::{Outcome, SiteRules};
use crate::routing::policy::Policy;

/// Logins that are remembered as right, per thread.
const REMEMBERED: usize = 1024;
/// Passwords that are looked at at the same time, per thread: each takes 46 MiB and tens of milliseconds.
const CHECKING: usize = 2;
const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"Restricted\", charset=\"UTF-8\"");

/// Logins that were found to be right. One set a thread; no locks.
#[derive(Debug, Default)]
pub struct Logins {
    right: RefCell<HashSet<[u8; 32]>>,
    checking: Cell<usize>,
}

/// Answers what the application is not asked for; `None` when the request goes on.
///
/// # Errors
///
/// The page to show instead.
pub async fn before<B>(
    core: &Core,
    client: &Client,
    request: &mut Request<B>,
    policy: &Policy,
    reference: Reference,
) -> Result<Option<Response<Body>>, Problem> {
    if !policy.admits(client.visitor()) {
        return Err(Problem::NotAdmitted);
    }
    if policy.maintenance {
        return Err(Problem::Maintenance);
    }
    if let Some(wall) = &policy.wall
        && let Some(answer) = sign_in::before(core, wall, request, reference)?
    {
        return Ok(Some(answer));
    }
    if let Some(login) = &policy.login {
        if !core.logins.is_right(login, request.headers()).await? {
            return Ok(Some(ask_for_login(reference)));
        }
        // It is the proxy's, and the application's log is not the place for it.
        request.headers_mut().remove(AUTHORIZATION);
    }
    if let Some(limit) = policy.max_body
        && let Some(length) = request.headers().get(CONTENT_LENGTH)
        && length.to_str().ok().and_then(|text| text.parse::<u64>().ok()).is_some_and(|n| n > limit)
    {
        return Err(Problem::BodyTooLarge);
    }
    Ok(redirect(&policy.rules, request, reference))
}

/// Adds the fields that the project wants to an answer.
pub fn add_fields(rules: &SiteRules, path: &str, headers: &mut HeaderMap) {
    let mut named: Vec<&str> = Vec::new();
    for (name, value) in rules.fields(path) {
        let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
        let (Ok(field), Ok(value)) = parsed else { continue };
        // The first of a name takes the place of the application's own, further ones are added.
        if named.contains(&name) {
            headers.append(field, value);
        } else {
            headers.insert(field, value);
            named.push(name);
        }
    }
}

/// Where the project's rules lead a path to.
fn redirect<B>(
    rules: &SiteRules,
    request: &Request<B>,
    reference: Reference,
) -> Option<Response<Body>> {
    let path = request.uri().path().strip_prefix('/')?;
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let segments: Vec<_> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
    let outcome = rules.redirect(&segments, request.uri().query(), false);
    let Some(Outcome::Moved { status, location }) = outcome else { return None };
    let mut response = Response::new(Body::full(Bytes::new()));
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::try_from(location).ok()?);
    // It can be changed.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_REQUEST_ID, reference.header());
    Some(response)
}

fn ask_for_login(reference: Reference) -> Response<Body> {
    let text = Bytes::from_static(b"A name and a password are needed.\n");
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(WWW_AUTHENTICATE, CHALLENGE);
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_REQUEST_ID, reference.header());
    response
}

impl Logins {
    /// Whether a request carries this login.
    async fn is_right(&self, login: &Login, headers: &HeaderMap) -> Result<bool, Problem> {
        let Some(sent) = headers.get(AUTHORIZATION).and_then(credentials) else { return Ok(false) };
        // With the stored hash, so that a login that was changed is not remembered.
        let mark = token::hash(&format!("{}\n{sent}", login.hash));
        if self.right.borrow().contains(&mark) {
            return Ok(true);
        }
        let Some((user, password)) = sent.split_once(':') else { return Ok(false) };
        if self.checking.get() >= CHECKING {
            return Err(Problem::Unavailable);
        }
        let _place = Checking::enter(&self.checking);
        let (password, stored) = (password.to_owned(), login.hash.clone());
        let verifying = tokio::task::spawn_blocking(move || password::verify(&password, &stored));
        // The name is looked at afterwards: the time tells nothing of it.
        let right = verifying.await.unwrap_or(false) && token::same(user, &login.user);
        if right {
            let mut remembered = self.right.borrow_mut();
            if remembered.len() >= REMEMBERED {
                remembered.clear();
            }
            remembered.insert(mark);
        }
        Ok(right)
    }
}

struct Checking<'a>(&'a Cell<usize>);

impl<'a> Checking<'a> {
    fn enter(count: &'a Cell<usize>) -> Self {
        count.update(|count| count + 1);
        Self(count)
    }
}

impl Drop for Checking<'_> {
    fn drop(&mut self) {
        self.0.update(|count| count - 1);
    }
}

/// `user:password` out of a field (RFC 7617).
fn credentials(field: &HeaderValue) -> Option<String> {
    let (scheme, encoded) = field.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 2048 {
        return None;
    }
    String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()
}
