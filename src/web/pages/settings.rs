//! `/dashboard/projects/{name}/settings`: a form for each part of the settings, and deleting the project.

use axum::extract::{Path, State};
use http::StatusCode;

use super::params::Params;
use super::respond::{self, Answer, see_other};
use super::settings_form::{self, FIELDS, digest, patch, typed};
use super::show::form_errors;
use super::{PageError, Pages, Visitor, forge, push_hooks, source};
use super::{settings_proxy, settings_release};
use crate::app::AppError;
use crate::app::project_rules::ProjectPatch;
use crate::app::source_rules::NewSource;
use crate::app::terms::{IfMatch, Terms};
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::web::csrf::Fields;
use crate::web::view::form::Errors;
use crate::web::view::settings::{Section, SettingsPage};
use crate::web::view::shell::{Notice, Shell};

/// How often a change is begun anew when the project changes in between.
const TRIES: usize = 4;

/// The page, or with `?part=hooks` the push hooks.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let project = pages.app.project(&visitor.signed_in.actor, &name).await?;
    match params.get("part") {
        "" => {
            let mut page = page(&pages, &visitor, &project, visitor.shell().await?).await?;
            page.hooks = push_hooks::card(&pages, &visitor, &project, params.get("hook")).await?;
            respond::html(&page)
        }
        "hooks" => {
            let page = page(&pages, &visitor, &project, visitor.bare_shell()).await?;
            respond::html(&page.as_hooks())
        }
        _ => Err(PageError::not_found()),
    }
}

pub(super) async fn page(
    pages: &Pages,
    visitor: &Visitor,
    project: &Project,
    shell: Shell,
) -> Result<SettingsPage, PageError> {
    Ok(SettingsPage {
        shell,
        project: project.name.clone(),
        project_id: project.id.to_string(),
        sections: sections(pages, project).await?,
        key: source::key(pages, visitor, project).await?,
        push: forge::push(pages, project),
        forge: forge::card(pages, visitor, project).await?,
        hooks: push_hooks::card(pages, visitor, project, "").await?,
        errors: Errors::none(),
    })
}

/// The forms in the order of the page.
async fn sections(pages: &Pages, project: &Project) -> Result<Vec<Section>, PageError> {
    let mut sections = settings_form::sections(project);
    sections.insert(1, source::section(pages, project).await?);
    sections.insert(2, push_hooks::section(project));
    sections.extend(settings_release::sections(project));
    sections.extend(settings_proxy::sections(project));
    Ok(sections)
}

/// `POST …/settings/{section}`. Values that somebody else changed since the form was made are not overwritten.
pub async fn save(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((name, section)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    for _ in 0..TRIES {
        let project = pages.app.project(actor, &name).await?;
        let known =
            sections(&pages, &project).await?.into_iter().find(|known| known.name == section);
        let known = known.ok_or_else(PageError::not_found)?;
        if fields.get("was") != digest(&known) {
            let mut errors = Errors::one(
                "",
                "Somebody else changed this in the meantime. Nothing of yours was saved; your values are below. Save again to put them in the place of theirs.",
            );
            for field in known.fields.iter().filter(|field| !field.is_secret()) {
                if field.value != settings_form::sent(field.name, &fields) {
                    errors.add(field.name, format!("Now stored: `{}`", field.value));
                }
            }
            let status = StatusCode::CONFLICT;
            return refused(&pages, &project, &visitor, &section, &fields, status, errors).await;
        }
        let mut errors = Errors::none();
        // What stands in another form stays.
        let sourced = source::wanted(&section, &fields).map(|wanted| NewSource {
            fork_previews: Some(project.source.fork_previews),
            ..wanted
        });
        let patch = match &sourced {
            Some(_) => ProjectPatch::default(),
            None => patch(&known, &fields, &mut errors),
        };
        if !errors.is_empty() {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return refused(&pages, &project, &visitor, &section, &fields, status, errors).await;
        }
        let terms = Terms::none().matching(Some(IfMatch::Revisions(vec![project.revision])));
        let id = project.id.as_str();
        let none = Problems::default();
        let saved = match sourced {
            Some(wanted) => source::set(&pages, actor, id, wanted, &terms).await,
            None => pages.app.update_project(actor, id, patch, none, &terms).await,
        };
        match saved {
            Ok(project) => {
                visitor.tell(Notice::good(format!("{} is saved.", known.title))).await?;
                let address = format!("/dashboard/projects/{}/settings#{section}", project.name);
                return Ok(see_other(&address));
            }
            // Something of another part, or the traffic, changed: look again.
            Err(AppError::PreconditionFailed { .. }) => {}
            Err(AppError::Invalid(problems)) => {
                let errors = form_errors(&problems, &FIELDS);
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                return refused(&pages, &project, &visitor, &section, &fields, status, errors)
                    .await;
            }
            Err(AppError::Conflict { message, details, .. }) => {
                let field = if details["name"].is_string() { "name" } else { "" };
                let errors = Errors::one(field, message);
                let status = StatusCode::CONFLICT;
                return refused(&pages, &project, &visitor, &section, &fields, status, errors)
                    .await;
            }
            Err(other) => return Err(other.into()),
        }
    }
    Err(AppError::Unavailable {
        reason: "maintenance",
        message: "The project is being changed. Try again.",
    }
    .into())
}

/// The page with what was typed, and what is wrong with it.
async fn refused(
    pages: &Pages,
    project: &Project,
    visitor: &Visitor,
    section: &str,
    fields: &Fields,
    status: StatusCode,
    errors: Errors,
) -> Answer {
    let mut page = page(pages, visitor, project, visitor.bare_shell()).await?;
    for known in page.sections.iter_mut().filter(|known| known.name == section) {
        typed(known, fields);
        known.errors = errors.clone();
    }
    respond::html_with(status, &page)
}

/// `POST /dashboard/projects/{name}/delete`, with the name typed once more.
pub async fn delete(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let project = pages.app.project(actor, &name).await?;
    if fields.trimmed("confirm") != project.name {
        let mut page = page(&pages, &visitor, &project, visitor.bare_shell()).await?;
        page.errors = Errors::one("confirm", format!("The name is `{}`.", project.name));
        return respond::html_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    pages.app.delete_project(actor, project.id.as_str(), &Terms::none()).await?;
    visitor.tell(Notice::good(format!("Project `{}` is deleted.", project.name))).await?;
    Ok(see_other("/dashboard"))
}
