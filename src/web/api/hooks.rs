//! `/projects/{project}/hooks`: addresses that a forge or a script calls when there is something to deploy.

use axum::extract::State;
use http::HeaderValue;
use http::header::CACHE_CONTROL;

use super::Api;
use super::asked::Asked;
use super::body::JsonBody;
use super::deployment_request::Nothing;
use super::guards::Caller;
use super::hook_request::CreateHook;
use super::hook_view::{HookPage, HookView, NewHookView};
use super::page::{PageParams, Paging};
use super::params::Params;
use super::path::{Named, NamedIn};
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::push_hooks::{NewHook, ShownHook};

/// List hooks
///
/// With their addresses, which are credentials.
#[utoipa::path(
    get,
    path = "",
    tag = "Hooks",
    operation_id = "hooks_list",
    params(("project" = String, Path, description = "The id or the name of a project."), PageParams),
    responses((status = 200, description = "A page of them, the newest first.", body = HookPage)),
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
    // Whether the project exists comes before what is wrong with the parameters, so it is looked up in any case.
    let page = api.app.hooks(&caller.0, &project.0, paging.request).await?;
    AppError::check(params.finish())?;
    let items = page.items.into_iter().map(HookView::from).collect();
    let mut answer = paging.answer(&api, page.total, items)?;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// Make a hook
///
/// A `git` hook is for a forge, which signs with the secret; the answer is the only one that holds it. A `deploy` hook
/// has no secret: whoever knows its address may call it. A project may have 20.
#[utoipa::path(
    post,
    path = "",
    tag = "Hooks",
    operation_id = "hooks_create",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = CreateHook,
    responses(
        (status = 409, description = "`too_many_hooks`: the project has as many as it may."),
        (
        status = 201,
        description = "The hook.",
        links(
            ("rotate" = (
                operation_id = "hooks_rotate",
                parameters(("project" = "$request.path.project"), ("id" = "$response.body#/id")),
            )),
            ("delete" = (
                operation_id = "hooks_delete",
                parameters(("project" = "$request.path.project"), ("id" = "$response.body#/id")),
            )),
        ),
        body = NewHookView,
    ),
    ),
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
    let new = NewHook {
        kind: fields.required_text("kind"),
        provider: fields.text("provider"),
        branch: fields.nullable_text("branch").flatten(),
        previews: fields.flag("previews"),
        pull_requests: fields.flag("pull_requests"),
        wait_for_checks: fields.flag("wait_for_checks"),
    };
    let answer = |made: &ShownHook| {
        let path = format!("/projects/{}/hooks/{}", made.hook.project_id, made.hook.id);
        respond::created(&path, &NewHookView::from(made.clone()))
    };
    let terms = fields.once(&caller, answer);
    let made = api.app.create_hook(&caller.0, &project.0, new, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Delete a hook
///
/// Its address is unknown from now on. What it deployed stays.
#[utoipa::path(
    delete,
    path = "",
    tag = "Hooks",
    operation_id = "hooks_delete",
    params(
        ("project" = String, Path, description = "The id or the name of a project."),
        ("id" = String, Path, description = "The id of a hook."),
    ),
    responses((status = 204, description = "Deleted.")),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    hook: NamedIn,
    asked: Asked,
    params: Params,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    AppError::check(params.finish())?;
    api.app.delete_hook(&caller.0, &hook.project, &hook.id, &asked.terms()).await?;
    Ok(respond::nothing())
}

/// Rotate a hook
///
/// Gives it a new address and, of a `git` hook, a new secret. The old ones are refused at once.
#[utoipa::path(
    post,
    path = "",
    tag = "Hooks",
    operation_id = "hooks_rotate",
    params(
        ("project" = String, Path, description = "The id or the name of a project."),
        ("id" = String, Path, description = "The id of a hook."),
    ),
    request_body = Option<Nothing>,
    responses((status = 200, description = "The hook with its new address and secret.", body = NewHookView)),
    security(("bearerAuth" = ["projects:write"])),
)]
pub async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    hook: NamedIn,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::ProjectsWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let answer = |made: &ShownHook| respond::done(&NewHookView::from(made.clone()));
    let terms = fields.once(&caller, answer);
    AppError::check(fields.finish())?;
    let made = api.app.rotate_hook(&caller.0, &hook.project, &hook.id, &terms).await?;
    Ok(respond::settled(&answer(&made)))
}
