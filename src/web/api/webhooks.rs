//! `/webhooks`: made, listed, changed, given another secret, deleted.

use axum::extract::State;

use super::Api;
use super::asked::Asked;
use super::body::JsonBody;
use super::deployment_request::Nothing;
use super::events::project;
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use super::webhook_request::{CreateWebhook, ListParams, RotateSecret, UpdateWebhook};
use super::webhook_view::{NewWebhookView, WebhookPage, WebhookView};
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::webhook_changes::WebhookPatch;
use crate::app::webhooks::{NewWebhook, ShownWebhook};
use crate::db::webhooks::{SORTS, WebhookFilter};
use crate::model::webhook::Format;

/// Fields that nobody can set.
const READ_ONLY: [&str; 11] = [
    "id",
    "format",
    "team_id",
    "status",
    "disabled_reason",
    "secret_hint",
    "previous_secret_expires_at",
    "last_delivery",
    "recipient",
    "created_at",
    "updated_at",
];

/// List webhooks
#[utoipa::path(
    get,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_list",
    params(PageParams, ListParams),
    responses((status = 200, description = "A page of them, without their secrets.", body = WebhookPage)),
    security(("bearerAuth" = ["webhooks:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    caller.may(Action::WebhooksRead)?;
    let paging = Paging::read(&mut params);
    let filter = WebhookFilter {
        project: project(&mut params),
        enabled: params.flag("enabled"),
        event: event_name(&mut params),
        query: params.text("q").filter(|query| !query.is_empty()),
        created_after: params.moment("created_after"),
        created_before: params.moment("created_before"),
        sort: params.sort(&SORTS),
        ..WebhookFilter::default()
    };
    AppError::check(params.finish())?;
    let page = api.app.webhooks(&caller.0, filter, paging.request).await?;
    paging.answer(&api, page.total, page.items.into_iter().map(WebhookView::from).collect())
}

/// The one event that is asked for.
fn event_name(params: &mut Params) -> Option<String> {
    let mut names = params.names("event");
    if names.len() > 1 {
        params.problems.invalid("event", "format", "One name, such as `project.created`.");
    }
    names.pop()
}

/// Make a webhook
///
/// The answer is the only one that holds the secret. What is sent is in the section of events. An address of mail that is
/// not somebody's with an account gets one mail that asks, and nothing else before it has agreed.
#[utoipa::path(
    post,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_create",
    request_body = CreateWebhook,
    responses(
        (
            status = 201,
            description = "The webhook with its secret.",
            links(
                ("get" = (operation_id = "webhooks_get", parameters(("id" = "$response.body#/id")))),
                ("update" = (operation_id = "webhooks_update", parameters(("id" = "$response.body#/id")))),
                ("ping" = (operation_id = "webhooks_ping", parameters(("id" = "$response.body#/id")))),
                ("rotate" = (operation_id = "webhooks_rotate_secret", parameters(("id" = "$response.body#/id")))),
                ("replay" = (operation_id = "webhooks_replay", parameters(("id" = "$response.body#/id")))),
                ("deliveries" = (operation_id = "webhooks_list_deliveries", parameters(("id" = "$response.body#/id")))),
                ("delete" = (operation_id = "webhooks_delete", parameters(("id" = "$response.body#/id")))),
            ),
            body = NewWebhookView,
        ),
        (
            status = 409,
            description = "`too_many_webhooks`: the team has as many as it may; `mail_not_configured`: this server sends \
                no mail yet; `recipient_declined`: whoever reads the address wants no mail of this team.",
        ),
    ),
    security(("bearerAuth" = ["webhooks:write"])),
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::WebhooksWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let format = fields.text("format");
    let new = NewWebhook {
        url: fields.required_text("url"),
        format: format.as_deref().and_then(Format::parse),
        events: fields.texts("events"),
        description: fields.nullable_text("description").flatten(),
        project_id: fields.nullable_text("project_id").flatten(),
        enabled: fields.flag("enabled"),
        secret: fields.text("secret"),
    };
    if format.is_some() && new.format.is_none() {
        fields.problems.unknown_value("format", Format::ALL.iter().map(|format| format.as_str()));
    }
    let answer = |made: &ShownWebhook| {
        let path = format!("/webhooks/{}", made.webhook.id);
        respond::created(&path, &NewWebhookView::from(made.clone()))
    };
    let terms = fields.once(&caller, answer);
    let made = api.app.create_webhook(&caller.0, new, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Get a webhook
#[utoipa::path(
    get,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_get",
    params(("id" = String, Path, description = "The id of a webhook.")),
    responses((status = 200, description = "The webhook, without its secret.", body = WebhookView)),
    security(("bearerAuth" = ["webhooks:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, id: Named, params: Params) -> Answer {
    caller.may(Action::WebhooksRead)?;
    let shown = api.app.webhook(&caller.0, &id.0).await?;
    AppError::check(params.finish())?;
    respond::revised(shown.webhook.revision, &WebhookView::from(shown))
}

/// Change a webhook
///
/// One that is enabled again begins anew. What happened meanwhile can be sent with a replay. Another address of mail is asked.
#[utoipa::path(
    patch,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_update",
    params(("id" = String, Path, description = "The id of a webhook.")),
    request_body = UpdateWebhook,
    responses(
        (status = 200, description = "The webhook.", body = WebhookView),
        (status = 409, description = "`recipient_declined`: whoever reads the address wants no mail of this team."),
    ),
    security(("bearerAuth" = ["webhooks:write"])),
)]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::WebhooksWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let patch = WebhookPatch {
        url: fields.kept_text("url"),
        events: fields.kept_texts("events"),
        description: fields.nullable_text("description"),
        project_id: fields.nullable_text("project_id"),
        enabled: fields.flag("enabled"),
        read_only: fields.read_only(&READ_ONLY),
    };
    let terms = fields.terms();
    let shown = api.app.update_webhook(&caller.0, &id.0, patch, fields.finish(), &terms).await?;
    respond::revised(shown.webhook.revision, &WebhookView::from(shown))
}

/// Delete a webhook
///
/// With its deliveries. What was still to be sent is not.
#[utoipa::path(
    delete,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_delete",
    params(("id" = String, Path, description = "The id of a webhook.")),
    responses((status = 204, description = "Deleted.")),
    security(("bearerAuth" = ["webhooks:write"])),
)]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    asked: Asked,
    params: Params,
) -> Answer {
    caller.may(Action::WebhooksWrite)?;
    AppError::check(params.finish())?;
    api.app.delete_webhook(&caller.0, &id.0, &asked.terms()).await?;
    Ok(respond::nothing())
}

/// Rotate a webhook's secret
///
/// Both secrets sign until `previous_secret_expires_at`; one that was replaced before that no longer does.
#[utoipa::path(
    post,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_rotate_secret",
    params(("id" = String, Path, description = "The id of a webhook.")),
    request_body = Option<RotateSecret>,
    responses((status = 200, description = "The webhook with its new secret.", body = NewWebhookView)),
    security(("bearerAuth" = ["webhooks:write"])),
)]
pub async fn rotate_secret(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::WebhooksWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let grace = fields.integer("grace_seconds");
    let answer = |made: &ShownWebhook| respond::done(&NewWebhookView::from(made.clone()));
    let terms = fields.once(&caller, answer);
    let problems = fields.finish();
    let made = api.app.rotate_webhook_secret(&caller.0, &id.0, grace, problems, &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Ask an address again
///
/// Sends one more mail that asks whether mail is wanted. The link of the mail before ends. Ten minutes have to pass between
/// two of them; an address gets three in a day, and a team sends twenty.
#[utoipa::path(
    post,
    path = "",
    tag = "Webhooks",
    operation_id = "webhooks_ask_recipient",
    params(("id" = String, Path, description = "The id of a webhook.")),
    request_body = Option<Nothing>,
    responses(
        (status = 200, description = "The webhook. The mail is on its way.", body = WebhookView),
        (
            status = 409,
            description = "`recipient_confirmed` or `recipient_declined`: it has answered; `no_recipient`: only an address \
                of mail is asked; `webhook_disabled`: enable it first; `mail_not_configured`: this server sends no mail.",
        ),
    ),
    security(("bearerAuth" = ["webhooks:write"])),
)]
pub async fn ask_recipient(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::WebhooksWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let answer = |asked: &ShownWebhook| respond::done(&WebhookView::from(asked.clone()));
    let terms = fields.once(&caller, answer);
    let asked = api.app.ask_recipient_again(&caller.0, &id.0, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&asked)))
}
