//! Sites without a process: the proxy reads the files itself (RFC 9110 sections 13 and 14).

mod caching;
mod file_body;
mod find;
mod path;
mod range;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use super::body::Body;
use super::error_page::Problem;
use super::headers::has_token;
use crate::model::site_rules::Outcome;
use crate::routing::table::StaticSite;
use caching::Validators;
pub use file_body::FileBody;
use find::{Found, Opened, Wanted};
use path::SitePath;
use range::Ranged;

/// Answers a request from a site's files.
///
/// # Errors
///
/// The page to show instead.
pub async fn answer<B>(
    site: Arc<StaticSite>,
    request: Request<B>,
) -> Result<Response<Body>, Problem> {
    let method = request.method();
    if method != Method::GET && method != Method::HEAD {
        return Err(Problem::MethodNotForFiles);
    }
    let path = SitePath::parse(request.uri().path())?;
    let encodings = |name| has_token_without_refusal(&request, name);
    let wanted = Wanted {
        path,
        brotli: encodings("br"),
        zstd: encodings("zstd"),
        gzip: encodings("gzip"),
        read: method == Method::GET,
    };
    let query = request.uri().query();
    let forced = site.rules.redirect(&wanted.path.segments, query, true);
    let mut response = match forced {
        Some(outcome) => carry_out(&site, &wanted, outcome, &request).await?,
        None => match look(&site, &wanted).await? {
            Found::File(opened) => file(opened, &request),
            Found::Directory => redirect(&request)?,
            Found::Nothing => match site.rules.redirect(&wanted.path.segments, query, false) {
                Some(outcome) => carry_out(&site, &wanted, outcome, &request).await?,
                None => instead(&site, &wanted, &request).await?,
            },
        },
    };
    add_fields(&site, request.uri().path(), response.headers_mut());
    Ok(response)
}

/// Whether a path ends in a name that changes with the content of its file.
pub fn is_hashed(path: &str) -> bool {
    let mut names = path.rsplit('/');
    let name = names.next().unwrap_or_default();
    caching::is_hashed(names.next().unwrap_or_default(), name)
}

/// Opening a file can wait for the disk, and this thread has other visitors.
async fn look(site: &Arc<StaticSite>, wanted: &Wanted) -> Result<Found, Problem> {
    let (site, wanted) = (Arc::clone(site), wanted.clone());
    let found = tokio::task::spawn_blocking(move || find::find(&site, &wanted)).await;
    found.map_err(|_| Problem::Internal)
}

/// The answer for a path without a file.
async fn instead<B>(
    site: &Arc<StaticSite>,
    wanted: &Wanted,
    request: &Request<B>,
) -> Result<Response<Body>, Problem> {
    let (site, wanted) = (Arc::clone(site), wanted.clone());
    let found = tokio::task::spawn_blocking(move || find::instead(&site, &wanted)).await;
    match found.map_err(|_| Problem::Internal)? {
        Some((opened, StatusCode::OK)) => Ok(file(opened, request)),
        Some((opened, status)) => Ok(whole_with(opened, status)),
        None => Err(Problem::NoSuchFile),
    }
}

/// Does what a rule of the site says.
async fn carry_out<B>(
    site: &Arc<StaticSite>,
    wanted: &Wanted,
    outcome: Outcome,
    request: &Request<B>,
) -> Result<Response<Body>, Problem> {
    match outcome {
        Outcome::Moved { status, location } => moved(status, &location),
        Outcome::File { status, path } => {
            let path = path.split_once('?').map_or(&*path, |(path, _)| path);
            let wanted = Wanted { path: SitePath::parse(path)?, ..wanted.clone() };
            match (look(site, &wanted).await?, status) {
                (Found::File(opened), 200) => Ok(file(opened, request)),
                (Found::File(opened), _) => Ok(whole_with(opened, StatusCode::NOT_FOUND)),
                _ => instead(site, &wanted, request).await,
            }
        }
    }
}

/// Fields the site asks for. The first of a name takes the place of ours, further ones are added.
fn add_fields(site: &StaticSite, path: &str, headers: &mut HeaderMap) {
    let mut named: Vec<&str> = Vec::new();
    for (name, value) in site.rules.fields(path) {
        let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
        let (Ok(field), Ok(value)) = parsed else { continue };
        if named.contains(&name) {
            headers.append(field, value);
        } else {
            headers.insert(field, value);
            named.push(name);
        }
    }
}

/// `q=0` refuses an encoding; finer weights make no difference between two encodings of a file.
fn has_token_without_refusal<B>(request: &Request<B>, name: &str) -> bool {
    has_token(request.headers(), &ACCEPT_ENCODING, name)
        || request
            .headers()
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|item| item.split_once(';'))
            .any(|(coding, weight)| {
                let weight = weight.trim().trim_start_matches("q=");
                coding.trim().eq_ignore_ascii_case(name)
                    && weight.parse::<f32>().is_ok_and(|weight| weight > 0.0)
            })
}

/// A directory asked for without its slash: relative links in its page would lead elsewhere.
fn redirect<B>(request: &Request<B>) -> Result<Response<Body>, Problem> {
    let uri = request.uri();
    let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
    // The path has no empty segment, so this cannot become `//another.host/`.
    moved(308, &format!("{}/{query}", uri.path()))
}

fn moved(status: u16, location: &str) -> Result<Response<Body>, Problem> {
    let mut response = Response::new(Body::full(Bytes::new()));
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Problem::Internal)?;
    let location = HeaderValue::try_from(location).map_err(|_| Problem::BadRequest)?;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, caching::REVALIDATE);
    Ok(response)
}

/// A file that exists: whole, in part, or not at all because the client has it.
fn file<B>(opened: Opened, request: &Request<B>) -> Response<Body> {
    let validators = Validators::of(&opened);
    if validators.client_has_it(request.headers()) {
        let mut response = Response::new(Body::full(Bytes::new()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        describe(&mut response, &opened, &validators);
        response.headers_mut().remove(CONTENT_TYPE);
        return response;
    }
    let range = request
        .headers()
        .get(RANGE)
        .filter(|_| *request.method() == Method::GET && validators.allow_range(request.headers()))
        .and_then(|range| range.to_str().ok())
        .map_or(Ranged::Whole, |range| range::parse(range, opened.length));
    let length = opened.length;
    match range {
        Ranged::Whole => whole(opened),
        Ranged::Part { first, last } => {
            let mut response = Response::new(Body::full(Bytes::new()));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            describe(&mut response, &opened, &validators);
            let headers = response.headers_mut();
            headers.insert(CONTENT_LENGTH, HeaderValue::from(last - first + 1));
            if let Ok(value) = HeaderValue::try_from(format!("bytes {first}-{last}/{length}")) {
                headers.insert(CONTENT_RANGE, value);
            }
            *response.body_mut() = opened.content.part(first, last - first + 1);
            response
        }
        Ranged::Unsatisfiable => {
            let mut response = Response::new(Body::full(Bytes::new()));
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
                response.headers_mut().insert(CONTENT_RANGE, value);
            }
            response
        }
    }
}

fn whole_with(opened: Opened, status: StatusCode) -> Response<Body> {
    let mut response = whole(opened);
    *response.status_mut() = status;
    response
}

fn whole(opened: Opened) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::new()));
    describe(&mut response, &opened, &Validators::of(&opened));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(opened.length));
    let length = opened.length;
    *response.body_mut() = opened.content.part(0, length);
    response
}

/// The fields that a file's answers have in common.
fn describe(response: &mut Response<Body>, opened: &Opened, validators: &Validators) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, caching::content_type(&opened.name));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, caching::policy(&opened.directory, &opened.name));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(ETAG, validators.etag.clone());
    headers.insert(LAST_MODIFIED, validators.modified.clone());
    if opened.varies {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if let Some(encoding) = opened.encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
}
