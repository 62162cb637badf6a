//! Deliveries of events to webhooks, and their attempts.

use serde::{Deserialize, Serialize};

use super::deployment::words;
use super::ids::{DeliveryId, EventId, WebhookId};
use super::timestamp::Timestamp;

/// Most bytes of an answer that are kept.
pub const KEPT_BODY: usize = 4 * 1024;

/// One event for one webhook.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: DeliveryId,
    pub webhook_id: WebhookId,
    pub event_id: EventId,
    /// Name of the event.
    pub event: String,
    pub status: DeliveryStatus,
    /// One attempt and no more.
    pub once: bool,
    /// How many attempts there were.
    pub attempts: u32,
    /// When the next one is due; 0 is at once.
    pub next_at: Option<Timestamp>,
    /// The delivery that somebody wanted again.
    pub redelivery_of: Option<DeliveryId>,
    pub created_at: Timestamp,
    pub completed_at: Option<Timestamp>,
}

words!(
/// Where a delivery stands.
DeliveryStatus {
    Pending = "pending", Retrying = "retrying", Succeeded = "succeeded", Failed = "failed",
    Canceled = "canceled",
});

impl DeliveryStatus {
    /// Whether there will be another attempt.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Retrying)
    }
}

/// One request of a delivery.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    pub started_at: Timestamp,
    pub duration_ms: u64,
    /// The header `X-Orbitra-Signature`.
    pub signature: String,
    pub response_status: Option<u16>,
    /// Without what may be a secret.
    pub response_headers: Vec<(String, String)>,
    /// The first [`KEPT_BODY`] bytes of the answer.
    pub response_body: Vec<u8>,
    pub error: Option<AttemptError>,
}

impl Attempt {
    /// The second it was signed in.
    pub fn signed_at(&self) -> i64 {
        let (_, rest) = self.signature.split_once("t=").unwrap_or_default();
        rest.split(',').next().and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

words!(
/// Why an attempt has no answer that counts, apart from its status.
AttemptError {
    Timeout = "timeout", ConnectFailed = "connect_failed", TlsFailed = "tls_failed",
    DnsFailed = "dns_failed", BlockedAddress = "blocked_address", Redirect = "redirect",
    TooLarge = "too_large", NotConfigured = "not_configured", Protocol = "protocol",
    NotConfirmed = "not_confirmed",
});
