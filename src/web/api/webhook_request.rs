//! What `/webhooks` takes, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use utoipa::{IntoParams, ToSchema};

use super::event_request::EventName;
use super::schema::{self, described};
use super::text_rules::Note;
use crate::db::webhooks::SORTS;
use crate::model::delivery::DeliveryStatus;
use crate::model::event_type;
use crate::model::ids::{EventId, ProjectId};
use crate::model::timestamp::Timestamp;
use crate::model::webhook::Format;

/// An address, in place of its text.
struct WebhookUrl;
/// What a webhook chooses, in place of its text.
struct EventChoice;
/// A secret somebody brings along, in place of its text.
struct OwnSecret;
/// What webhooks are sorted by, in place of its name as text.
struct WebhookSort;

described! {
    WebhookUrl => "WebhookUrl", schema::text().max_length(Some(2048)).description(Some(
        "`https://…`, at an address that can be reached from outside, on port 443, 80 or from 1024 up; no user name, no \
         password, nothing after a `#`. For `email`, `mailto:` and one plain address."));
    EventChoice => "EventChoice", schema::words(&event_type::choices())
        .description(Some("The name of an event, `deployment.*` for all that begin like it, or `*`."));
    OwnSecret => "WebhookSecret", schema::text().pattern(Some("^whsec_[A-Za-z0-9+/]{32,86}={0,2}$"))
        .description(Some("`whsec_` and base64 of 24 to 64 bytes."));
    WebhookSort => "WebhookSort", schema::sort(&SORTS);
}

/// Parameters of `GET /webhooks`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only those for this project.
    #[param(inline)]
    project_id: Option<ProjectId>,
    enabled: Option<bool>,
    /// Only those that are told of this event.
    #[param(inline)]
    event: Option<EventName>,
    /// Part of the address or the description, in any case.
    q: Option<String>,
    /// Only those made after this moment.
    #[param(inline)]
    created_after: Option<Timestamp>,
    /// Only those made before this moment.
    #[param(inline)]
    created_before: Option<Timestamp>,
    /// A field, with `-` before it from the greatest down. Newest first when it is left out.
    #[param(inline)]
    sort: Option<WebhookSort>,
}

/// Parameters of `GET /webhooks/{id}/deliveries`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveryParams {
    /// Only deliveries with one of these.
    #[param(inline)]
    status: Option<Vec<DeliveryStatus>>,
    /// Only of these events: names, or `deployment.*` for all that begin like it.
    #[param(inline)]
    event: Option<Vec<EventName>>,
    /// Only of this event.
    #[param(inline)]
    event_id: Option<EventId>,
    /// Only those made after this moment.
    #[param(inline)]
    created_after: Option<Timestamp>,
    /// Only those made before this moment.
    #[param(inline)]
    created_before: Option<Timestamp>,
}

/// A webhook to make.
#[derive(ToSchema)]
#[schema(example = json!({
    "url": "https://hooks.acme.test/orbitra", "events": ["deployment.succeeded", "deployment.failed"],
}))]
#[serde(deny_unknown_fields)]
pub struct CreateWebhook {
    url: WebhookUrl,
    /// Never changes.
    #[schema(required = false, default = "orbitra")]
    format: Format,
    #[schema(min_items = 1, max_items = 50)]
    events: Vec<EventChoice>,
    description: Option<Note>,
    /// The id or the name of a project: only its events. Left out it is all of the team's.
    project_id: Option<String>,
    #[schema(required = false, default = true)]
    enabled: bool,
    /// Left out it is made of 32 random bytes.
    #[schema(required = false)]
    secret: OwnSecret,
}

/// What changes of a webhook. Fields that are left out stay as they are; read-only fields may be sent back as they are.
#[derive(ToSchema)]
#[schema(example = json!({ "events": ["*"] }))]
#[serde(deny_unknown_fields)]
pub struct UpdateWebhook {
    #[schema(required = false)]
    url: WebhookUrl,
    #[schema(min_items = 1, max_items = 50, required = false)]
    events: Vec<EventChoice>,
    description: Option<Note>,
    /// `null` is all of the team's.
    project_id: Option<String>,
    /// Disabling cancels what was still to be sent. What happens meanwhile is not sent later, unless it is replayed.
    #[schema(required = false)]
    enabled: bool,
}

/// How a secret is replaced.
#[derive(ToSchema)]
#[schema(example = json!({ "grace_seconds": 86_400 }))]
#[serde(deny_unknown_fields)]
pub struct RotateSecret {
    /// How long the secret before signs as well; 0 ends it at once.
    #[schema(minimum = 0, maximum = 604_800, default = 86_400, required = false)]
    grace_seconds: u32,
}

/// What is sent again.
#[derive(ToSchema)]
#[schema(example = json!({ "since": "2026-01-20T16:30:00Z", "only_failed": true }))]
#[serde(deny_unknown_fields)]
pub struct ReplayEvents {
    /// A moment, from which on; or the id of an event, after which.
    #[schema(max_length = 64)]
    since: String,
    until: Option<Timestamp>,
    /// Only these of what the webhook is told of.
    #[schema(max_items = 50)]
    events: Option<Vec<EventChoice>>,
    /// Only what never arrived, what happened while it was disabled among it; `false` sends everything again.
    #[schema(required = false, default = true)]
    only_failed: bool,
}
