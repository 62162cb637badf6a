//! `/dashboard/projects/{name}/variables`: the list, a new one, and showing a value.

use std::collections::HashMap;

use axum::extract::{Path, State};
use http::StatusCode;

use super::params::Params;
use super::respond::{self, Answer, see_other};
use super::show::{form_errors, moment};
use super::{PageError, Pages, Visitor, variable};
use crate::app::AppError;
use crate::app::env::{ChangeTo, Changed, NewVariable};
use crate::app::terms::Terms;
use crate::db;
use crate::db::env_vars::EnvFilter;
use crate::db::page::PageRequest;
use crate::model::env_var::MAX_COUNT;
use crate::model::ids::UserId;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::project_env::{EnvSource, EnvTarget, EnvVar};
use crate::web::csrf::Fields;
use crate::web::view::form::Errors;
use crate::web::view::shell::{Notice, Shell};
use crate::web::view::variables::{AddForm, Pending, VariableRow, VariablesPage};

/// The API's names of what the form asks for.
const FIELDS: [(&str, &str); 3] = [("key", "key"), ("value", "value"), ("sensitive", "sensitive")];

/// The page, or with `?part=pending` what is not deployed yet.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let target = EnvTarget::parse(params.get("target"));
    let query = params.get("q").trim().chars().take(60).collect::<String>();
    match params.get("part") {
        "" => {
            let shell = visitor.shell().await?;
            respond::html(&page(&pages, &visitor, &name, shell, target, query).await?)
        }
        "pending" => {
            let page = page(&pages, &visitor, &name, visitor.bare_shell(), target, query).await?;
            respond::html(&page.as_pending())
        }
        _ => Err(PageError::not_found()),
    }
}

/// Fills the page, with what passes the filter.
pub(super) async fn page(
    pages: &Pages,
    visitor: &Visitor,
    name: &str,
    shell: Shell,
    target: Option<EnvTarget>,
    query: String,
) -> Result<VariablesPage, PageError> {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let project = app.project(actor, name).await?;
    let filter = EnvFilter {
        targets: target.into_iter().collect(),
        query: (!query.is_empty()).then(|| query.clone()),
        sort: Some(("key".to_owned(), false)),
    };
    // As many as there can be.
    let all = PageRequest { page: 1, limit: u32::try_from(MAX_COUNT).unwrap_or(u32::MAX) };
    let id = project.id.as_str();
    let found = app.variables(actor, id, filter, all, false, Problems::default()).await?;
    let everything = EnvFilter::default();
    let one = PageRequest { page: 1, limit: 1 };
    let total = app.variables(actor, id, everything, one, false, Problems::default()).await?.total;
    let variables: Vec<_> = found.items.into_iter().map(|shown| shown.variable).collect();
    let names = names(pages, &variables).await?;
    Ok(VariablesPage {
        shell,
        project: project.name.clone(),
        project_id: project.id.to_string(),
        rows: variables.iter().map(|variable| row(variable, &names)).collect(),
        total: usize::try_from(total).unwrap_or(usize::MAX),
        target: target.map(EnvTarget::as_str).unwrap_or_default(),
        query,
        pending: pending(&project),
        may_redeploy: may_redeploy(&project),
        add: AddForm::default(),
        errors: Errors::none(),
        paste: Default::default(),
        paste_errors: Errors::none(),
        preview: None,
    })
}

/// The deployment that a change is deployed with: the one visitors get, or else the last one.
pub(super) fn repeated(project: &Project) -> Option<String> {
    let repeated = project.live_deployment_id.as_ref().or(project.latest_deployment_id.as_ref());
    repeated.map(ToString::to_string)
}

pub(super) fn may_redeploy(project: &Project) -> bool {
    project.paused_at.is_none() && repeated(project).is_some()
}

fn pending(project: &Project) -> Option<Pending> {
    project.pending_redeploy.then(|| Pending {
        deployment: repeated(project).filter(|_| may_redeploy(project)),
        paused: project.paused_at.is_some(),
    })
}

/// The names of whoever changed these variables.
pub(super) async fn names(
    pages: &Pages,
    variables: &[EnvVar],
) -> Result<HashMap<UserId, String>, AppError> {
    let mut users: Vec<_> = variables.iter().map(|variable| variable.updated_by.clone()).collect();
    users.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    users.dedup();
    pages
        .app
        .db
        .read(move |c| {
            let mut names = HashMap::new();
            for id in users {
                if let Some(user) = db::users::find(c, &id)? {
                    names.insert(id, user.name);
                }
            }
            Ok(names)
        })
        .await
}

pub(super) fn row(variable: &EnvVar, names: &HashMap<UserId, String>) -> VariableRow {
    VariableRow {
        key: variable.key.clone(),
        target: variable.target.as_str(),
        sensitive: variable.sensitive,
        source: match variable.source {
            EnvSource::User => names.get(&variable.updated_by).cloned().unwrap_or_default(),
            EnvSource::Database => "a database".to_owned(),
            EnvSource::System => "Orbitra".to_owned(),
        },
        at: moment(variable.updated_at),
        value: None,
    }
}

/// What was typed into a field of several lines, with the ends of lines a browser does not keep.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Makes a variable.
pub async fn create(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let add = AddForm {
        key: fields.trimmed("key").to_owned(),
        value: lines(fields.get("value")),
        target: fields.get("target").to_owned(),
        sensitive: !fields.get("sensitive").is_empty(),
    };
    let (status, errors) = match EnvTarget::parse(&add.target) {
        None => (StatusCode::UNPROCESSABLE_ENTITY, Errors::one("target", "Choose one of these.")),
        Some(target) => {
            let redeploy = !fields.get("redeploy").is_empty();
            let to = ChangeTo { project: &name, target: Some(target), redeploy };
            let new = NewVariable {
                key: Some(add.key.clone()),
                value: Some(add.value.clone()),
                sensitive: Some(add.sensitive),
            };
            let (none, terms) = (Problems::default(), Terms::none());
            match app.create_variable(actor, to, new, none, &terms).await {
                Ok(changed) => {
                    let said = format!("`{}` is saved.", add.key);
                    return changed_page(&visitor, &name, &changed, redeploy, said).await;
                }
                Err(error) => refused(error)?,
            }
        }
    };
    let page = page(&pages, &visitor, &name, visitor.bare_shell(), None, String::new()).await?;
    respond::html_with(status, &VariablesPage { add, errors, ..page })
}

/// What is wrong with a variable, beside the fields.
pub(super) fn refused(error: AppError) -> Result<(StatusCode, Errors), PageError> {
    match error {
        AppError::Invalid(problems) => {
            let errors = form_errors(&problems, &FIELDS);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, errors))
        }
        AppError::Conflict { reason, message, .. } => {
            let field = if reason == "key_exists" { "key" } else { "" };
            Ok((StatusCode::CONFLICT, Errors::one(field, message)))
        }
        other => Err(other.into()),
    }
}

/// Where a change leads: to the deployment it started, or back to the list.
pub(super) async fn changed_page<T>(
    visitor: &Visitor,
    project: &str,
    changed: &Changed<T>,
    redeploy: bool,
    said: String,
) -> Answer {
    if let Some(deployment) = &changed.deployment {
        visitor.tell(Notice::good(said)).await?;
        return Ok(see_other(&format!("/dashboard/deployments/{deployment}")));
    }
    let notice = if redeploy {
        Notice::bad(format!("{said} It could not be deployed: deploy the project by hand."))
    } else {
        Notice::good(said)
    };
    visitor.tell(notice).await?;
    Ok(see_other(&format!("/dashboard/projects/{project}/variables")))
}

/// `POST …/{target}/{key}/reveal`: the value, once, and an entry in the audit log. With `to=edit` on
/// the page of the variable, else in the list.
pub async fn reveal(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((name, target, key)): Path<(String, String, String)>,
    fields: Fields,
) -> Answer {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let target = EnvTarget::parse(&target).ok_or_else(PageError::not_found)?;
    let shown = app.variable(actor, &name, &key, Some(target), true, Problems::default()).await?;
    let Some(value) = shown.value else {
        return Err(PageError::forbidden(
            "This variable is write-only: its value is never shown again.",
        ));
    };
    if fields.get("to") == "edit" {
        let page = variable::page(&pages, &visitor, &name, shown.variable, visitor.bare_shell());
        let page = page.await?;
        return respond::html(&variable::revealed(page, value));
    }
    let shell = visitor.bare_shell();
    let mut page = page(&pages, &visitor, &name, shell, None, String::new()).await?;
    for row in &mut page.rows {
        if row.key == key && row.target == target.as_str() {
            row.value = Some(value.clone());
        }
    }
    respond::html(&page)
}
