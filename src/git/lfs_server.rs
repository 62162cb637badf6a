//! The Git LFS server of a repository: where content is, and the content.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use url::Url;

use super::FetchError;
use super::budget::Wire;
use super::lfs::Pointer;
use super::line::{Peer, open_session, read_all};
use super::objects::one_line;
use super::packets::egress_error;
use crate::egress::{Client, Response};
use crate::model::git_url::GitUrl;

const JSON: HeaderValue = HeaderValue::from_static("application/vnd.git-lfs+json");
/// Largest answer that is read.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;
/// Most headers one download is sent with.
const MOST_HEADERS: usize = 20;
/// Most servers a download is passed on to. Its content is checked against the pointer, and nothing secret goes along.
const MOST_REDIRECTS: usize = 3;

/// The server and what it wants to see.
pub(super) struct LfsServer {
    client: Client,
    wire: Wire,
    /// Ends with `/info/lfs`.
    endpoint: Url,
    headers: HeaderMap,
    /// Whether this is the repository's own server, which its credential is for.
    authorization: Option<HeaderValue>,
}

/// Where an object's content is.
pub(super) struct Download {
    url: Url,
    headers: HeaderMap,
}

/// Content on its way.
pub(super) struct Body {
    response: Response,
    wire: Wire,
    host: String,
}

#[derive(Deserialize)]
struct Authenticated {
    href: String,
    #[serde(default)]
    header: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Answer {
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    #[serde(default)]
    actions: Actions,
    error: Option<ObjectError>,
}

#[derive(Default, Deserialize)]
struct Actions {
    download: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: HashMap<String, String>,
}

#[derive(Deserialize)]
struct ObjectError {
    code: i64,
    #[serde(default)]
    message: String,
}

impl LfsServer {
    /// The server of a repository. Over SSH the Git server names it and gives what it wants to see.
    pub async fn find(peer: Peer<'_>) -> Result<Self, FetchError> {
        let authorization = peer.access.and_then(|access| access.basic_for(peer.url));
        let (endpoint, headers) = match peer.url.ssh() {
            None => (default_endpoint(peer.url.as_str())?, HeaderMap::new()),
            Some(_) => over_ssh(peer).await?,
        };
        Ok(Self {
            client: peer.client.clone(),
            wire: peer.wire.clone(),
            endpoint,
            headers,
            authorization,
        })
    }

    /// Asks where objects are. An object that is not in the answer was not named by the server.
    pub async fn ask(
        &self,
        wanted: &[Pointer],
    ) -> Result<HashMap<String, Result<Download, FetchError>>, FetchError> {
        let objects: Vec<_> = wanted
            .iter()
            .map(|pointer| serde_json::json!({ "oid": pointer.oid, "size": pointer.size }))
            .collect();
        let body = serde_json::json!({
            "operation": "download", "transfers": ["basic"], "objects": objects, "hash_algo": "sha256",
        });
        let url = format!("{}/objects/batch", self.endpoint.as_str().trim_end_matches('/'));
        let mut request = http::Request::post(url)
            .header(header::ACCEPT, JSON)
            .header(header::CONTENT_TYPE, JSON)
            .body(Bytes::from(body.to_string()))
            .map_err(|_| failed("its server cannot be asked."))?;
        request.headers_mut().extend(self.headers.clone());
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(header::AUTHORIZATION, value.clone());
        }
        let host = self.endpoint.host_str().unwrap_or_default();
        let response = self.client.send(request, self.wire.idle).await;
        let response = response.map_err(|error| egress_error(error, host, self.wire.idle))?;
        check(response.status(), host)?;
        let read = response.read(ANSWER_LIMIT + 1, self.wire.idle).await;
        let bytes = read.map_err(|error| egress_error(error, host, self.wire.idle))?;
        self.wire.budget.take(bytes.len())?;
        let answer: Answer = serde_json::from_slice(&bytes)
            .map_err(|_| failed("its server did not answer as a Git LFS server."))?;
        Ok(answer
            .objects
            .into_iter()
            .map(|object| (object.oid.clone(), self.place(object)))
            .collect())
    }

    fn place(&self, object: Object) -> Result<Download, FetchError> {
        if let Some(error) = object.error {
            let said = one_line(&error.message);
            return Err(match error.code {
                401 | 403 => FetchError::AuthFailed(format!("the server refuses it: {said}")),
                404 | 410 => {
                    failed("the server does not have its content. Was it pushed (`git lfs push`)?")
                }
                code => failed(&format!("the server says: {said} ({code}).")),
            });
        }
        let action = object.actions.download;
        let action =
            action.ok_or_else(|| failed("the server does not say where its content is."))?;
        // Relative to the server, as some write it.
        let url = self.endpoint.join(&action.href);
        let url = url.map_err(|_| failed("the server names no valid address of its content."))?;
        let mut headers = headers(&action.header)?;
        if let Some(value) = &self.authorization
            && url.origin() == self.endpoint.origin()
            && !headers.contains_key(header::AUTHORIZATION)
        {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
        Ok(Download { url, headers })
    }

    /// Fetches content. What the server gave to be sent goes to the address it gave it for, and to no other server.
    pub async fn get(&self, download: Download) -> Result<Body, FetchError> {
        let Download { mut url, mut headers } = download;
        for _ in 0..=MOST_REDIRECTS {
            let host = url.host_str().unwrap_or_default().to_owned();
            let mut request = http::Request::get(url.as_str())
                .body(Bytes::new())
                .map_err(|_| failed("the server names no valid address of its content."))?;
            request.headers_mut().extend(headers.clone());
            let response = self.client.send(request, self.wire.idle).await;
            let response = response.map_err(|error| egress_error(error, &host, self.wire.idle))?;
            if !response.status().is_redirection() {
                check(response.status(), &host)?;
                return Ok(Body { response, wire: self.wire.clone(), host });
            }
            let next =
                response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let next = next.and_then(|next| url.join(next).ok());
            let next = next.ok_or_else(|| failed("the server redirects to no valid address."))?;
            if next.origin() != url.origin() {
                headers.clear();
            }
            url = next;
        }
        Err(FetchError::RedirectRefused)
    }
}

impl Body {
    /// The next bytes, `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        let chunk = self.response.chunk(self.wire.idle).await;
        let chunk = chunk.map_err(|error| egress_error(error, &self.host, self.wire.idle))?;
        if let Some(bytes) = &chunk {
            self.wire.budget.take(bytes.len())?;
        }
        Ok(chunk)
    }
}

/// What a repository's own address gives.
fn default_endpoint(address: &str) -> Result<Url, FetchError> {
    let suffix = if address.ends_with(".git") { "" } else { ".git" };
    Url::parse(&format!("{address}{suffix}/info/lfs"))
        .map_err(|_| failed("its server cannot be asked."))
}

/// Asks the Git server over SSH. One that does not know the command may have its LFS server at the usual place.
async fn over_ssh(peer: Peer<'_>) -> Result<(Url, HeaderMap), FetchError> {
    let usual = || usual_endpoint(peer.url);
    let Some(address) = peer.url.ssh() else { return usual() };
    let session = open_session(peer).await?;
    let program = session.run("git-lfs-authenticate", &address.path, " download").await?;
    program.end_input().await;
    let printed = read_all(&program, peer.wire, 64 * 1024).await;
    let Some(printed) = printed.filter(|text| !text.is_empty()) else { return usual() };
    if !program.succeeded().await {
        return usual();
    }
    let answer: Authenticated = serde_json::from_slice(&printed)
        .map_err(|_| failed("`git-lfs-authenticate` on the server did not answer in JSON."))?;
    let endpoint = Url::parse(&answer.href)
        .map_err(|_| failed("the server names no valid address of its Git LFS server."))?;
    Ok((endpoint, headers(&answer.header)?))
}

fn usual_endpoint(url: &GitUrl) -> Result<(Url, HeaderMap), FetchError> {
    let path = url.ssh().map_or("", |address| address.path.trim_matches('/'));
    let host = url.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Ok((default_endpoint(&format!("https://{host}/{path}"))?, HeaderMap::new()))
}

/// Headers a server wants to see again, without those that are the connection's own.
fn headers(given: &HashMap<String, String>) -> Result<HeaderMap, FetchError> {
    if given.len() > MOST_HEADERS {
        return Err(failed("the server wants too many headers to be sent."));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name = HeaderName::try_from(name.as_str());
        let (Ok(name), Ok(mut value)) = (name, HeaderValue::try_from(value.as_str())) else {
            return Err(failed("the server wants a header to be sent that is not valid."));
        };
        let own = [
            header::HOST,
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
            header::TE,
            header::TRAILER,
        ];
        if !own.contains(&name) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    Ok(headers)
}

fn check(status: StatusCode, host: &str) -> Result<(), FetchError> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(FetchError::AuthFailed(format!(
            "{host} refused access. The project's credential must be allowed to read Git LFS objects as well."
        ))),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Err(failed(&format!("{host} has no such content, or keeps no Git LFS objects.")))
        }
        status if status.is_redirection() => Err(FetchError::RedirectRefused),
        status => Err(failed(&format!("{host} answered with status {}.", status.as_u16()))),
    }
}

fn failed(text: &str) -> FetchError {
    FetchError::Failed(text.to_owned())
}
