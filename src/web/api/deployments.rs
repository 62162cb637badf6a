//! `/deployments` and `/projects/{project}/deployments`: accepted, listed, awaited, canceled.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;

use super::Api;
use super::body::JsonBody;
use super::deployment_view;
use super::error::ApiError;
use super::guards::Caller;
use super::include::Include;
use super::object::Object;
use super::page::Paging;
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::deployments::NewDeployment;
use crate::app::may::Action;
use crate::db::deployments::{DeploymentFilter, SORTS};
use crate::model::deployment::{Deployment, Status, Target, Trigger};

/// `POST /projects/{project}/deployments`
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
        trigger: None,
    };
    let made = api.app.create_deployment(&caller.0, &project.0, new, fields.finish()).await?;
    let path = format!("/deployments/{}", made.id);
    Ok(respond::created(&path, &deployment_view::given(&made, &api.app.hosts)))
}

/// `GET /deployments`
pub async fn list(State(api): State<Api>, caller: Caller, params: Params) -> Answer {
    page(&api, &caller, None, params).await
}

/// `GET /projects/{project}/deployments`
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
    let include = params.include(&deployment_view::MORE);
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
    for deployment in &found.items {
        items.push(item(api, deployment, &include).await?);
    }
    Ok(paging.answer(api, found.total, &items))
}

async fn item(api: &Api, deployment: &Deployment, include: &Include) -> Result<Object, ApiError> {
    let queue_position = if include.wants("queue_position") {
        api.app.queue_position(deployment).await?
    } else {
        None
    };
    let full = deployment_view::full(deployment, queue_position, &api.app.hosts);
    Ok(include.of(&deployment_view::GIVEN, full))
}

/// `GET /deployments/{id}`
pub async fn show(State(api): State<Api>, caller: Caller, id: Named, mut params: Params) -> Answer {
    let (mut deployment, _) = api.app.deployment(&caller.0, &id.0).await?;
    let wait = params.number("wait", 1, 60);
    AppError::check(params.finish())?;
    if let Some(seconds) = wait {
        let limit = Duration::from_secs(seconds);
        (deployment, _) = api.app.wait_for_deployment(&caller.0, &id.0, limit).await?;
    }
    one(&api, &deployment).await
}

/// `POST /deployments/{id}/cancel`
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
    AppError::check(fields.finish())?;
    let (deployment, _) = api.app.cancel_deployment(&caller.0, &id.0).await?;
    one(&api, &deployment).await
}

async fn one(api: &Api, deployment: &Deployment) -> Result<Response, ApiError> {
    let queue_position = api.app.queue_position(deployment).await?;
    let full = deployment_view::full(deployment, queue_position, &api.app.hosts);
    Ok(respond::object(&full))
}
