//! A wall before a host: whoever is signed in to the dashboard and may see the project is let in. A browser is led to the
//! dashboard and comes back with a token that is good once, for which it gets a cookie of this host; a program gets 401.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::body::Body;
use super::core::Core;
use super::error_page::{self, Problem};
use super::headers::X_REQUEST_ID;
use super::host;
use super::reference::Reference;
use crate::crypto::token;
use crate::routing::visits::{LASTS, PATH, Wall};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// Cookies of the wall's name that are looked at: an application's own of another path come along.
const LOOKED_AT: usize = 4;
/// Longest path, as it is sent along, that a browser is led back to; from a longer one it comes back to the start.
const LONGEST: usize = 300;

/// Lets a request on; `Some` is what it is answered with instead.
///
/// # Errors
///
/// `SignIn`, for whoever cannot be led to the dashboard.
pub fn before<B>(
    core: &Core,
    wall: &Wall,
    request: &mut Request<B>,
    reference: Reference,
) -> Result<Option<Response<Body>>, Problem> {
    let host = host::of(request).map(Cow::into_owned).map_err(|_| Problem::BadRequest)?;
    if request.uri().path() == PATH {
        return hand_over(core, wall, request, &host, reference).map(Some);
    }
    // Whatever comes of it: the application never sees it.
    let sent = take_cookies(request.headers_mut(), wall.cookie());
    let visits = core.routes.visits();
    let admits = |value: &String| visits.admits(&token::hash(value), &host, &wall.project);
    if sent.iter().any(admits) {
        return Ok(None);
    }
    if asks_for_page(request) {
        return Ok(Some(lead_to_dashboard(wall, request, &host, reference)?));
    }
    Err(Problem::SignIn)
}

/// The dashboard has sent a browser here.
fn hand_over<B>(
    core: &Core,
    wall: &Wall,
    request: &Request<B>,
    host: &str,
    reference: Reference,
) -> Result<Response<Body>, Problem> {
    // Only what a browser does by itself; a look ahead with HEAD must not use the token up.
    if request.method() != Method::GET {
        return Err(Problem::SignIn);
    }
    let query = request.uri().query().unwrap_or_default();
    let sent = query.split('&').find_map(|pair| pair.strip_prefix("token="));
    let sent = sent.ok_or(Problem::SignIn)?;
    let value = token::new_opaque();
    let (visits, mark) = (core.routes.visits(), token::hash(&value));
    let path = visits.open(&token::hash(sent), host, &wall.project, mark);
    let path = path.ok_or(Problem::SignIn)?;
    let secure = if wall.secure { "; Secure" } else { "" };
    let cookie = format!(
        "{}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
        wall.cookie(),
        LASTS.as_secs()
    );
    let mut response = redirect(&path, reference)?;
    let cookie = HeaderValue::try_from(cookie).map_err(|_| Problem::Internal)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

fn lead_to_dashboard<B>(
    wall: &Wall,
    request: &Request<B>,
    host: &str,
    reference: Reference,
) -> Result<Response<Body>, Problem> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut back = encoded(path);
    if back.len() > LONGEST {
        back = encoded("/");
    }
    redirect(&format!("{}?host={}&path={back}", wall.page, encoded(host)), reference)
}

fn redirect(to: &str, reference: Reference) -> Result<Response<Body>, Problem> {
    let mut response = Response::new(Body::full(Bytes::new()));
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::try_from(to).map_err(|_| Problem::Internal)?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The address before may hold a token.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_REQUEST_ID, reference.header());
    Ok(response)
}

/// Somebody looks at a page, and a redirect leads somewhere.
fn asks_for_page<B>(request: &Request<B>) -> bool {
    let navigates = request.headers().get(SEC_FETCH_MODE).is_none_or(|mode| mode == "navigate");
    matches!(*request.method(), Method::GET | Method::HEAD)
        && navigates
        && error_page::wants_html(request.headers())
}

/// The value of a cookie, when it has this name.
fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let rest = pair.strip_prefix(name.as_bytes())?.trim_ascii_start();
    rest.strip_prefix(b"=").map(<[u8]>::trim_ascii)
}

/// Takes the cookies of a name out of a request (RFC 6265 section 5.4), and answers their values.
fn take_cookies(headers: &mut HeaderMap, name: &str) -> Vec<String> {
    let pairs = |value: &HeaderValue| -> Vec<Vec<u8>> {
        value
            .as_bytes()
            .split(|byte| *byte == b';')
            .map(|pair| pair.trim_ascii().to_vec())
            .collect()
    };
    let mut taken = Vec::new();
    let mut left = Vec::new();
    for value in headers.get_all(COOKIE) {
        let (ours, others): (Vec<_>, Vec<_>) =
            pairs(value).into_iter().partition(|pair| value_of(pair, name).is_some());
        let values = ours.iter().filter_map(|pair| value_of(pair, name));
        taken.extend(values.map(|value| String::from_utf8_lossy(value).into_owned()));
        let others = others.join(&b"; "[..]);
        left.extend(HeaderValue::from_bytes(&others).ok().filter(|_| !others.is_empty()));
    }
    if !taken.is_empty() {
        headers.remove(COOKIE);
        for value in left {
            headers.append(COOKIE, value);
        }
    }
    taken.truncate(LOOKED_AT);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_cookie_is_taken_out() {
        for (sent, taken, left) in [
            (&["a=1; v=2; b=3"][..], &["2"][..], &["a=1; b=3"][..]),
            (&["v=2"], &["2"], &[]),
            (&["a=1", "v=2", "b=3"], &["2"], &["a=1", "b=3"]),
            (&["v=1;v=2; V=3; vv=4"], &["1", "2"], &["V=3; vv=4"]),
            (&["v =1"], &["1"], &[]),
            (&["a=1; b"], &[], &["a=1; b"]),
            (&["v"], &[], &["v"]),
            (&[], &[], &[]),
        ] {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(COOKIE, value.parse().unwrap());
            }
            assert_eq!(take_cookies(&mut headers, "v"), taken, "{sent:?}");
            let found: Vec<_> =
                headers.get_all(COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
            assert_eq!(found, left, "{sent:?}");
        }
    }
}
