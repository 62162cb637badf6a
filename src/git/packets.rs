//! An answer's pkt-lines, read as they arrive.

use std::time::Duration;

use bytes::BytesMut;

use super::FetchError;
use super::pkt_line::{Packet, take};
use crate::egress::{EgressError, Response};

/// What one fetch may take from the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireLimits {
    pub received_bytes: u64,
    pub idle: Duration,
}

/// An answer's frames, counted against the limit.
pub(super) struct Packets {
    response: Response,
    buffer: BytesMut,
    host: String,
    limits: WireLimits,
    /// Bytes received in this fetch so far.
    pub received: u64,
}

impl Packets {
    /// `received` is what the answers before this one took.
    pub fn new(response: Response, host: String, limits: WireLimits, received: u64) -> Self {
        Self { response, buffer: BytesMut::new(), host, limits, received }
    }

    /// The next frame, `None` at the answer's end.
    pub async fn next(&mut self) -> Result<Option<Packet>, FetchError> {
        loop {
            if let Some(packet) = take(&mut self.buffer).map_err(|_| self.garbled())? {
                return Ok(Some(packet));
            }
            let chunk = self.response.chunk(self.limits.idle).await;
            match chunk.map_err(|error| egress_error(error, &self.host, self.limits.idle))? {
                Some(chunk) => {
                    self.received += chunk.len() as u64;
                    if self.received > self.limits.received_bytes {
                        return Err(FetchError::TooLarge {
                            limit_megabytes: self.limits.received_bytes / (1024 * 1024),
                        });
                    }
                    self.buffer.extend_from_slice(&chunk);
                }
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(self.broken_off()),
            }
        }
    }

    pub async fn expect_flush(&mut self) -> Result<(), FetchError> {
        match self.next().await? {
            Some(Packet::Flush) => Ok(()),
            _ => Err(self.garbled()),
        }
    }

    pub fn garbled(&self) -> FetchError {
        FetchError::Failed(format!("{} sent something that is not Git's protocol.", self.host))
    }

    pub fn broken_off(&self) -> FetchError {
        FetchError::Failed(format!("{} broke off its answer.", self.host))
    }
}

/// A request's fault in the words of a fetch.
pub(super) fn egress_error(error: EgressError, host: &str, idle: Duration) -> FetchError {
    match error {
        EgressError::AddressNotAllowed => FetchError::AddressNotAllowed,
        EgressError::Timeout => {
            FetchError::Failed(format!("{host} did not answer for {} seconds.", idle.as_secs()))
        }
        EgressError::Dns(name) => {
            FetchError::Failed(format!("The name {name} could not be resolved."))
        }
        other => FetchError::Failed(format!("{host}: {other}.")),
    }
}
