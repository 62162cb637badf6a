//! `/deployments` and `/projects/{project}/deployments`: accepted, listed, awaited, canceled.

use std::time::Duration;

use axum::extract::State;

use super::Api;
use super::body::JsonBody;
use super::deployment_request::{CreateDeployment, ListParams, Nothing, ShowParams};
use super::deployment_view::{DeploymentPage, DeploymentView, NewDeploymentView};
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::deployments::NewDeployment;
use crate::app::may::Action;
use crate::db::deployments::{DeploymentFilter, SORTS};
use crate::model::deployment::{Deployment, Status, Target, Trigger};

/// Deploy
///
/// It is accepted at once and built in turn: follow it with `wait`, with its log, or with events.
#[utoipa::path(
    post,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_create",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = CreateDeployment,
    responses((
        status = 201,
        description = "The deployment.",
        links(
            ("get" = (operation_id = "deployments_get", parameters(("id" = "$response.body#/id")))),
            ("cancel" = (operation_id = "deployments_cancel", parameters(("id" = "$response.body#/id")))),
            ("logs" = (operation_id = "deployments_logs", parameters(("id" = "$response.body#/id")))),
        ),
        body = NewDeploymentView,
        example = json!({
            "id": "dep_123abc", "project_id": "prj_abc123", "status": "building",
            "url": "https://my-app-dep123.example.com", "created_at": "2024-01-20T16:29:15Z",
        }),
    ),
    (status = 409, description = "`upload_consumed` or `project_paused`.")),
    security(("bearerAuth" = ["deployments:write"])),
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::DeploymentsWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let new = NewDeployment {
        git_url: fields.required_text("git_url"),
        branch: fields.nullable_text("branch").flatten(),
        environment: fields.environment("environment"),
        commit_sha: fields.nullable_text("commit_sha").flatten(),
        root_dir: fields.nullable_text("root_dir").flatten(),
        target: fields.nullable_text("target").flatten(),
        promote: fields.flag("promote"),
        message: fields.nullable_text("message").flatten(),
        clear_cache: fields.flag("clear_cache").unwrap_or(false),
        upload_id: fields.nullable_text("upload_id").flatten(),
        image: fields.nullable_text("image").flatten(),
        image_pin: None,
        trigger: None,
        untrusted: false,
        checks_until: None,
        source: None,
    };
    let hosts = api.app.hosts.clone();
    let answer = move |made: &Deployment| {
        let path = format!("/deployments/{}", made.id);
        respond::created(&path, &NewDeploymentView::new(made.clone(), &hosts))
    };
    let terms = fields.once(&caller, answer.clone());
    let problems = fields.finish();
    let made = api.app.create_deployment(&caller.0, &project.0, new, problems, &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// List deployments
#[utoipa::path(
    get,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_list",
    params(PageParams, ListParams),
    responses((status = 200, description = "A page of deployments of all projects.", body = DeploymentPage)),
    security(("bearerAuth" = ["deployments:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, params: Params) -> Answer {
    page(&api, &caller, None, params).await
}

/// List the deployments of a project
#[utoipa::path(
    get,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_list_of_project",
    params(("project" = String, Path, description = "The id or the name of a project."), PageParams, ListParams),
    responses((status = 200, description = "A page of its deployments.", body = DeploymentPage)),
    security(("bearerAuth" = ["deployments:read"])),
)]
pub async fn of_project(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
) -> Answer {
    page(&api, &caller, Some(&project.0), params).await
}

async fn page(api: &Api, caller: &Caller, project: Option<&str>, mut params: Params) -> Answer {
    caller.may(Action::DeploymentsRead)?;
    let paging = Paging::read(&mut params);
    let include = params.include::<DeploymentView>();
    let filter = DeploymentFilter {
        statuses: params.words("status", Status::ALL, |status| status.as_str()),
        branches: params.texts("branch"),
        targets: params.words("target", Target::ALL, |target| target.as_str()),
        triggers: params.words("trigger", Trigger::ALL, |trigger| trigger.as_str()),
        commit_sha: params.text("commit_sha").map(|sha| sha.to_ascii_lowercase()),
        created_by: params.text("created_by"),
        created_after: params.moment("created_after"),
        created_before: params.moment("created_before"),
        sort: params.sort(&SORTS),
        ..DeploymentFilter::default()
    };
    // Whether the project exists comes before what is wrong with the parameters, so it is looked up in any case.
    let found = api.app.deployments(&caller.0, project, filter, paging.request).await?;
    AppError::check(params.finish())?;
    let mut items = Vec::with_capacity(found.items.len());
    for deployment in found.items {
        let queue_position = if include.wants("queue_position") {
            api.app.queue_position(&deployment).await?
        } else {
            None
        };
        let full = DeploymentView::new(deployment, queue_position, &api.app.hosts);
        items.push(include.of(full));
    }
    paging.answer(api, found.total, items)
}

/// Get a deployment
#[utoipa::path(
    get,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_get",
    params(("id" = String, Path, description = "The id of a deployment."), ShowParams),
    responses((status = 200, description = "The deployment.", body = DeploymentView)),
    security(("bearerAuth" = ["deployments:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, id: Named, mut params: Params) -> Answer {
    let (mut deployment, _) = api.app.deployment(&caller.0, &id.0).await?;
    let wait = params.number("wait", 1, 60);
    AppError::check(params.finish())?;
    if let Some(seconds) = wait {
        let limit = Duration::from_secs(seconds);
        (deployment, _) = api.app.wait_for_deployment(&caller.0, &id.0, limit).await?;
    }
    one(&api, deployment).await
}

/// Cancel a deployment
///
/// One that is already canceled stays so.
#[utoipa::path(
    post,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_cancel",
    params(("id" = String, Path, description = "The id of a deployment.")),
    request_body = Option<Nothing>,
    responses(
        (status = 200, description = "The canceled deployment.", body = DeploymentView),
        (status = 409, description = "`deployment_not_cancelable`: it is finished."),
    ),
    security(("bearerAuth" = ["deployments:write"])),
)]
pub async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::DeploymentsWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let hosts = api.app.hosts.clone();
    let terms = fields.once(&caller, move |canceled: &Deployment| {
        respond::done(&DeploymentView::new(canceled.clone(), None, &hosts))
    });
    AppError::check(fields.finish())?;
    let (deployment, _) = api.app.cancel_deployment(&caller.0, &id.0, &terms).await?;
    one(&api, deployment).await
}

async fn one(api: &Api, deployment: Deployment) -> Answer {
    let queue_position = api.app.queue_position(&deployment).await?;
    let view = |deployment| DeploymentView::new(deployment, queue_position, &api.app.hosts);
    respond::revised(deployment.revision, &view(deployment))
}
