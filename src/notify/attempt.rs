//! One request over the guarded way out.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, PROXY_AUTHENTICATE, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, Request};
use tokio::time::Instant;

use super::answer::Answer;
use crate::egress::{Client, EgressError, Response};
use crate::model::delivery::{AttemptError, KEPT_BODY};

/// Most bytes of an answer that are read.
const READ: usize = 64 * 1024;
/// How long the body of an answer may take once its status is there, which is all that counts.
const BODY: Duration = Duration::from_secs(5);
/// Most header fields of an answer that are kept, and most bytes of one.
const KEPT_HEADERS: usize = 50;
const KEPT_VALUE: usize = 500;

/// Sends a request and reads what is answered, within `timeout`.
pub(super) async fn attempt(client: &Client, request: Request<Bytes>, timeout: Duration) -> Answer {
    let begun = Instant::now();
    let mut answer = match client.send(request, timeout).await {
        Ok(response) => read(response, begun + timeout).await,
        Err(error) => Answer { error: Some(class(&error)), ..Answer::default() },
    };
    answer.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    answer
}

/// The status counts from the moment it is there; a body that breaks off or does not end is no failure.
async fn read(mut response: Response, deadline: Instant) -> Answer {
    let status = response.status().as_u16();
    let headers = response.headers();
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let mut answer = Answer {
        status: Some(status),
        retry_after: retry_after.map(str::to_owned),
        headers: kept(headers),
        error: (300..400).contains(&status).then_some(AttemptError::Redirect),
        ..Answer::default()
    };
    let deadline = deadline.min(Instant::now() + BODY);
    let mut read = 0;
    while read < READ {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(Some(chunk)) = response.chunk(left).await else { break };
        read += chunk.len();
        let room = KEPT_BODY.saturating_sub(answer.body.len());
        answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    answer
}

/// Header fields that are kept: none that may hold a secret, and of each no more than a line.
fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let secret = [SET_COOKIE, AUTHORIZATION, WWW_AUTHENTICATE, PROXY_AUTHENTICATE];
    headers
        .iter()
        .filter(|(name, _)| !secret.contains(name))
        .take(KEPT_HEADERS)
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), value.chars().take(KEPT_VALUE).collect())
        })
        .collect()
}

/// Why nothing was answered, as attempts name it.
pub(super) fn class(error: &EgressError) -> AttemptError {
    match error {
        EgressError::AddressNotAllowed => AttemptError::BlockedAddress,
        EgressError::Dns(_) => AttemptError::DnsFailed,
        EgressError::Tls(_) => AttemptError::TlsFailed,
        EgressError::Timeout => AttemptError::Timeout,
        EgressError::TooLarge => AttemptError::TooLarge,
        EgressError::Connect(_) | EgressError::Protocol(_) | EgressError::Setup(_) => {
            AttemptError::ConnectFailed
        }
    }
}
