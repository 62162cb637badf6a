//! `/projects/{project}/env`: variables listed, set, removed.

use axum::extract::State;
use axum::response::Response;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use serde::Serialize;

use super::Api;
use super::asked::Asked;
use super::body::JsonBody;
use super::env_request::{
    CreateEnvVariable, ListParams, RedeployParams, ReplaceParams, SetEnvVariable, SetEnvVariables,
    ShowParams, TargetParams,
};
use super::env_view::{EnvChangesView, EnvVarPage, EnvVarView};
use super::error::ApiError;
use super::fields::Fields;
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::path::{Named, NamedVariable};
use super::respond::{self, Answer};
use crate::app::env::{ChangeTo, Changed, NewVariable};
use crate::app::may::Action;
use crate::app::terms::Settled;
use crate::db::env_vars::{EnvFilter, SORTS};
use crate::model::project_env::{EnvTarget, EnvVar};

/// List variables
#[utoipa::path(
    get,
    path = "",
    tag = "Variables",
    operation_id = "env_list",
    params(("project" = String, Path, description = "The id or the name of a project."), PageParams, ListParams),
    responses((status = 200, description = "A page of its variables.", body = EnvVarPage)),
    security(("bearerAuth" = ["env:read"])),
)]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    mut params: Params,
) -> Answer {
    caller.may(Action::EnvRead)?;
    let reveal = reveals(&caller, &mut params)?;
    let paging = Paging::read(&mut params);
    let filter = EnvFilter {
        targets: params.words("target", EnvTarget::ALL, |target| target.as_str()),
        query: params.text("q").filter(|query| !query.is_empty()),
        sort: params.sort(&SORTS),
    };
    let problems = params.finish();
    let page =
        api.app.variables(&caller.0, &project.0, filter, paging.request, reveal, problems).await?;
    let items: Vec<EnvVarView> = page.items.into_iter().map(Into::into).collect();
    Ok(unstored(paging.answer(&api, page.total, items)?, reveal))
}

/// Make a variable
///
/// It counts from the next deployment or restart on.
#[utoipa::path(
    post,
    path = "",
    tag = "Variables",
    operation_id = "env_create",
    params(("project" = String, Path, description = "The id or the name of a project."), RedeployParams),
    request_body = CreateEnvVariable,
    responses(
        (status = 201, description = "The variable, without its value.", body = EnvVarView),
        (status = 409, description = "`key_exists`: it is there already for this target; `project_paused`: it cannot be deployed."),
    ),
    security(("bearerAuth" = ["env:write"])),
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    mut params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::EnvWrite)?;
    let redeploy = redeploys(&caller, &mut params)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let new = NewVariable {
        key: fields.required_text("key"),
        value: fields.required_text("value"),
        sensitive: fields.flag("sensitive"),
    };
    let target = target_of(&mut fields);
    let answer = |changed: &Changed<EnvVar>| made(changed, &changed.outcome);
    let terms = fields.once(&caller, answer);
    let problems = fields.finish();
    let changed = api
        .app
        .create_variable(
            &caller.0,
            ChangeTo { project: &project.0, target, redeploy },
            new,
            problems,
            &terms,
        )
        .await?;
    Ok(respond::settled(&answer(&changed)))
}

/// Set variables
///
/// All or none of it happens. What is not named stays, unless `replace` says otherwise.
#[utoipa::path(
    put,
    path = "",
    tag = "Variables",
    operation_id = "env_set_all",
    params(("project" = String, Path, description = "The id or the name of a project."), ReplaceParams, RedeployParams),
    request_body = SetEnvVariables,
    responses(
        (status = 200, description = "What changed.", body = EnvChangesView),
        (status = 409, description = "`project_paused`: it cannot be deployed."),
    ),
    security(("bearerAuth" = ["env:write"])),
)]
pub async fn set_all(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    mut params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::EnvWrite)?;
    let redeploy = redeploys(&caller, &mut params)?;
    let replace = params.flag("replace").unwrap_or(false);
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let wanted = fields.environment_changes("variables");
    let target = target_of(&mut fields);
    let problems = fields.finish();
    let changed = api
        .app
        .set_variables(
            &caller.0,
            ChangeTo { project: &project.0, target, redeploy },
            wanted,
            replace,
            problems,
        )
        .await?;
    Ok(respond::settled(&changes(&changed, &EnvChangesView::from(changed.outcome))))
}

/// Get a variable
#[utoipa::path(
    get,
    path = "",
    tag = "Variables",
    operation_id = "env_get",
    params(
        ("project" = String, Path, description = "The id or the name of a project."),
        ("key" = String, Path, description = "The name of a variable."),
        ShowParams,
    ),
    responses((status = 200, description = "The variable.", body = EnvVarView)),
    security(("bearerAuth" = ["env:read"])),
)]
pub async fn show(
    State(api): State<Api>,
    caller: Caller,
    named: NamedVariable,
    mut params: Params,
) -> Answer {
    caller.may(Action::EnvRead)?;
    let reveal = reveals(&caller, &mut params)?;
    let target = target_param(&mut params);
    let NamedVariable { project, key } = named;
    let problems = params.finish();
    let shown = api.app.variable(&caller.0, &project, &key, target, reveal, problems).await?;
    let revision = shown.variable.revision;
    Ok(unstored(respond::revised(revision, &EnvVarView::from(shown))?, reveal))
}

/// Set a variable
///
/// It is made when it is not there.
#[utoipa::path(
    put,
    path = "",
    tag = "Variables",
    operation_id = "env_set",
    params(
        ("project" = String, Path, description = "The id or the name of a project."),
        ("key" = String, Path, description = "The name of a variable.", pattern = "^(?!ORBITRA_)[A-Za-z_][A-Za-z0-9_]{0,127}$"),
        TargetParams,
        RedeployParams,
    ),
    request_body = SetEnvVariable,
    responses(
        (status = 200, description = "The variable, without its value.", body = EnvVarView),
        (status = 201, description = "The new variable, without its value.", body = EnvVarView),
        (status = 409, description = "`project_paused`: it cannot be deployed."),
        (status = 412, description = "It changed since the revision in `If-Match`, or is not there."),
    ),
    security(("bearerAuth" = ["env:write"])),
)]
pub async fn set(
    State(api): State<Api>,
    caller: Caller,
    named: NamedVariable,
    mut params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::EnvWrite)?;
    let redeploy = redeploys(&caller, &mut params)?;
    let target = target_param(&mut params);
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let NamedVariable { project, key } = named;
    let new = NewVariable {
        key: Some(key),
        value: fields.required_text("value"),
        sensitive: fields.flag("sensitive"),
    };
    let terms = fields.terms();
    let problems = fields.finish();
    let changed = api
        .app
        .set_variable(
            &caller.0,
            ChangeTo { project: &project, target, redeploy },
            new,
            problems,
            &terms,
        )
        .await?;
    let (variable, new) = &changed.outcome;
    let settled = if *new {
        made(&changed, variable)
    } else {
        changes(&changed, &EnvVarView::from(variable.clone()))
    };
    Ok(respond::settled(&settled))
}

/// Delete a variable
#[utoipa::path(
    delete,
    path = "",
    tag = "Variables",
    operation_id = "env_delete",
    params(
        ("project" = String, Path, description = "The id or the name of a project."),
        ("key" = String, Path, description = "The name of a variable."),
        TargetParams,
        RedeployParams,
    ),
    responses(
        (status = 204, description = "Deleted."),
        (status = 409, description = "`project_paused`: it cannot be deployed."),
        (status = 412, description = "It changed since the revision in `If-Match`."),
    ),
    security(("bearerAuth" = ["env:write"])),
)]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    named: NamedVariable,
    asked: Asked,
    mut params: Params,
) -> Answer {
    caller.may(Action::EnvWrite)?;
    let redeploy = redeploys(&caller, &mut params)?;
    let target = target_param(&mut params);
    let NamedVariable { project, key } = named;
    let (problems, terms) = (params.finish(), asked.terms());
    let changed = api
        .app
        .remove_variable(
            &caller.0,
            ChangeTo { project: &project, target, redeploy },
            &key,
            problems,
            &terms,
        )
        .await?;
    let mut response = respond::nothing();
    if let Some(id) = changed.deployment
        && let Ok(id) = HeaderValue::try_from(id.as_str())
    {
        response.headers_mut().insert(DEPLOYMENT, id);
    }
    Ok(response)
}

/// Names the deployment a change has started.
const DEPLOYMENT: &str = "x-orbitra-deployment";

fn reveals(caller: &Caller, params: &mut Params) -> Result<bool, ApiError> {
    let reveal = params.flag("reveal").unwrap_or(false);
    if reveal {
        caller.may(Action::EnvReveal)?;
    }
    Ok(reveal)
}

fn redeploys(caller: &Caller, params: &mut Params) -> Result<bool, ApiError> {
    let redeploy = params.flag("redeploy").unwrap_or(false);
    if redeploy {
        caller.may(Action::DeploymentsWrite)?;
    }
    Ok(redeploy)
}

fn target_param(params: &mut Params) -> Option<EnvTarget> {
    let words: Vec<_> = EnvTarget::ALL.iter().map(|target| target.as_str()).collect();
    params.word("target", &words).and_then(EnvTarget::parse)
}

fn target_of(fields: &mut Fields) -> Option<EnvTarget> {
    let text = fields.nullable_text("target").flatten()?;
    let target = EnvTarget::parse(&text);
    if target.is_none() {
        let words = EnvTarget::ALL.iter().map(|target| target.as_str());
        fields.problems.unknown_value("target", words);
    }
    target
}

/// A new variable and where it is.
fn made<T>(changed: &Changed<T>, variable: &EnvVar) -> Settled {
    let target = match variable.target {
        EnvTarget::All => String::new(),
        other => format!("?target={}", other.as_str()),
    };
    let path = format!("/projects/{}/env/{}{target}", changed.project, variable.key);
    with_deployment(respond::created(&path, &EnvVarView::from(variable.clone())), changed)
}

fn changes<T>(changed: &Changed<T>, view: &impl Serialize) -> Settled {
    with_deployment(respond::done(view), changed)
}

fn with_deployment<T>(mut settled: Settled, changed: &Changed<T>) -> Settled {
    let deployment = changed.deployment.iter().map(|id| (DEPLOYMENT.to_owned(), id.to_string()));
    settled.headers.extend(deployment);
    settled
}

/// What shows a secret is not to be kept by anybody.
fn unstored(mut response: Response, secret: bool) -> Response {
    if secret {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
