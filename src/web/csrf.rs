//! Requests that change something come from our own pages: the address of the page that sent them is
//! compared exactly (an application on a sub-domain is another one), and a token of the form besides.
//!
//! The token belongs to the session; before sign-in it belongs to a cookie of its own, so that a visitor
//! who only looks costs no row. In a page it is masked with random bytes each time: the compressed
//! length of two answers then tells nothing about it.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tower_sessions::Session;

use super::actor::origin;
use super::pages::{PageError, Pages, recipient, welcome};
use super::session::{cookie_name, signed_in};
use crate::app::App;
use crate::crypto::{random, token};

/// Most bytes of a form.
const BODY_LIMIT: usize = 1024 * 1024;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Pages whose forms are sent by people who are not signed in.
const OPEN: [&str; 2] = ["/login", "/setup"];

fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || welcome::is_here(path) || recipient::is_here(path)
}

/// The fields of a form that passed the checks.
#[derive(Clone, Debug, Default)]
pub struct Fields(Arc<Vec<(String, String)>>);

impl Fields {
    fn parse(body: &[u8]) -> Self {
        Self(Arc::new(url::form_urlencoded::parse(body).into_owned().collect()))
    }

    /// The value of a field; empty when it was not sent.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Whether a field was sent.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// All values of a field that can be sent more than once.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// The value without blanks around it.
    pub fn trimmed(&self, name: &str) -> &str {
        self.get(name).trim()
    }
}

impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| PageError::internal("no form"))
    }
}

/// Lets through what only reads, and forms of our own pages.
pub async fn guard(
    State(pages): State<Pages>,
    request: Request,
    next: Next,
) -> Result<Response, PageError> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    if !same_origin(&parts.headers, &parts.uri, pages.app.hosts.secure()) {
        return Err(PageError::forbidden(
            "The request did not come from a page of this server. Nothing was changed. If a proxy in front of Orbitra ends TLS, set `ORBITRA_PUBLIC_SCHEME` to `https`.",
        ));
    }
    if !is_form(&parts.headers) {
        return Err(PageError::unsupported());
    }
    let fields = Fields::parse(&read(body).await?);
    let session = parts.extensions.get::<Session>().cloned();
    let session = session.ok_or_else(|| PageError::internal("no session layer"))?;
    let mut actor = None;
    let secret = if is_open(parts.uri.path()) {
        form_secret(&pages.app, &parts.headers)
    } else {
        match signed_in(&pages.app, &session).await? {
            Some(signed_in) => {
                actor = Some(signed_in.actor);
                Some(signed_in.csrf)
            }
            None => return Err(PageError::signed_out()),
        }
    };
    if !secret.is_some_and(|secret| unmask(fields.get("csrf"), &secret)) {
        if let Some(mut actor) = actor {
            actor.origin = origin(&parts.extensions, &parts.headers);
            let route = format!("{} {}", parts.method, parts.uri.path());
            pages.app.note_refusal(&actor, route, "csrf");
        }
        return Err(PageError::forbidden(
            "This form is too old, or it belongs to another session. Nothing was changed. Go back, reload the page and send it again.",
        ));
    }
    parts.extensions.insert(fields);
    Ok(next.run(Request::from_parts(parts, Body::empty())).await)
}

async fn read(body: Body) -> Result<axum::body::Bytes, PageError> {
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(PageError::too_large());
    }
    axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|_| PageError::too_large())
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = only(headers, &CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The value of a header that was sent exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut sent = headers.get_all(name).iter();
    let first = sent.next()?.to_str().ok()?;
    sent.next().is_none().then_some(first)
}

/// Whether the request was sent by a page of the very address it was sent to. Every browser says so in
/// `Origin` when it sends a form; a request without it comes from something else.
fn same_origin(headers: &HeaderMap, uri: &Uri, secure: bool) -> bool {
    if headers.contains_key(SEC_FETCH_SITE) && only(headers, &SEC_FETCH_SITE) != Some("same-origin")
    {
        return false;
    }
    let host = uri.authority().map(|authority| authority.as_str()).or_else(|| only(headers, &HOST));
    let (Some(origin), Some(host)) = (only(headers, &ORIGIN), host) else { return false };
    let is = |scheme: &str, port: &str| {
        let host = host.strip_suffix(port).unwrap_or(host);
        origin.eq_ignore_ascii_case(&format!("{scheme}://{host}"))
    };
    if secure { is("https", ":443") || local(host) && is("http", ":80") } else { is("http", ":80") }
}

/// Whether a host is this machine, which is reached without TLS whatever the public address is.
pub fn local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "::1")
}

// ---- Tokens ----

/// A token as it stands in a form: random bytes, and the secret under them.
pub fn mask(secret: &str) -> String {
    let pad = random::bytes::<32>();
    let secret = token::unhex(secret).unwrap_or_default();
    let masked: Vec<u8> = pad.iter().zip(&secret).map(|(pad, byte)| pad ^ byte).collect();
    format!("{}{}", token::hex(&pad), token::hex(&masked))
}

fn unmask(sent: &str, secret: &str) -> bool {
    if sent.len() != 128 {
        return false;
    }
    let Some(bytes) = token::unhex(sent) else { return false };
    let (pad, masked) = bytes.split_at(32);
    let found: Vec<u8> = pad.iter().zip(masked).map(|(pad, byte)| pad ^ byte).collect();
    token::same(&token::hex(&found), secret)
}

// ---- Before sign-in ----

fn form_cookie(app: &App) -> String {
    cookie_name(app, "orbitra-form")
}

/// The secret of somebody who is not signed in.
fn form_secret(app: &App, headers: &HeaderMap) -> Option<String> {
    let name = form_cookie(app);
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
        .filter(|value| value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A token for a form of somebody who is not signed in, and the cookie to set when there was none.
pub fn anonymous_token(app: &App, headers: &HeaderMap) -> (String, Option<HeaderValue>) {
    if let Some(secret) = form_secret(app, headers) {
        return (mask(&secret), None);
    }
    let secret = token::new_opaque();
    let secure = if app.hosts.secure() { "; Secure" } else { "" };
    // Lax: a strict one would be missing, and made anew, when a link from elsewhere leads here.
    let cookie = format!("{}={secret}; HttpOnly; SameSite=Lax; Path=/{secure}", form_cookie(app));
    (mask(&secret), HeaderValue::try_from(cookie).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(host: &str, sent: &[(&'static str, &str)], secure: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        same_origin(&headers, &Uri::from_static("/login"), secure)
    }

    #[test]
    fn only_the_page_s_own_address_may_send() {
        for (host, origin, secure, passes) in [
            ("localhost:8080", "http://localhost:8080", false, true),
            ("203.0.113.7:8080", "http://203.0.113.7:8080", false, true),
            ("[::1]:8080", "http://[::1]:8080", false, true),
            ("orbitra.test", "https://orbitra.test", true, true),
            ("Orbitra.test:443", "https://orbitra.test", true, true),
            ("localhost:8080", "http://localhost:8080", true, true),
            ("localhost.evil.test:8080", "http://localhost.evil.test:8080", true, false),
            ("orbitra.test", "http://orbitra.test", true, false),
            ("orbitra.test", "https://orbitra.test", false, false),
            ("orbitra.test", "https://evil.test", true, false),
            ("orbitra.test", "https://evil.apps.orbitra.test", true, false),
            ("orbitra.test", "https://orbitra.test.evil.test", true, false),
            ("orbitra.test", "https://orbitra.test:444", true, false),
            ("orbitra.test", "https://orbitra.test/", true, false),
            ("orbitra.test", "null", true, false),
            ("orbitra.test", "", true, false),
        ] {
            assert_eq!(from(host, &[("origin", origin)], secure), passes, "{host} {origin}");
        }
    }

    #[test]
    fn what_browsers_say_besides_must_agree() {
        let origin = ("origin", "http://o.test");
        assert!(from("o.test", &[origin, ("sec-fetch-site", "same-origin")], false));
        for site in ["same-site", "cross-site", "none", ""] {
            assert!(!from("o.test", &[origin, ("sec-fetch-site", site)], false), "{site}");
        }
        assert!(!from("o.test", &[], false));
        assert!(!from("o.test", &[origin, origin], false));
        let twice = [origin, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert!(!from("o.test", &twice, false));
        assert!(!from("o.test", &[("referer", "http://o.test/login")], false));
    }

    #[test]
    fn a_token_looks_different_each_time_and_is_the_same() {
        let secret = token::new_opaque();
        let (one, two) = (mask(&secret), mask(&secret));
        assert_ne!(one, two);
        assert!(unmask(&one, &secret) && unmask(&two, &secret));
        let other = token::new_opaque();
        for wrong in [&mask(&other), "", &secret, &one[..126], &"é".repeat(64)] {
            assert!(!unmask(wrong, &secret), "{wrong}");
        }
    }
}
