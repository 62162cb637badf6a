//! `/api-keys/{id}`: changed, and replaced by a new key.

use axum::extract::State;

use super::Api;
use super::api_key_request::{RotateApiKey, UpdateApiKey};
use super::api_key_view::{ApiKeyView, NewApiKeyView, RotatedApiKeyView};
use super::body::JsonBody;
use super::guards::Caller;
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::key_changes::{KeyPatch, Rotated};
use crate::app::may::Action;

/// Fields that nobody can set.
const READ_ONLY: [&str; 7] =
    ["id", "prefix", "last4", "last_used_at", "last_used_ip", "created_at", "revoked_at"];

/// Change an API key
///
/// Scopes can only become fewer and the end only earlier. Addresses and projects can change freely, but a key
/// cannot give what it does not have itself.
#[utoipa::path(
    patch,
    path = "",
    tag = "API keys",
    operation_id = "api_keys_update",
    params(("id" = String, Path, description = "The id of a key.")),
    request_body = UpdateApiKey,
    responses(
        (status = 200, description = "The changed key.", body = ApiKeyView),
        (status = 409, description = "`key_not_active`: it has expired or is revoked."),
    ),
    security(("bearerAuth" = ["keys:write"])),
)]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::KeysWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let patch = KeyPatch {
        name: fields.kept_text("name"),
        scopes: fields.kept_texts("scopes"),
        expires_at: fields.nullable_text("expires_at"),
        allowed_ips: fields.texts("allowed_ips"),
        project_ids: fields.texts("project_ids"),
        read_only: fields.read_only(&READ_ONLY),
    };
    let terms = fields.terms();
    let key = api.app.update_key(&caller.0, &id.0, patch, fields.finish(), &terms).await?;
    respond::revised(key.revision, &ApiKeyView::from(key))
}

/// Rotate an API key
///
/// Makes a key with the same name, scopes and limits. The old one lives on for a while, so that it can be
/// replaced where it is used. A key may rotate itself.
#[utoipa::path(
    post,
    path = "",
    tag = "API keys",
    operation_id = "api_keys_rotate",
    params(("id" = String, Path, description = "The id of a key.")),
    request_body = Option<RotateApiKey>,
    responses(
        (
            status = 201,
            description = "The new key.",
            links(
                ("get" = (operation_id = "api_keys_get", parameters(("id" = "$response.body#/id")))),
                ("revoke" = (operation_id = "api_keys_revoke", parameters(("id" = "$response.body#/id")))),
            ),
            body = RotatedApiKeyView,
        ),
        (status = 409, description = "`key_not_active`: it has expired or is revoked."),
    ),
    security(("bearerAuth" = ["keys:write"])),
)]
pub async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::KeysWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let grace = fields.integer("grace_seconds");
    let answer = |Rotated { key, secret, replaces }: &Rotated| {
        let path = format!("/api-keys/{}", key.id);
        let made = NewApiKeyView { shown: key.clone().into(), key: secret.clone() };
        let view = RotatedApiKeyView { made, replaces: replaces.clone() };
        respond::created(&path, &view)
    };
    let terms = fields.once(&caller, answer);
    let rotated = api.app.rotate_key(&caller.0, &id.0, grace, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&rotated)))
}
