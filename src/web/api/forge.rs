//! `/projects/{project}/source/forge`: the forge that is told how the commits of a project are deployed.

use axum::extract::State;

use super::Api;
use super::asked::Asked;
use super::body::JsonBody;
use super::forge_view::{ForgeView, SetForge};
use super::guards::Caller;
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::forge::NewForge;
use crate::app::may::Action;

/// Get the forge
///
/// Whom Orbitra tells how the project's commits are deployed. The token is never shown.
#[utoipa::path(
    get,
    path = "",
    tag = "Projects",
    operation_id = "projects_get_forge",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    responses((status = 200, description = "The forge.", body = ForgeView)),
    security(("bearerAuth" = ["projects:read"])),
)]
pub async fn show(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
) -> Answer {
    caller.may(Action::ProjectsRead)?;
    // Whether there is one comes before what is wrong with the parameters.
    let shown = api.app.forge(&caller.0, &project.0).await?;
    AppError::check(params.finish())?;
    respond::revised(shown.forge.revision, &ForgeView::from(shown))
}

/// Set the forge
///
/// From the next deployment on, each commit of the project's source gets a status at the forge that leads back to its
/// deployment: pending, then success or failure. A deployment never waits for it. What was not told because of the token is
/// told when another one is set within a day.
#[utoipa::path(
    put,
    path = "",
    tag = "Projects",
    operation_id = "projects_set_forge",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = SetForge,
    responses((status = 200, description = "The forge.", body = ForgeView)),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn set(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let new = NewForge {
        kind: fields.text("kind"),
        api_url: fields.text("api_url"),
        token: fields.text("token"),
    };
    let terms = fields.terms();
    let shown = api.app.set_forge(&caller.0, &project.0, new, fields.finish(), &terms).await?;
    respond::revised(shown.forge.revision, &ForgeView::from(shown))
}

/// Forget the forge
///
/// The token is gone, and the forge is told nothing more.
#[utoipa::path(
    delete,
    path = "",
    tag = "Projects",
    operation_id = "projects_delete_forge",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    responses((status = 204, description = "Forgotten.")),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    asked: Asked,
    params: Params,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    AppError::check(params.finish())?;
    api.app.remove_forge(&caller.0, &project.0, &asked.terms()).await?;
    Ok(respond::nothing())
}
