//! `/webhooks/{id}/…`: what was sent, sent again, and tried out.

use axum::extract::State;

use super::Api;
use super::body::JsonBody;
use super::deployment_request::Nothing;
use super::guards::Caller;
use super::page::{AfterParams, PageParams, Paging};
use super::params::Params;
use super::path::{Named, NamedDelivery};
use super::respond::{self, Answer};
use super::webhook_delivery_view::{DeliveryDetailsView, DeliveryPage, DeliveryView, ReplayView};
use super::webhook_request::{DeliveryParams, ReplayEvents};
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::terms::Settled;
use crate::app::webhook_deliveries::ShownDelivery;
use crate::app::webhook_replays::WantedReplay;
use crate::db::webhook_deliveries::DeliveryFilter;
use crate::model::delivery::DeliveryStatus;
use crate::model::ids::EventId;

/// List a webhook's deliveries
///
/// The newest first; with `after` what came after a delivery, the oldest first. They are kept for 30 days.
#[utoipa::path(
    get,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_list_deliveries",
    params(("id" = String, Path, description = "The id of a webhook."), PageParams, AfterParams, DeliveryParams),
    responses((status = 200, description = "A page of them.", body = DeliveryPage)),
    security(("bearerAuth" = ["webhooks:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, id: Named, mut params: Params) -> Answer {
    caller.may(Action::WebhooksRead)?;
    let (paging, after) = Paging::read_after(&mut params);
    let event_id = params.text("event_id");
    let mut filter = DeliveryFilter {
        statuses: params.words("status", DeliveryStatus::ALL, |status| status.as_str()),
        events: params.names("event"),
        event_id: event_id.as_deref().and_then(EventId::parse),
        created_after: params.moment("created_after"),
        created_before: params.moment("created_before"),
        ..DeliveryFilter::default()
    };
    if event_id.is_some() && filter.event_id.is_none() {
        params.problems.invalid("event_id", "format", "The id of an event.");
    }
    if let Some(after) = after {
        filter.after = api.app.delivery_place(&caller.0, &id.0, &after).await?;
        if filter.after.is_none() {
            params.problems.invalid("after", "unknown_value", "There is no such delivery.");
        }
    }
    let problems = params.finish();
    let page =
        api.app.webhook_deliveries(&caller.0, &id.0, filter, paging.request, problems).await?;
    paging.answer(&api, page.total, page.items.into_iter().map(DeliveryView::from).collect())
}

/// Get a delivery
///
/// With what was sent and, of each attempt, what was answered.
#[utoipa::path(
    get,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_get_delivery",
    params(
        ("id" = String, Path, description = "The id of a webhook."),
        ("delivery" = String, Path, description = "The id of a delivery."),
    ),
    responses((status = 200, description = "The delivery.", body = DeliveryDetailsView)),
    security(("bearerAuth" = ["webhooks:read"])),
)]
pub async fn show(
    State(api): State<Api>,
    caller: Caller,
    named: NamedDelivery,
    params: Params,
) -> Answer {
    caller.may(Action::WebhooksRead)?;
    let shown = api.app.webhook_delivery(&caller.0, &named.webhook, &named.delivery).await?;
    AppError::check(params.finish())?;
    respond::object(&DeliveryDetailsView::from(shown))
}

/// Ping a webhook
///
/// Sends `webhook.ping` once and answers when something came of it, at the latest after 25 seconds.
#[utoipa::path(
    post,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_ping",
    params(("id" = String, Path, description = "The id of a webhook.")),
    request_body = Option<Nothing>,
    responses(
        (status = 200, description = "The delivery with its attempt.", body = DeliveryView),
        (status = 409, description = "`webhook_disabled`: enable it first; `recipient_pending` or \
            `recipient_declined`: its address of mail has not agreed."),
    ),
    security(("bearerAuth" = ["webhooks:write"])),
)]
pub async fn ping(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::WebhooksWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let answer = |made: &ShownDelivery| respond::done(&DeliveryView::from(made.clone()));
    let terms = fields.once(&caller, answer);
    let made = api.app.ping_webhook(&caller.0, &id.0, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Redeliver an event
///
/// A new delivery of the same event: the same id and the same body, signed anew.
#[utoipa::path(
    post,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_redeliver",
    params(
        ("id" = String, Path, description = "The id of a webhook."),
        ("delivery" = String, Path, description = "The id of a delivery."),
    ),
    request_body = Option<Nothing>,
    responses(
        (status = 202, description = "The new delivery.", body = DeliveryView),
        (status = 409, description = "`webhook_disabled`: enable it first; `recipient_pending` or \
            `recipient_declined`: its address of mail has not agreed."),
    ),
    security(("bearerAuth" = ["webhooks:write"])),
)]
pub async fn redeliver(
    State(api): State<Api>,
    caller: Caller,
    named: NamedDelivery,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::WebhooksWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let answer = |made: &ShownDelivery| {
        let delivery = &made.delivery;
        let path = format!("/webhooks/{}/deliveries/{}", delivery.webhook_id, delivery.id);
        respond::accepted(&path, &DeliveryView::from(made.clone()))
    };
    let terms = fields.once(&caller, answer);
    let (webhook, delivery, problems) = (&named.webhook, &named.delivery, fields.finish());
    let made = api.app.redeliver(&caller.0, webhook, delivery, problems, &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Replay events
///
/// Sends what happened since a moment or an event, at most 10,000 events, each in a new delivery.
#[utoipa::path(
    post,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_replay",
    params(("id" = String, Path, description = "The id of a webhook.")),
    request_body = ReplayEvents,
    responses(
        (status = 202, description = "How many events are sent.", body = ReplayView),
        (status = 409, description = "`webhook_disabled`: enable it first; `recipient_pending` or \
            `recipient_declined`: its address of mail has not agreed."),
    ),
    security(("bearerAuth" = ["webhooks:write"])),
)]
pub async fn replay(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::WebhooksWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let wanted = WantedReplay {
        since: fields.required_text("since"),
        until: fields.nullable_text("until").flatten(),
        events: fields.texts("events"),
        only_failed: fields.flag("only_failed"),
    };
    let answer =
        |queued: &usize| Settled { status: 202, ..respond::done(&ReplayView { queued: *queued }) };
    let terms = fields.once(&caller, answer);
    let queued = api.app.replay_webhook(&caller.0, &id.0, wanted, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&queued)))
}
