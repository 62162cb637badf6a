//! Git over HTTP: `git push https://<host>/git/<project>.git`, with an API key as password. There is nothing to fetch.
//!
//! <https://git-scm.com/docs/http-protocol>

mod follow;
mod key;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::StreamExt;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

use self::key::{Caller, Refused};
use crate::app::App;
use crate::git::pushed::PackRefused;
use crate::git::receive::{self, Reader, Unreadable};
use crate::model::project::Project;

/// Where every address of it begins.
pub const PREFIX: &str = "/git";

/// What is served. Pushing is all there is.
const SERVICE: &str = "git-receive-pack";
const REQUEST: &str = "application/x-git-receive-pack-request";
const ANSWER: &str = "application/x-git-receive-pack-result";
const GREETING: &str = "application/x-git-receive-pack-advertisement";
/// Longest time that a push may take to come in.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// The addresses that Git asks for.
pub fn router(app: &App) -> Router {
    Router::new()
        .route("/git/{project}/info/refs", get(greet))
        .route("/git/{project}/git-receive-pack", post(receive))
        .route("/git/{project}/git-upload-pack", post(no_fetch))
        .with_state(app.clone())
}

/// A project's name or id as it stands in an address.
fn name(project: &str) -> &str {
    project.strip_suffix(".git").unwrap_or(project)
}

async fn project(app: &App, caller: &Caller, named: &str) -> Result<Project, Refused> {
    Ok(app.project_to_push(&caller.0, name(named)).await?)
}

/// The refs of a repository, for who is about to push.
async fn greet(
    State(app): State<App>,
    caller: Caller,
    Path(named): Path<String>,
    uri: Uri,
) -> Result<Response, Refused> {
    let wanted = format!("service={SERVICE}");
    if !uri.query().unwrap_or_default().split('&').any(|part| part == wanted) {
        return Err(no_fetch().await);
    }
    let project = project(&app, &caller, &named).await?;
    let refs = app.pushed_refs(&project).await?;
    Ok(answer(GREETING, Body::from(receive::greeting(&refs))))
}

/// A push. It is taken in as a whole; the answer says what became of it and goes on with the log.
async fn receive(
    State(app): State<App>,
    caller: Caller,
    Path(named): Path<String>,
    request: Request,
) -> Result<Response, Refused> {
    let project = project(&app, &caller, &named).await?;
    check(request.headers())?;
    let parts = request.into_body().into_data_stream();
    let mut reader = Reader::new(parts.map(|part| part.map_err(|_| ())).boxed());
    let taking = async {
        let asked = reader.request().await?;
        if asked.commands.is_empty() {
            // Git asks with an empty request first whether a long one will be accepted.
            return Ok(None);
        }
        let received = app.receive_git(&caller.0, &project, &asked, &mut reader).await?;
        Ok(Some((asked, received)))
    };
    let broken_off = || Err(PackRefused::Unreadable(Unreadable::BrokenOff));
    let taken = tokio::time::timeout(LONGEST, taking).await.unwrap_or_else(|_| broken_off());
    let Some((asked, received)) = taken.map_err(refused)? else {
        return Ok(answer(ANSWER, Body::empty()));
    };
    Ok(answer(ANSWER, follow::body(app, caller.0, asked, received)))
}

fn refused(why: PackRefused) -> Refused {
    match why {
        PackRefused::Unreadable(why) => Refused::new(StatusCode::BAD_REQUEST, why.to_string()),
        other => {
            tracing::error!(error = ?other, "a push could not be taken in");
            let text = "This server could not take in the push. Its log says why.";
            Refused::new(StatusCode::INTERNAL_SERVER_ERROR, text)
        }
    }
}

/// Only what Git itself sends: a page of another site cannot make a browser send it.
fn check(headers: &HeaderMap) -> Result<(), Refused> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind != REQUEST || headers.contains_key(CONTENT_ENCODING) {
        let text = format!("A push is sent as {REQUEST}, and not compressed.");
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    Ok(())
}

fn answer(kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn no_fetch() -> Refused {
    let text = "This address takes pushes; there is nothing to clone or fetch from it.";
    Refused::new(StatusCode::FORBIDDEN, text)
}
