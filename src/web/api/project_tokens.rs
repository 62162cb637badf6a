//! `/projects/{project}/tokens`: keys of one project.

use axum::extract::State;

use super::Api;
use super::api_key_request::{CreateProjectToken, ListParams};
use super::api_key_view::{ApiKeyPage, ApiKeyView, NewApiKeyView};
use super::api_keys;
use super::asked::Asked;
use super::body::JsonBody;
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::path::{Named, NamedIn};
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::api_keys::NewKey;
use crate::app::may::Action;
use crate::model::api_key::ApiKey;

/// List project tokens
#[utoipa::path(
    get,
    path = "",
    tag = "Project tokens",
    operation_id = "project_tokens_list",
    params(("project" = String, Path, description = "The id or the name of a project."), PageParams, ListParams),
    responses((status = 200, description = "A page of its tokens.", body = ApiKeyPage)),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    mut params: Params,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    let paging = Paging::read(&mut params);
    let filter = api_keys::filter(&mut params);
    // Whether the project exists comes before what is wrong with the parameters, so it is looked up in any case.
    let page = api.app.tokens(&caller.0, &project.0, filter, paging.request).await?;
    AppError::check(params.finish())?;
    let items = page.items.into_iter().map(ApiKeyView::from).collect();
    paging.answer(&api, page.total, items)
}

/// Make a project token
///
/// It sees this project and nothing else, and ends with it. The answer is the only one that holds the token itself.
#[utoipa::path(
    post,
    path = "",
    tag = "Project tokens",
    operation_id = "project_tokens_create",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = CreateProjectToken,
    responses((
        status = 201,
        description = "The token.",
        body = NewApiKeyView,
    )),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let new = NewKey {
        name: fields.required_text("name"),
        scopes: fields.texts("scopes"),
        expires_at: fields.nullable_text("expires_at").flatten(),
        allowed_ips: fields.texts("allowed_ips").unwrap_or_default(),
        project_ids: Vec::new(),
    };
    let answer = |(key, secret): &(ApiKey, String)| {
        let project = key.project().map(ToString::to_string).unwrap_or_default();
        let path = format!("/projects/{project}/tokens/{}", key.id);
        let view = NewApiKeyView { shown: key.clone().into(), key: secret.clone() };
        respond::created(&path, &view)
    };
    let terms = fields.once(&caller, answer);
    let made = api.app.create_token(&caller.0, &project.0, new, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Revoke a project token
///
/// It works no longer and stays in the list for a while. A token may revoke itself.
#[utoipa::path(
    delete,
    path = "",
    tag = "Project tokens",
    operation_id = "project_tokens_revoke",
    params(
        ("project" = String, Path, description = "The id or the name of a project."),
        ("id" = String, Path, description = "The id of a token."),
    ),
    responses((status = 204, description = "Revoked.")),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    token: NamedIn,
    asked: Asked,
    params: Params,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    AppError::check(params.finish())?;
    api.app.revoke_token(&caller.0, &token.project, &token.id, &asked.terms()).await?;
    Ok(respond::nothing())
}
