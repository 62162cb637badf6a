//! What is done to a project as a whole: paused, resumed, restarted.

use std::sync::Arc;

use axum::extract::State;

use super::Api;
use super::body::JsonBody;
use super::deployment_request::Nothing;
use super::error::ApiError;
use super::guards::Caller;
use super::params::Params;
use super::path::Named;
use super::project_view::ProjectView;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::terms::{Settled, Terms};
use crate::model::project::Project;

type Rendering = Arc<dyn Fn(&Project) -> Settled + Send + Sync>;

/// Pause a project
///
/// Its containers are stopped and its host names answer 503 until it is resumed. A paused one stays so.
#[utoipa::path(
    post,
    path = "",
    tag = "Projects",
    operation_id = "projects_pause",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = Option<Nothing>,
    responses(
        (status = 200, description = "The project.", body = ProjectView),
        (status = 409, description = "`idempotency_key_in_use`."),
        (status = 412, description = "`If-Match` names another revision."),
        (status = 422, description = "The Idempotency-Key was used for another request."),
    ),
    security(("bearerAuth" = ["deployments:write"])),
)]
pub async fn pause(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    let (terms, answer) = asked(&api, &caller, params, body).await?;
    Ok(respond::settled(&answer(&api.app.pause_project(&caller.0, &project.0, &terms).await?)))
}

/// Resume a project
///
/// Its live deployment starts again. One that is not paused is left as it is.
#[utoipa::path(
    post,
    path = "",
    tag = "Projects",
    operation_id = "projects_resume",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = Option<Nothing>,
    responses(
        (status = 200, description = "The project.", body = ProjectView),
        (status = 409, description = "`idempotency_key_in_use`."),
        (status = 412, description = "`If-Match` names another revision."),
        (status = 422, description = "The Idempotency-Key was used for another request."),
    ),
    security(("bearerAuth" = ["deployments:write"])),
)]
pub async fn resume(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    let (terms, answer) = asked(&api, &caller, params, body).await?;
    Ok(respond::settled(&answer(&api.app.resume_project(&caller.0, &project.0, &terms).await?)))
}

/// Restart a project
///
/// A new container of the live deployment takes the place of the old one without a request lost, with the variables of today.
#[utoipa::path(
    post,
    path = "",
    tag = "Projects",
    operation_id = "projects_restart",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = Option<Nothing>,
    responses(
        (status = 200, description = "The project.", body = ProjectView),
        (status = 409, description = "`idempotency_key_in_use`."),
        (status = 412, description = "`If-Match` names another revision."),
        (status = 422, description = "The Idempotency-Key was used for another request."),
    ),
    security(("bearerAuth" = ["deployments:write"])),
)]
pub async fn restart(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    let (terms, answer) = asked(&api, &caller, params, body).await?;
    Ok(respond::settled(&answer(&api.app.restart_project(&caller.0, &project.0, &terms).await?)))
}

/// What all of them ask: nothing but the project.
async fn asked(
    api: &Api,
    caller: &Caller,
    params: Params,
    body: JsonBody,
) -> Result<(Terms<Project>, Rendering), ApiError> {
    caller.may(Action::DeploymentsWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let hosts = api.app.hosts.clone();
    let answer: Rendering =
        Arc::new(move |project| respond::done(&ProjectView::new(project.clone(), &hosts)));
    let stored = answer.clone();
    let terms = fields.once(caller, move |project| stored(project));
    AppError::check(fields.finish())?;
    Ok((terms, answer))
}
