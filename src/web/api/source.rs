//! `/projects/{project}/source`: where the code comes from, and what it is read with.

use axum::extract::State;

use super::Api;
use super::body::JsonBody;
use super::deployment_request::Nothing;
use super::guards::Caller;
use super::params::Params;
use super::path::Named;
use super::project_request::SetSource;
use super::project_view::ProjectView;
use super::respond::{self, Answer};
use super::source_view::DeployKeyView;
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::source::DeployKey;
use crate::app::source_rules::NewSource;

/// Set the source
///
/// Replaces the source as a whole. A token is never shown again; one that is not sent stays, as long as the address
/// is on the same server.
#[utoipa::path(
    put,
    path = "",
    tag = "Projects",
    operation_id = "projects_set_source",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = SetSource,
    responses((status = 200, description = "The project.", body = ProjectView)),
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
    let new = NewSource {
        git_url: fields.required_text("git_url"),
        branch: fields.nullable_text("branch").flatten(),
        root_dir: fields.text("root_dir"),
        auth: fields.text("auth"),
        watch_paths: fields.kept_texts("watch_paths"),
        fork_previews: fields.flag("fork_previews"),
        token: fields.nullable_text("token").flatten(),
    };
    let terms = fields.terms();
    let project = api.app.set_source(&caller.0, &project.0, new, fields.finish(), &terms).await?;
    respond::revised(project.revision, &ProjectView::new(project, &api.app.hosts))
}

/// Get the deploy key
///
/// The public half of the key the project reads its repository with over SSH. It is made when it is first asked for.
#[utoipa::path(
    get,
    path = "",
    tag = "Projects",
    operation_id = "projects_get_deploy_key",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    responses((status = 200, description = "The key.", body = DeployKeyView)),
    security(("bearerAuth" = ["projects:read"])),
)]
pub async fn deploy_key(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
) -> Answer {
    caller.may(Action::ProjectsRead)?;
    AppError::check(params.finish())?;
    let key = api.app.deploy_key(&caller.0, &project.0).await?;
    respond::revised(key.key.revision, &DeployKeyView::new(&key))
}

/// Rotate the deploy key
///
/// Makes a new key in the place of the old one, which is gone at once. `If-Match` takes the tag of the deploy key.
#[utoipa::path(
    post,
    path = "",
    tag = "Projects",
    operation_id = "projects_rotate_deploy_key",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = Option<Nothing>,
    responses(
        (status = 201, description = "The new key.", body = DeployKeyView),
        (status = 412, description = "`If-Match` names another revision."),
    ),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let answer = |made: &DeployKey| {
        let path = format!("/projects/{}/source/deploy-key", made.project.id);
        respond::created(&path, &DeployKeyView::new(made))
    };
    let terms = fields.once(&caller, answer);
    AppError::check(fields.finish())?;
    let made = api.app.rotate_deploy_key(&caller.0, &project.0, &terms).await?;
    Ok(respond::settled(&answer(&made)))
}
