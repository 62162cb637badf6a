//! Hashed files of deployments that were replaced a short time ago. A page that a visitor has open asks for the files it
//! was made with, which the new deployment does not have.

use std::rc::Rc;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, REFERER};
use http::{HeaderName, Method, Request, Response, StatusCode, Uri, Version};

use super::body::Body;
use super::client::Client;
use super::core::Core;
use super::error_page::Problem;
use super::handler::from_upstream;
use super::host;
use super::reference::Reference;
use super::request_body::RequestBody;
use super::static_site;
use super::wake::Held;
use crate::clock::Clock;
use crate::routing::table::{Asleep, Kept, Route};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The head of a request that may be asked of another deployment: it reads a file whose name changes with its content.
pub fn copy<B>(request: &Request<B>) -> Option<Box<Request<()>>> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || !static_site::is_hashed(request.uri().path()) {
        return None;
    }
    let mut copy = Request::new(());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    Some(Box::new(copy))
}

/// Whether the live deployment does not have what was asked for.
pub fn is_missing(answered: &Result<Response<Body>, Problem>) -> bool {
    match answered {
        Ok(response) => response.status() == StatusCode::NOT_FOUND,
        Err(problem) => *problem == Problem::NoSuchFile,
    }
}

/// Asks the deployments before, the last one first. For what a page of this site asks for, the one directly before is
/// woken; nobody else can keep what was replaced from its sleep with names of files that never were.
pub async fn answer(
    core: &Rc<Core>,
    client: &Rc<Client>,
    asked: Box<Request<()>>,
    kept: &[Kept],
    reference: Reference,
) -> Option<Response<Body>> {
    if let Some(found) = of_those_awake(core, client, &asked, kept, reference).await {
        return Some(found);
    }
    let Some(Kept { route: Route::Asleep(asleep), .. }) = still_kept(kept).next() else {
        return None;
    };
    if !is_of_a_page(&asked) {
        return None;
    }
    let kept = woken(core, &asked, asleep).await?;
    of_those_awake(core, client, &asked, &kept, reference).await
}

fn still_kept(kept: &[Kept]) -> impl Iterator<Item = &Kept> {
    let now = Clock::System.now();
    kept.iter().filter(move |kept| now < kept.until)
}

async fn of_those_awake(
    core: &Rc<Core>,
    client: &Rc<Client>,
    asked: &Request<()>,
    kept: &[Kept],
    reference: Reference,
) -> Option<Response<Body>> {
    for kept in still_kept(kept) {
        let copy = asked.clone();
        let answered = match &kept.route {
            Route::Static(site) => static_site::answer(Arc::clone(site), copy).await,
            Route::Upstream(upstream) => {
                let Some(guard) = upstream.acquire() else { continue };
                let (mut parts, ()) = copy.into_parts();
                let body = RequestBody::empty();
                from_upstream(core, client, guard, &mut parts, body, reference).await
            }
            Route::Asleep(_) | Route::Held(_) | Route::Notice(_) | Route::Redirect(_) => continue,
        };
        if let Ok(response) = answered
            && is_the_file(&response)
        {
            return Some(response);
        }
    }
    None
}

/// Wakes a deployment and waits for it, as long as any request does. Answers who is kept then.
async fn woken(core: &Core, asked: &Request<()>, asleep: &Asleep) -> Option<Arc<[Kept]>> {
    let routes = &core.routes;
    let mut changes = routes.changes();
    let host = host::of(asked).ok()?;
    let held = Held::begin(routes, asked, asleep).ok()?;
    let (limit, _) = held.limit();
    let waiting = async {
        // Whoever has taken over wakes it at the next request.
        while routes.successor().is_none() {
            let kept = routes.load().get(&host)?.kept.clone()?;
            let sleeps =
                |kept: &Kept| matches!(&kept.route, Route::Asleep(asleep) if held.is_for(asleep));
            if !kept.iter().any(sleeps) {
                return Some(kept);
            }
            held.check().ok()?;
            changes.changed().await.ok()?;
        }
        None
    };
    tokio::time::timeout(limit, waiting).await.ok()?
}

/// Whether a page of the same site asks, as browsers tell it (Fetch Metadata; RFC 9110 section 10.1.3).
fn is_of_a_page(request: &Request<()>) -> bool {
    let fields = request.headers();
    if let Some(site) = fields.get(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let Some(referer) =
        fields.get(REFERER).and_then(|page| page.to_str().ok()?.parse::<Uri>().ok())
    else {
        return false;
    };
    let page = Request::builder().version(Version::HTTP_2).uri(referer).body(());
    page.is_ok_and(|page| match (host::of(&page), host::of(request)) {
        (Ok(page), Ok(own)) => page == own,
        _ => false,
    })
}

/// A page in the place of a missing file is not what was asked for.
fn is_the_file(response: &Response<Body>) -> bool {
    let page = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/html"));
    let status = response.status();
    (status.is_success() || status == StatusCode::NOT_MODIFIED) && !page
}
