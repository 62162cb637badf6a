//! What is done to a finished deployment: deployed again, promoted, gone back to, deleted.

use axum::extract::State;

use super::Api;
use super::asked::Asked;
use super::body::JsonBody;
use super::deployment_request::{Nothing, Redeploy, Rollback};
use super::deployment_view::{DeploymentView, NewDeploymentView};
use super::fields::Fields;
use super::guards::Caller;
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::promote::RollbackTo;
use crate::app::redeploy::Again;
use crate::app::terms::Settled;
use crate::config::Hosts;
use crate::model::deployment::{Deployment, Status};
use crate::model::release::Variables;

/// Deploy the same commit again
///
/// With the project's variables of today. Variables that were the earlier deployment's own are not copied.
#[utoipa::path(
    post,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_redeploy",
    params(("id" = String, Path, description = "The id of a deployment.")),
    request_body = Option<Redeploy>,
    responses(
        (
            status = 201,
            description = "The new deployment.",
            links(
                ("get" = (operation_id = "deployments_get", parameters(("id" = "$response.body#/id")))),
                ("cancel" = (operation_id = "deployments_cancel", parameters(("id" = "$response.body#/id")))),
            ),
            body = NewDeploymentView,
        ),
        (status = 409, description = "`project_paused`, or `idempotency_key_in_use`."),
        (status = 412, description = "`If-Match` names another revision."),
        (status = 422, description = "The Idempotency-Key was used for another request."),
    ),
    security(("bearerAuth" = ["deployments:write"])),
)]
pub async fn redeploy(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::DeploymentsWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let again = Again {
        clear_cache: fields.flag("clear_cache").unwrap_or(false),
        environment: fields.environment("environment"),
    };
    let hosts = api.app.hosts.clone();
    let answer = move |made: &Deployment| {
        let path = format!("/deployments/{}", made.id);
        respond::created(&path, &NewDeploymentView::new(made.clone(), &hosts))
    };
    let terms = fields.once(&caller, answer.clone());
    let made = api.app.redeploy(&caller.0, &id.0, again, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Promote a deployment
///
/// It is started and checked, then it gets the project's traffic; until then the live one keeps it. One that is live stays so.
#[utoipa::path(
    post,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_promote",
    params(("id" = String, Path, description = "The id of a deployment.")),
    request_body = Option<Nothing>,
    responses(
        (status = 200, description = "It is live already.", body = DeploymentView),
        (status = 202, description = "It is on its way; `phase` tells where.", body = DeploymentView),
        (status = 409, description = "`deployment_not_promotable`, `image_removed`, `project_paused`, or `idempotency_key_in_use`."),
        (status = 412, description = "`If-Match` names another revision."),
        (status = 422, description = "The Idempotency-Key was used for another request."),
    ),
    security(("bearerAuth" = ["deployments:write"])),
)]
pub async fn promote(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::DeploymentsWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let answer = on_its_way(&api.app.hosts);
    let terms = fields.once(&caller, answer.clone());
    AppError::check(fields.finish())?;
    let wanted = api.app.promote_deployment(&caller.0, &id.0, &terms).await?;
    Ok(respond::settled(&answer(&wanted)))
}

/// Go back to an earlier deployment
///
/// Without `deployment_id` to the one that served last. It comes back with the variables it was made with, or with those of
/// today. From then on newer deployments wait on their own URLs until one is promoted.
#[utoipa::path(
    post,
    path = "",
    tag = "Projects",
    operation_id = "projects_rollback",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = Option<Rollback>,
    responses(
        (status = 202, description = "The deployment, on its way; `phase` tells where.", body = DeploymentView),
        (status = 409, description = "`no_rollback_target`, `deployment_not_promotable`, `image_removed`, `project_paused`, or \
            `idempotency_key_in_use`."),
        (status = 412, description = "`If-Match` names another revision."),
        (status = 422, description = "The Idempotency-Key was used for another request."),
    ),
    security(("bearerAuth" = ["deployments:write"])),
)]
pub async fn rollback(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::DeploymentsWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let to = RollbackTo {
        deployment: fields.nullable_text("deployment_id").flatten(),
        auto_deploy: fields.flag("auto_deploy"),
        variables: variables(&mut fields),
    };
    let answer = on_its_way(&api.app.hosts);
    let terms = fields.once(&caller, answer.clone());
    let wanted = api.app.rollback(&caller.0, &project.0, to, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&wanted)))
}

/// Which variables the deployment comes back with.
fn variables(fields: &mut Fields) -> Variables {
    let Some(name) = fields.text("environment") else { return Variables::default() };
    Variables::parse(&name).unwrap_or_else(|| {
        let known = Variables::ALL.map(Variables::as_str);
        fields.problems.unknown_value("environment", known);
        Variables::default()
    })
}

/// The deployment that is to get the traffic, or has it.
fn on_its_way(hosts: &Hosts) -> impl Fn(&Deployment) -> Settled + Clone + Send + Sync + 'static {
    let hosts = hosts.clone();
    move |deployment| {
        let path = format!("/deployments/{}", deployment.id);
        let view = DeploymentView::new(deployment.clone(), None, &hosts);
        match deployment.status() {
            Status::Live => respond::done(&view),
            _ => respond::accepted(&path, &view),
        }
    }
}

/// Delete a deployment
///
/// With its image, its files and its logs. Its URL answers 410 from now on.
#[utoipa::path(
    delete,
    path = "",
    tag = "Deployments",
    operation_id = "deployments_delete",
    params(("id" = String, Path, description = "The id of a deployment.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 409, description = "`deployment_is_live`, or `deployment_not_cancelable`: it is being built, cancel it first."),
        (status = 412, description = "`If-Match` names another revision."),
    ),
    security(("bearerAuth" = ["deployments:write"])),
)]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    asked: Asked,
    params: Params,
) -> Answer {
    caller.may(Action::DeploymentsWrite)?;
    AppError::check(params.finish())?;
    api.app.delete_deployment(&caller.0, &id.0, &asked.terms()).await?;
    Ok(respond::nothing())
}
