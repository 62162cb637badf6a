//! Webhooks as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::page::Page;
use crate::app::webhooks::ShownWebhook;
use crate::model::delivery::DeliveryStatus;
use crate::model::ids::{DeliveryId, ProjectId, TeamId, WebhookId};
use crate::model::mail::RecipientStatus;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{DisabledReason, Format, Webhook, WebhookStatus};

/// A page of webhooks.
pub type WebhookPage = Page<WebhookView>;

/// An address that is told of events.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookView {
    id: WebhookId,
    /// In lists without its query, which may be a credential: `https://hooks.example.com/x?***`. That of a chat is shown
    /// there without its path as well.
    #[schema(format = "uri", example = "https://hooks.acme.test/orbitra")]
    url: String,
    format: Format,
    /// Names of events, `deployment.*` for all that begin like it, or `*`.
    #[schema(example = json!(["deployment.succeeded", "deployment.failed"]))]
    events: Vec<String>,
    description: Option<String>,
    /// Only events of this project; `null` is all of the team's.
    project_id: Option<ProjectId>,
    team_id: TeamId,
    enabled: bool,
    status: WebhookStatus,
    /// Why Orbitra disabled it; `null` when somebody else did.
    disabled_reason: Option<DisabledReason>,
    /// The end of its secret.
    #[schema(example = "whsec_…Hx8=")]
    secret_hint: String,
    /// Until when the secret before this one signs as well.
    previous_secret_expires_at: Option<Timestamp>,
    /// What came of the last attempt.
    last_delivery: Option<LastDeliveryView>,
    /// Of `email`: whether the address has agreed. Nothing but the mail that asks is sent there before.
    recipient: Option<RecipientView>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Whether an address of mail wants what is sent to it.
#[derive(Serialize, ToSchema)]
#[schema(as = Recipient)]
pub struct RecipientView {
    status: RecipientStatus,
    /// When it was asked last; `null` when it was not, as the own address of somebody with an account.
    asked_at: Option<Timestamp>,
    /// The end of the link it was sent then.
    expires_at: Option<Timestamp>,
}

/// What came of the last attempt of a webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = LastDelivery)]
pub struct LastDeliveryView {
    id: DeliveryId,
    status: DeliveryStatus,
    response_status: Option<u16>,
    at: Timestamp,
}

/// A webhook with its secret: the only answer it is in.
#[derive(Serialize, ToSchema)]
#[schema(as = NewWebhook)]
pub struct NewWebhookView {
    #[serde(flatten)]
    shown: WebhookView,
    /// Shown once. What is sent is signed with it.
    #[schema(example = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]
    secret: String,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        let status = webhook.status();
        Self {
            id: webhook.id,
            url: webhook.address,
            format: webhook.format,
            events: webhook.events,
            description: webhook.description,
            project_id: webhook.project_id,
            team_id: webhook.team_id,
            enabled: webhook.enabled,
            status,
            disabled_reason: webhook.disabled_reason,
            secret_hint: webhook.secret_hint,
            previous_secret_expires_at: webhook.previous_secret_expires_at,
            last_delivery: webhook.last.map(|last| LastDeliveryView {
                id: last.id,
                status: last.status,
                response_status: last.response_status,
                at: last.at,
            }),
            recipient: webhook.recipient.map(|recipient| RecipientView {
                status: recipient.status(),
                asked_at: recipient.asked_at,
                expires_at: recipient.expires_at,
            }),
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

impl From<ShownWebhook> for WebhookView {
    fn from(shown: ShownWebhook) -> Self {
        Self { url: shown.url, ..shown.webhook.into() }
    }
}

impl From<ShownWebhook> for NewWebhookView {
    fn from(mut shown: ShownWebhook) -> Self {
        let secret = shown.secret.take().unwrap_or_default();
        Self { shown: shown.into(), secret }
    }
}
