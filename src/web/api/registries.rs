//! `/registries`: credentials of a team for private registries of images.

use axum::extract::State;

use super::Api;
use super::asked::Asked;
use super::body::JsonBody;
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::path::Named;
use super::registry_request::CreateRegistry;
use super::registry_view::{RegistryPage, RegistryView};
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::registries::NewRegistry;
use crate::model::registry::Registry;

/// List registries
#[utoipa::path(
    get,
    path = "",
    tag = "Registries",
    operation_id = "registries_list",
    params(PageParams),
    responses((status = 200, description = "A page of them, the newest first.", body = RegistryPage)),
    security(("bearerAuth" = ["projects:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, mut params: Params) -> Answer {
    caller.may(Action::ProjectsRead)?;
    let paging = Paging::read(&mut params);
    AppError::check(params.finish())?;
    let page = api.app.registries(&caller.0, paging.request).await?;
    let items = page.items.into_iter().map(RegistryView::from).collect();
    paging.answer(&api, page.total, items)
}

/// Keep credentials for a registry
///
/// Images of this registry are pulled with them from now on. One user name and password per registry.
#[utoipa::path(
    post,
    path = "",
    tag = "Registries",
    operation_id = "registries_create",
    request_body = CreateRegistry,
    responses(
        (
            status = 201,
            description = "What was kept.",
            links(("delete" = (operation_id = "registries_delete", parameters(("id" = "$response.body#/id"))))),
            body = RegistryView,
        ),
        (status = 409, description = "`key_exists`: there are credentials for this registry."),
    ),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let new = NewRegistry {
        host: fields.required_text("host"),
        username: fields.required_text("username"),
        password: fields.required_text("password"),
    };
    let answer = |made: &Registry| respond::made(&RegistryView::from(made.clone()));
    let terms = fields.once(&caller, answer);
    let made = api.app.create_registry(&caller.0, new, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Forget the credentials for a registry
///
/// What runs goes on. An image that is to be pulled again needs them.
#[utoipa::path(
    delete,
    path = "",
    tag = "Registries",
    operation_id = "registries_delete",
    params(("id" = String, Path, description = "The id of the credentials.")),
    responses((status = 204, description = "Forgotten.")),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    asked: Asked,
    params: Params,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    AppError::check(params.finish())?;
    api.app.delete_registry(&caller.0, &id.0, &asked.terms()).await?;
    Ok(respond::nothing())
}
