//! A Git server that is asked over HTTP.

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};

use super::FetchError;
use super::budget::Wire;
use super::line::Peer;
use super::packets::{Packets, Source, egress_error};
use crate::egress::{Client, Response};

/// One repository on the server.
pub(super) struct HttpLine {
    client: Client,
    /// Address of the repository without a trailing slash.
    base: String,
    pub host: String,
    wire: Wire,
    /// Sent with every request. The address is always one of the server it is for, and no redirect is followed.
    authorization: Option<HeaderValue>,
}

impl HttpLine {
    pub fn new(peer: Peer<'_>) -> Self {
        Self {
            client: peer.client.clone(),
            base: peer.url.as_str().to_owned(),
            host: peer.url.host(),
            wire: peer.wire.clone(),
            authorization: peer.access.and_then(|access| access.basic_for(peer.url)),
        }
    }

    /// The list of what the server has and can.
    pub async fn greet(&mut self) -> Result<Packets, FetchError> {
        let mut response = self.ask_greeting().await?;
        if response.status().is_redirection() && !self.base.ends_with(".git") {
            // Some forges answer for `name.git` only. That address is ours to guess; the one they send is not followed.
            self.base.push_str(".git");
            response = self.ask_greeting().await?;
        }
        self.packets(response, "application/x-git-upload-pack-advertisement")
    }

    async fn ask_greeting(&self) -> Result<Response, FetchError> {
        let path = "/info/refs?service=git-upload-pack";
        self.send(Method::GET, path, Bytes::new(), true).await
    }

    /// Asks for refs or for a pack.
    pub async fn ask(&self, body: Bytes, v2: bool) -> Result<Packets, FetchError> {
        let response = self.send(Method::POST, "/git-upload-pack", body, v2).await?;
        self.packets(response, "application/x-git-upload-pack-result")
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        v2: bool,
    ) -> Result<Response, FetchError> {
        let mut request = http::Request::builder()
            .uri(format!("{}{path}", self.base))
            // GitHub tells browsers and Git apart by the agent's beginning.
            .header(
                header::USER_AGENT,
                concat!("git/2.40 (Orbitra/", env!("CARGO_PKG_VERSION"), ")"),
            );
        if method == Method::POST {
            request = request
                .header(header::CONTENT_TYPE, "application/x-git-upload-pack-request")
                .header(header::ACCEPT, "application/x-git-upload-pack-result");
        }
        if v2 {
            request = request.header("git-protocol", "version=2");
        }
        if let Some(value) = &self.authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.method(method).body(body).map_err(|error| {
            FetchError::Failed(format!("The address cannot be asked: {error}."))
        })?;
        self.client
            .send(request, self.wire.idle)
            .await
            .map_err(|error| egress_error(error, &self.host, self.wire.idle))
    }

    /// The answer's frames, once status and type show that it is Git's.
    fn packets(&self, response: Response, content_type: &str) -> Result<Packets, FetchError> {
        let status = response.status();
        let host = &self.host;
        if status.is_redirection() {
            return Err(FetchError::RedirectRefused);
        }
        match status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::GONE => {
                return Err(self.refused());
            }
            _ => {
                return Err(FetchError::Failed(format!(
                    "{host} answered with status {}.",
                    status.as_u16()
                )));
            }
        }
        let found = response.headers().get(header::CONTENT_TYPE);
        let found = found.and_then(|value| value.to_str().ok()).unwrap_or("");
        if found.split(';').next().unwrap_or("").trim() != content_type {
            return Err(FetchError::Failed(format!(
                "{host} did not answer as a Git server. Check the address: it must be the one `git clone` takes."
            )));
        }
        Ok(Packets::new(Source::Http(response), host.clone(), self.wire.clone()))
    }

    fn refused(&self) -> FetchError {
        let advice = match self.authorization {
            Some(_) => {
                "The project's token was refused: it may have expired, or it may not read this repository."
            }
            None => {
                "If it is private, give the project's source a token, or its SSH address and a deploy key."
            }
        };
        FetchError::AuthFailed(format!(
            "Access to {} was refused, or there is no such repository. {advice}",
            self.base
        ))
    }
}
