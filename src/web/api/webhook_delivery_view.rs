//! Deliveries of webhooks as the API shows them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::page::Page;
use crate::app::webhook_deliveries::{ShownDelivery, request_headers};
use crate::model::delivery::{Attempt, AttemptError, Delivery, DeliveryStatus};
use crate::model::ids::{DeliveryId, EventId, WebhookId};
use crate::model::timestamp::Timestamp;

/// A page of deliveries.
pub type DeliveryPage = Page<DeliveryView>;

/// One event for one webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    id: DeliveryId,
    webhook_id: WebhookId,
    /// The same over retries, redeliveries and webhooks.
    event_id: EventId,
    #[schema(example = "deployment.succeeded")]
    event: String,
    status: DeliveryStatus,
    attempt_count: u32,
    next_attempt_at: Option<Timestamp>,
    /// The delivery that was wanted again.
    redelivery_of: Option<DeliveryId>,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    attempts: Vec<AttemptView>,
}

/// One request of a delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct AttemptView {
    /// From 1.
    number: u32,
    started_at: Timestamp,
    #[schema(example = 120)]
    duration_ms: u64,
    /// Of HTTP, or of SMTP where it is a mail.
    response_status: Option<u16>,
    error: Option<AttemptError>,
}

/// One event for one webhook, with what was sent and what was answered.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryDetails)]
pub struct DeliveryDetailsView {
    id: DeliveryId,
    webhook_id: WebhookId,
    event_id: EventId,
    #[schema(example = "deployment.succeeded")]
    event: String,
    status: DeliveryStatus,
    attempt_count: u32,
    next_attempt_at: Option<Timestamp>,
    redelivery_of: Option<DeliveryId>,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    /// The bytes of the body of every request.
    request_body: String,
    attempts: Vec<AttemptDetailsView>,
}

/// One request with its answer.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryAttemptDetails)]
pub struct AttemptDetailsView {
    #[serde(flatten)]
    shown: AttemptView,
    request_headers: BTreeMap<String, String>,
    /// Without those that may hold a secret.
    response_headers: BTreeMap<String, String>,
    /// The first 4 KiB; bytes that are no UTF-8 are replaced.
    response_body: String,
}

/// How many events are sent again.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay)]
pub struct ReplayView {
    #[schema(example = 42)]
    pub queued: usize,
}

fn attempt(attempt: &Attempt) -> AttemptView {
    AttemptView {
        number: attempt.number,
        started_at: attempt.started_at,
        duration_ms: attempt.duration_ms,
        response_status: attempt.response_status,
        error: attempt.error,
    }
}

/// What is to be sent at once is due since it is there.
fn next_attempt(delivery: &Delivery) -> Option<Timestamp> {
    delivery.next_at.map(|at| at.max(delivery.created_at))
}

impl From<ShownDelivery> for DeliveryView {
    fn from(shown: ShownDelivery) -> Self {
        let ShownDelivery { delivery, attempts, .. } = shown;
        Self {
            next_attempt_at: next_attempt(&delivery),
            id: delivery.id,
            webhook_id: delivery.webhook_id,
            event_id: delivery.event_id,
            event: delivery.event,
            status: delivery.status,
            attempt_count: delivery.attempts,
            redelivery_of: delivery.redelivery_of,
            created_at: delivery.created_at,
            completed_at: delivery.completed_at,
            attempts: attempts.iter().map(attempt).collect(),
        }
    }
}

impl From<ShownDelivery> for DeliveryDetailsView {
    fn from(shown: ShownDelivery) -> Self {
        let ShownDelivery { delivery, attempts, body, format } = shown;
        let details = |one: Attempt| AttemptDetailsView {
            shown: attempt(&one),
            request_headers: request_headers(&delivery, &one, format).into_iter().collect(),
            response_body: String::from_utf8_lossy(&one.response_body).into_owned(),
            response_headers: one.response_headers.into_iter().collect(),
        };
        Self {
            attempts: attempts.into_iter().map(details).collect(),
            next_attempt_at: next_attempt(&delivery),
            id: delivery.id,
            webhook_id: delivery.webhook_id,
            event_id: delivery.event_id,
            event: delivery.event,
            status: delivery.status,
            attempt_count: delivery.attempts,
            redelivery_of: delivery.redelivery_of,
            created_at: delivery.created_at,
            completed_at: delivery.completed_at,
            request_body: body,
        }
    }
}
