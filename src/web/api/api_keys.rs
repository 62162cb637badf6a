//! `/api-keys`: made, listed, revoked.

use axum::extract::State;

use super::Api;
use super::api_key_request::{CreateApiKey, ListParams, STATUSES};
use super::api_key_view::{ApiKeyPage, ApiKeyView, NewApiKeyView};
use super::asked::Asked;
use super::body::JsonBody;
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::api_keys::NewKey;
use crate::app::may::Action;
use crate::db::api_keys::{KeyFilter, SORTS};
use crate::model::api_key::ApiKey;

/// List API keys
#[utoipa::path(
    get,
    path = "",
    tag = "API keys",
    operation_id = "api_keys_list",
    params(PageParams, ListParams),
    responses((status = 200, description = "A page of keys.", body = ApiKeyPage)),
    security(("bearerAuth" = ["keys:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    caller.may(Action::KeysRead)?;
    let paging = Paging::read(&mut params);
    let filter = filter(&mut params);
    AppError::check(params.finish())?;
    let page = api.app.keys(&caller.0, filter, paging.request).await?;
    let items = page.items.into_iter().map(ApiKeyView::from).collect();
    paging.answer(&api, page.total, items)
}

/// Which keys are asked for.
pub fn filter(params: &mut Params) -> KeyFilter {
    let statuses = params.words("status", &STATUSES, |word| word);
    KeyFilter {
        statuses: statuses.into_iter().map(str::to_owned).collect(),
        only_projects: Vec::new(),
        query: params.text("q").filter(|query| !query.is_empty()),
        created_after: params.moment("created_after"),
        created_before: params.moment("created_before"),
        sort: params.sort(&SORTS),
    }
}

/// Make an API key
///
/// The answer is the only one that holds the key itself. A key cannot make a key that may do more than itself.
#[utoipa::path(
    post,
    path = "",
    tag = "API keys",
    operation_id = "api_keys_create",
    request_body = CreateApiKey,
    responses((
        status = 201,
        description = "The key.",
        links(
            ("get" = (operation_id = "api_keys_get", parameters(("id" = "$response.body#/id")))),
            ("update" = (operation_id = "api_keys_update", parameters(("id" = "$response.body#/id")))),
            ("rotate" = (operation_id = "api_keys_rotate", parameters(("id" = "$response.body#/id")))),
            ("revoke" = (operation_id = "api_keys_revoke", parameters(("id" = "$response.body#/id")))),
        ),
        body = NewApiKeyView,
        example = json!({
            "id": "key_3f8d0a6k2m9qhx4t", "name": "ci", "prefix": "orbu_0123", "last4": "ixfD",
            "scopes": ["deployments:read", "deployments:write", "env:read", "logs:read", "projects:read"],
            "allowed_ips": ["203.0.113.0/24"], "project_ids": ["prj_7k2m9qhx4t8w1z3c"],
            "expires_at": "2027-01-01T00:00:00Z", "last_used_at": null, "last_used_ip": null,
            "created_at": "2026-01-20T16:30:00Z", "revoked_at": null,
            "key": "orbu_0123456789ABCDEFGHIJabcdefghij1JixfD",
        }),
    )),
    security(("bearerAuth" = ["keys:write"])),
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::KeysWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let new = NewKey {
        name: fields.required_text("name"),
        scopes: fields.texts("scopes"),
        expires_at: fields.nullable_text("expires_at").flatten(),
        allowed_ips: fields.texts("allowed_ips").unwrap_or_default(),
        project_ids: fields.texts("project_ids").unwrap_or_default(),
    };
    let answer = |(key, secret): &(ApiKey, String)| {
        let path = format!("/api-keys/{}", key.id);
        let view = NewApiKeyView { shown: key.clone().into(), key: secret.clone() };
        respond::created(&path, &view)
    };
    let terms = fields.once(&caller, answer);
    let made = api.app.create_key(&caller.0, new, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Get an API key
#[utoipa::path(
    get,
    path = "",
    tag = "API keys",
    operation_id = "api_keys_get",
    params(("id" = String, Path, description = "The id of a key.")),
    responses((status = 200, description = "The key, without itself.", body = ApiKeyView)),
    security(("bearerAuth" = ["keys:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, id: Named, params: Params) -> Answer {
    let key = api.app.key(&caller.0, &id.0).await?;
    if key.revoked_at.is_some() {
        // DELETE revokes, and what was deleted is gone. The list shows it for a while yet.
        return Err(AppError::not_found("api_key", &id.0).into());
    }
    AppError::check(params.finish())?;
    respond::revised(key.revision, &ApiKeyView::from(key))
}

/// Get the API key in use
#[utoipa::path(
    get,
    path = "",
    tag = "API keys",
    operation_id = "api_keys_current",
    responses((status = 200, description = "The key this request came with.", body = ApiKeyView)),
    security(("bearerAuth" = ["keys:read"])),
)]
pub async fn current(State(api): State<Api>, caller: Caller, params: Params) -> Answer {
    let id = caller.key_id().map(ToString::to_string).unwrap_or_default();
    let key = api.app.key(&caller.0, &id).await?;
    AppError::check(params.finish())?;
    respond::revised(key.revision, &ApiKeyView::from(key))
}

/// Revoke an API key
///
/// It works no longer and stays in the list for a while. A key may revoke itself.
#[utoipa::path(
    delete,
    path = "",
    tag = "API keys",
    operation_id = "api_keys_revoke",
    params(("id" = String, Path, description = "The id of a key.")),
    responses((status = 204, description = "Revoked.")),
    security(("bearerAuth" = ["keys:write"])),
)]
pub async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    asked: Asked,
    params: Params,
) -> Answer {
    caller.may(Action::KeysWrite)?;
    AppError::check(params.finish())?;
    api.app.revoke_key(&caller.0, &id.0, &asked.terms()).await?;
    Ok(respond::nothing())
}
