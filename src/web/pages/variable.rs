//! `/dashboard/projects/{name}/variables/{target}/{key}`: one variable, its value and the way to delete it.

use axum::extract::{Path, State};
use http::StatusCode;

use super::objection::objection;
use super::respond::{self, Answer, see_other};
use super::variables::{changed_page, lines, may_redeploy, names, refused, row};
use super::{PageError, Pages, Visitor};
use crate::app::AppError;
use crate::app::env::{ChangeTo, NewVariable};
use crate::app::terms::{IfMatch, Terms};
use crate::model::problems::Problems;
use crate::model::project_env::{EnvTarget, EnvVar};
use crate::web::csrf::Fields;
use crate::web::view::form::Errors;
use crate::web::view::shell::{Notice, Shell};
use crate::web::view::variable::VariablePage;

/// The page.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((name, target, key)): Path<(String, String, String)>,
) -> Answer {
    let variable = find(&pages, &visitor, &name, &target, &key).await?;
    let shell = visitor.shell().await?;
    respond::html(&page(&pages, &visitor, &name, variable, shell).await?)
}

async fn find(
    pages: &Pages,
    visitor: &Visitor,
    project: &str,
    target: &str,
    key: &str,
) -> Result<EnvVar, PageError> {
    let target = EnvTarget::parse(target).ok_or_else(PageError::not_found)?;
    let actor = &visitor.signed_in.actor;
    let none = Problems::default();
    let shown = pages.app.variable(actor, project, key, Some(target), false, none).await?;
    Ok(shown.variable)
}

/// Fills the page, without the value.
pub(super) async fn page(
    pages: &Pages,
    visitor: &Visitor,
    name: &str,
    variable: EnvVar,
    shell: Shell,
) -> Result<VariablePage, PageError> {
    let project = pages.app.project(&visitor.signed_in.actor, name).await?;
    let names = names(pages, std::slice::from_ref(&variable)).await?;
    Ok(VariablePage {
        shell,
        project: project.name.clone(),
        row: row(&variable, &names),
        revision: variable.revision,
        value: String::new(),
        revealed: false,
        may_redeploy: may_redeploy(&project),
        errors: Errors::none(),
    })
}

/// The same page with the value to be read and changed.
pub(super) fn revealed(page: VariablePage, value: String) -> VariablePage {
    VariablePage { value, revealed: true, ..page }
}

/// Saves a new value.
pub async fn save(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((name, target, key)): Path<(String, String, String)>,
    fields: Fields,
) -> Answer {
    let variable = find(&pages, &visitor, &name, &target, &key).await?;
    let value = lines(fields.get("value"));
    let (status, errors) = if value.is_empty() && fields.get("empty").is_empty() {
        let message = "Type the new value. For an empty one tick the box below.";
        (StatusCode::UNPROCESSABLE_ENTITY, Errors::one("value", message))
    } else {
        let redeploy = !fields.get("redeploy").is_empty();
        let to = ChangeTo { project: &name, target: Some(variable.target), redeploy };
        let new = NewVariable {
            key: Some(key.clone()),
            value: Some(value.clone()),
            sensitive: (!fields.get("sensitive").is_empty()).then_some(true),
        };
        let revisions = fields.get("revision").parse().into_iter().collect();
        let terms = Terms::none().matching(Some(IfMatch::Revisions(revisions)));
        let actor = &visitor.signed_in.actor;
        let none = Problems::default();
        match pages.app.set_variable(actor, to, new, none, &terms).await {
            Ok(changed) => {
                let said = format!("`{key}` is saved.");
                return changed_page(&visitor, &name, &changed, redeploy, said).await;
            }
            Err(AppError::PreconditionFailed { .. }) => {
                let message = "Somebody else changed this variable in the meantime. Your value is below; save it again to put it in the place of theirs.";
                (StatusCode::CONFLICT, Errors::one("", message))
            }
            Err(error) => refused(error)?,
        }
    };
    // Read again, with the revision of now.
    let variable = find(&pages, &visitor, &name, &target, &key).await?;
    let page = page(&pages, &visitor, &name, variable, visitor.bare_shell()).await?;
    respond::html_with(status, &VariablePage { value, errors, ..page })
}

/// `POST …/delete`.
pub async fn delete(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((name, target, key)): Path<(String, String, String)>,
    fields: Fields,
) -> Answer {
    let target = EnvTarget::parse(&target).ok_or_else(PageError::not_found)?;
    let redeploy = !fields.get("redeploy").is_empty();
    let to = ChangeTo { project: &name, target: Some(target), redeploy };
    let (actor, none) = (&visitor.signed_in.actor, Problems::default());
    match pages.app.remove_variable(actor, to, &key, none, &Terms::none()).await {
        Ok(changed) => {
            let said = format!("`{key}` is deleted.");
            changed_page(&visitor, &name, &changed, redeploy, said).await
        }
        Err(error) => {
            let why = objection(error)?;
            visitor.tell(Notice::bad(format!("`{key}` is still there. {why}"))).await?;
            Ok(see_other(&format!("/dashboard/projects/{name}/variables")))
        }
    }
}
