//! An answer's pkt-lines, read as they arrive.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::Mutex;

use super::FetchError;
use super::budget::Wire;
use super::pkt_line::{Packet, take};
use super::ssh::Output;
use crate::egress::{EgressError, Response};

/// Where the bytes of an answer come from.
pub(super) enum Source {
    Http(Response),
    /// What a program on the server prints; the answers follow each other in it.
    Ssh(Arc<Mutex<Output>>),
}

/// An answer's frames, counted against the limit.
pub(super) struct Packets {
    source: Source,
    buffer: BytesMut,
    host: String,
    wire: Wire,
}

impl Packets {
    pub fn new(source: Source, host: String, wire: Wire) -> Self {
        Self { source, buffer: BytesMut::new(), host, wire }
    }

    /// The next frame, `None` at the answer's end.
    pub async fn next(&mut self) -> Result<Option<Packet>, FetchError> {
        loop {
            if let Some(packet) = take(&mut self.buffer).map_err(|_| self.garbled())? {
                return Ok(Some(packet));
            }
            match self.chunk().await? {
                Some(chunk) => {
                    self.wire.budget.take(chunk.len())?;
                    self.buffer.extend_from_slice(&chunk);
                }
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(self.broken_off()),
            }
        }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        let idle = self.wire.idle;
        let chunk = match &mut self.source {
            Source::Http(response) => response.chunk(idle).await,
            Source::Ssh(output) => output.lock().await.chunk(idle).await,
        };
        chunk.map_err(|error| egress_error(error, &self.host, idle))
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
