//! Addresses that are told of events.

use serde::{Deserialize, Serialize};

use super::delivery::DeliveryStatus;
use super::deployment::words;
use super::ids::{DeliveryId, ProjectId, TeamId, UserId, WebhookId};
use super::mail::{Recipient, RecipientStatus};
use super::timestamp::Timestamp;

/// Most a team may have.
pub const MOST: u32 = 50;
/// Attempts that fail in a row until a webhook counts as failing.
const FAILING: u32 = 5;
/// How long nothing has arrived when a webhook is disabled, in milliseconds: 5 days.
const PATIENCE: u64 = 5 * 86_400_000;
/// How long a replaced secret signs when nothing is said, in seconds: a day.
pub const GRACE: i64 = 86_400;
/// The longest it can, in seconds: a week.
pub const GRACE_MOST: i64 = 604_800;
/// The delivery that asks an address whether it wants mail. No webhook can choose it.
pub const CONFIRMATION: &str = "webhook.confirmation";
/// Most events that are sent again at once.
pub const REPLAYED_MOST: u32 = 10_000;

/// An address that is told of events. The address itself and what it is signed with are kept apart from it, sealed.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub id: WebhookId,
    pub team_id: TeamId,
    /// Only this project's events; `None` is all of the team's.
    pub project_id: Option<ProjectId>,
    /// What it is sent. Never changes.
    pub format: Format,
    /// The address without what may be a credential.
    pub address: String,
    /// Names, beginnings with `.*`, or `*`.
    pub events: Vec<String>,
    pub description: Option<String>,
    pub enabled: bool,
    /// Why Orbitra disabled it.
    pub disabled_reason: Option<DisabledReason>,
    /// The end of its secret.
    pub secret_hint: String,
    pub previous_secret_expires_at: Option<Timestamp>,
    /// Attempts that failed in a row.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// A delivery was given up since the last that arrived.
    pub exhausted: bool,
    /// What came of the last attempt.
    pub last: Option<LastDelivery>,
    /// Of mail: whether the address has agreed.
    pub recipient: Option<Recipient>,
    pub created_by: UserId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub revision: i64,
}

/// What came of the last attempt.
#[derive(Clone, Debug)]
pub struct LastDelivery {
    pub id: DeliveryId,
    pub status: DeliveryStatus,
    pub response_status: Option<u16>,
    pub at: Timestamp,
}

words!(
    /// What a webhook is sent: the event itself, a message of a chat's own shape, or a mail.
    Format { Orbitra = "orbitra", Slack = "slack", Discord = "discord", Email = "email" });
words!(
    /// Why a webhook was disabled without anybody asking for it: the receiver answered 410, or nothing arrived for days.
    DisabledReason { Gone = "gone", Failing = "failing" });
words!(
    /// How a webhook does.
    WebhookStatus { Active = "active", Failing = "failing", Disabled = "disabled" });

impl Format {
    /// Whether the path of an address is what lets somebody send there.
    pub fn has_secret_path(self) -> bool {
        matches!(self, Self::Slack | Self::Discord)
    }
}

impl Webhook {
    /// How it does.
    pub fn status(&self) -> WebhookStatus {
        if !self.enabled {
            WebhookStatus::Disabled
        } else if self.exhausted || self.failures >= FAILING {
            WebhookStatus::Failing
        } else {
            WebhookStatus::Active
        }
    }

    /// Whether it may be told of events: mail goes only to addresses that have agreed.
    pub fn is_agreed(&self) -> bool {
        let asked = self.recipient.as_ref().map(Recipient::status);
        asked.is_none_or(|status| status == RecipientStatus::Confirmed)
    }

    /// Whether it has been told in vain for so long that it is no longer told.
    pub fn is_lost(&self, now: Timestamp) -> bool {
        let since = self.failing_since.map_or(0, |since| now.millis_since(since));
        self.exhausted && since >= PATIENCE
    }
}
