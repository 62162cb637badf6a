//! A provider's API over HTTP.

use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use serde_json::Value;

use super::DnsError;
use crate::egress::Client;

/// How long a provider may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of an answer that are read.
const LIMIT: usize = 1024 * 1024;
/// Most characters of an answer that are shown.
const SHOWN: usize = 200;

/// Where it is, and as whom it is asked. Cloning is cheap.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    base: String,
    authorization: Option<String>,
}

impl Api {
    pub(super) fn new(client: Client, base: &str, authorization: Option<String>) -> Self {
        Self { client, base: base.trim_end_matches('/').to_owned(), authorization }
    }

    /// Where it is, without a slash at its end.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Sends JSON and reads JSON; an answer without a body is null.
    pub(super) async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, DnsError> {
        let answer = self.ask(method, path, body).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer)
            .map_err(|_| DnsError::new("the provider did not answer with JSON"))
    }

    /// Sends JSON and reads whatever is answered.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Bytes, DnsError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(request.body(body.into()).map_err(DnsError::new)?).await
    }

    /// Sends a request that is complete. What is not a success is an error with the provider's own words.
    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Bytes, DnsError> {
        let response = self.client.send(request, TIMEOUT).await?;
        let status = response.status();
        let answer = response.read(LIMIT, TIMEOUT).await?;
        if status.is_success() { Ok(answer) } else { Err(refused(status, &answer)) }
    }
}

/// Name and password as HTTP sends them (RFC 7617).
pub(super) fn basic(user: &str, password: &str) -> String {
    let both = format!("{user}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(both))
}

fn refused(status: StatusCode, answer: &[u8]) -> DnsError {
    let text = String::from_utf8_lossy(answer);
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let text: String = plain.take(SHOWN).collect();
    DnsError(format!("the provider answered {status}: {text}"))
}

/// A text in JSON, which may also be a number there.
pub(super) fn text(value: &Value) -> Result<String, DnsError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(DnsError::new("the provider's answer has no id")),
    }
}

/// A part of a path.
pub(super) fn part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
