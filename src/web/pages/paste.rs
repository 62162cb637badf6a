//! `POST /dashboard/projects/{name}/variables/paste`: the text of a `.env` file, first as a preview of
//! what it changes, then saved. Nothing is saved that was not shown before.

use axum::extract::{Path, State};
use http::StatusCode;

use super::respond::{self, Answer};
use super::variables::{changed_page, lines, page};
use super::{PageError, Pages, Visitor};
use crate::app::AppError;
use crate::app::env::{ChangeTo, Counts};
use crate::app::env_preview::EnvPreview;
use crate::crypto::token;
use crate::model::env_var::{self, Environment};
use crate::model::problems::Problems;
use crate::model::project_env::EnvTarget;
use crate::web::csrf::Fields;
use crate::web::view::form::Errors;
use crate::web::view::variables::{PasteForm, Preview, VariablesPage};

/// Lines that are not understood and are named one by one.
const NAMED: usize = 5;

/// Previews, or saves what was previewed.
pub async fn submit(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let paste = PasteForm {
        text: lines(fields.get("text")),
        target: fields.get("paste_target").to_owned(),
        replace: !fields.get("replace").is_empty(),
    };
    let mut errors = Errors::none();
    let target = EnvTarget::parse(&paste.target);
    if target.is_none() {
        errors.add("paste_target", "Choose one of these.");
    }
    let wanted = variables("text", &paste.text, &mut errors);
    if errors.is_empty() && wanted.is_empty() {
        errors.add("text", "There is no variable in it. Write one `NAME=value` a line.");
    }
    if !errors.is_empty() {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return again(&pages, &visitor, &name, status, paste, errors, None).await;
    }
    let redeploy = fields.get("step") == "redeploy";
    let to = ChangeTo { project: &name, target, redeploy };
    let preview = app.preview_variables(actor, to, wanted.clone(), paste.replace).await?;
    let digest = digest(&paste, &preview);
    let mut status = StatusCode::OK;
    if matches!(fields.get("step"), "save" | "redeploy") {
        if fields.get("digest") == digest {
            let wanted = wanted.into_iter().map(|(key, value)| (key, Some(value))).collect();
            let none = Problems::default();
            match app.set_variables(actor, to, Some(wanted), paste.replace, none).await {
                Ok(changed) => {
                    let said = said(changed.outcome);
                    return changed_page(&visitor, &name, &changed, redeploy, said).await;
                }
                Err(AppError::Invalid(problems)) => {
                    status = StatusCode::UNPROCESSABLE_ENTITY;
                    for problem in problems.invalid_fields {
                        let key = problem
                            .field
                            .strip_prefix("variables.")
                            .map(|key| format!("`{key}`: "));
                        errors
                            .add("text", format!("{}{}", key.unwrap_or_default(), problem.message));
                    }
                }
                Err(AppError::Conflict { message, .. }) => {
                    status = StatusCode::CONFLICT;
                    errors.add("", message);
                }
                Err(other) => return Err(other.into()),
            }
        } else {
            status = StatusCode::CONFLICT;
            let message = "Not saved: the text or the variables changed since you looked. This is what would change now.";
            errors.add("", message);
        }
    }
    let preview = Preview {
        created: preview.created,
        updated: preview.updated,
        same: preview.same.len(),
        deleted: preview.deleted,
        digest,
    };
    again(&pages, &visitor, &name, status, paste, errors, Some(preview)).await
}

async fn again(
    pages: &Pages,
    visitor: &Visitor,
    name: &str,
    status: StatusCode,
    paste: PasteForm,
    paste_errors: Errors,
    preview: Option<Preview>,
) -> Result<axum::response::Response, PageError> {
    let page = page(pages, visitor, name, visitor.bare_shell(), None, String::new()).await?;
    respond::html_with(status, &VariablesPage { paste, paste_errors, preview, ..page })
}

/// Stands for a text and what it would change, so that nothing else is saved.
fn digest(paste: &PasteForm, preview: &EnvPreview) -> String {
    let of = format!("{paste:?} {preview:?}");
    token::hex(&token::hash(&of)[..16])
}

fn said(counts: Counts) -> String {
    let parts: Vec<_> =
        [(counts.created, "added"), (counts.updated, "changed"), (counts.deleted, "removed")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
    if parts.is_empty() {
        return "Nothing changed: the variables were like this already.".to_owned();
    }
    format!("Variables are saved: {}.", parts.join(", "))
}

/// Pasted variables; every line that is not understood is named. No value is repeated.
pub(super) fn variables(field: &'static str, text: &str, errors: &mut Errors) -> Environment {
    let environment = match env_var::parse_dotenv(text) {
        Ok(environment) => environment,
        Err(bad) => {
            let lines: Vec<_> = bad
                .iter()
                .take(NAMED)
                .map(|(line, reason)| format!("Line {line}: {reason}."))
                .collect();
            let more = bad.len().saturating_sub(lines.len());
            let more = if more > 0 { format!(" And {more} more.") } else { String::new() };
            errors.add(field, format!("{}{more}", lines.join(" ")));
            return Environment::new();
        }
    };
    for problem in env_var::problems(&environment) {
        let key = problem.key.map(|key| format!("`{key}`: ")).unwrap_or_default();
        errors.add(field, format!("{key}{}", problem.message));
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_not_understood_are_named() {
        let mut errors = Errors::none();
        variables("text", "A=1\nsecret value\n2B=x", &mut errors);
        let said = errors.of("text").expect("an error");
        assert!(said.contains("Line 2: ") && said.contains("Line 3: "), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }

    #[test]
    fn what_was_saved_is_said() {
        let counts = Counts { created: 2, updated: 0, deleted: 1 };
        assert_eq!(said(counts), "Variables are saved: 2 added, 1 removed.");
        assert!(said(Counts::default()).starts_with("Nothing changed"));
    }
}
