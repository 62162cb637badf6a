//! `/dashboard/new`: a Git URL becomes a project and its first deployment.

use axum::extract::State;
use http::StatusCode;

use super::params::Params;
use super::paste::variables;
use super::respond::{self, Answer, see_other};
use super::show::form_errors;
use super::{Pages, Visitor};
use crate::app::AppError;
use crate::app::deployments::NewDeployment;
use crate::app::env::ChangeTo;
use crate::app::project_rules::{ProjectPatch, check_branch_name, check_git_url};
use crate::app::terms::Terms;
use crate::model::env_var::Environment;
use crate::model::hostname::{NameProblem, check_project_name, suggest_project_name};
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::web::csrf::Fields;
use crate::web::view::form::Errors;
use crate::web::view::new_project::{NewProjectForm, NewProjectPage};
use crate::web::view::shell::Shell;

/// Everything placed from the dashboard runs on this server.
const REGION: &str = "local";
/// The API's names of what the form asks for.
const FIELDS: [(&str, &str); 6] = [
    ("git_url", "git_url"),
    ("source.git_url", "git_url"),
    ("branch", "branch"),
    ("source.branch", "branch"),
    ("name", "name"),
    ("variables", "variables"),
];

/// The form; `?git_url=` comes from the home page.
pub async fn show(State(pages): State<Pages>, visitor: Visitor, params: Params) -> Answer {
    let git_url = params.get("git_url").trim().to_owned();
    let form = NewProjectForm { git_url, ..NewProjectForm::default() };
    respond::html(&page(&pages, visitor.shell().await?, form, Errors::none()))
}

fn page(pages: &Pages, shell: Shell, form: NewProjectForm, errors: Errors) -> NewProjectPage {
    let address = pages.app.hosts.url_of(&format!("name.{}", pages.app.hosts.base_domain()));
    let (scheme, suffix) = address.split_once("name").unwrap_or(("", ""));
    NewProjectPage {
        shell,
        form,
        errors,
        domain_suffix: suffix.to_owned(),
        scheme: scheme.to_owned(),
    }
}

/// Makes the project and deploys it. Everything is checked before anything is made.
pub async fn submit(State(pages): State<Pages>, visitor: Visitor, fields: Fields) -> Answer {
    let typed = NewProjectForm {
        git_url: fields.trimmed("git_url").to_owned(),
        branch: fields.trimmed("branch").to_owned(),
        name: fields.trimmed("name").to_owned(),
        variables: fields.get("variables").to_owned(),
    };
    // Sent by the other button: what is deployed will be pushed.
    let empty = fields.get("empty") == "yes";
    match create(&pages, &visitor, &typed, empty).await {
        Ok(address) => Ok(see_other(&address)),
        Err(Refused::Form(errors)) => {
            let page = page(&pages, visitor.bare_shell(), typed, errors);
            respond::html_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(Refused::App(error)) => Err(error.into()),
    }
}

/// Why nothing was made.
enum Refused {
    Form(Errors),
    App(AppError),
}

impl From<AppError> for Refused {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

async fn create(
    pages: &Pages,
    visitor: &Visitor,
    typed: &NewProjectForm,
    empty: bool,
) -> Result<String, Refused> {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let branch = (!typed.branch.is_empty()).then(|| typed.branch.clone());
    let mut problems = Problems::default();
    if !empty {
        check_git_url(&typed.git_url, &app.egress, &mut problems);
    }
    if let Some(branch) = &branch {
        check_branch_name(branch, &mut problems);
    }
    // In the order of the form.
    let mut errors =
        if problems.is_empty() { Errors::none() } else { form_errors(&problems, &FIELDS) };
    let name = name_of(typed, &mut errors);
    if empty && name.is_empty() {
        errors.add("name", "Without a repository it needs a name.");
    }
    let environment = variables("variables", &typed.variables, &mut errors);
    if !errors.is_empty() {
        return Err(Refused::Form(errors));
    }
    let new = ProjectPatch {
        name: Some(name),
        region: Some(REGION.to_owned()),
        git_url: (!empty).then(|| Some(typed.git_url.clone())),
        branch: Some(branch),
        ..ProjectPatch::default()
    };
    let project = match app.create_project(actor, new, Problems::default(), &Terms::none()).await {
        Ok(project) => project,
        Err(AppError::Invalid(problems)) => {
            return Err(Refused::Form(form_errors(&problems, &FIELDS)));
        }
        Err(AppError::Conflict { message, details, .. }) => {
            let taken = details["name"].as_str().unwrap_or_default();
            let free = app.free_name(taken).await?;
            let free = free.map(|free| format!(" `{free}` is free.")).unwrap_or_default();
            return Err(Refused::Form(Errors::one("name", format!("{message}{free}"))));
        }
        Err(other) => return Err(other.into()),
    };
    let begun = async {
        give(pages, visitor, &project, environment).await?;
        if empty {
            return Ok(format!("/dashboard/projects/{}/settings#git-push", project.name));
        }
        let (id, new, none) = (project.id.as_str(), NewDeployment::default(), Problems::default());
        let made = app.create_deployment(actor, id, new, none, &Terms::none()).await?;
        Ok(format!("/dashboard/deployments/{}", made.id))
    };
    match begun.await {
        Ok(address) => Ok(address),
        Err(error) => {
            // A project without a deployment would be in the way of the next try.
            app.delete_project(actor, project.id.as_str(), &Terms::none()).await?;
            Err(match error {
                AppError::Invalid(problems) => Refused::Form(form_errors(&problems, &FIELDS)),
                other => Refused::App(other),
            })
        }
    }
}

/// Gives the project its variables.
async fn give(
    pages: &Pages,
    visitor: &Visitor,
    project: &Project,
    environment: Environment,
) -> Result<(), AppError> {
    if environment.is_empty() {
        return Ok(());
    }
    let set = environment.into_iter().map(|(key, value)| (key, Some(value))).collect();
    let to = ChangeTo { project: project.id.as_str(), target: None, redeploy: false };
    let (actor, none) = (&visitor.signed_in.actor, Problems::default());
    pages.app.set_variables(actor, to, Some(set), false, none).await.map(drop)
}

/// The name that was typed, made legal (`my-app` for `My App`), or one from the address of the repository.
fn name_of(typed: &NewProjectForm, errors: &mut Errors) -> String {
    if typed.name.is_empty() {
        let suggested = suggest_project_name(repository_name(&typed.git_url));
        if suggested.is_none() && !typed.git_url.is_empty() {
            errors.add("name", "The address of the repository gives no name. Type one.");
        }
        return suggested.unwrap_or_default();
    }
    // Only spelling is put right; a name that is reserved or too long is refused with its reason.
    let spelled = match check_project_name(&typed.name) {
        Err(NameProblem::Format) => suggest_project_name(&typed.name),
        _ => None,
    };
    spelled.unwrap_or_else(|| typed.name.clone())
}

/// `web` of `https://github.com/acme/web.git`.
fn repository_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let last = path.rsplit(['/', ':']).next().unwrap_or_default();
    last.strip_suffix(".git").unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_from_the_form_or_the_address() {
        for (name, git_url, wanted) in [
            ("", "https://github.com/acme/web.git", "web"),
            ("", "https://github.com/acme/My_App/", "my-app"),
            ("My App", "https://github.com/acme/web", "my-app"),
            ("shop", "https://github.com/acme/web", "shop"),
            ("api", "https://github.com/acme/web", "api"),
            ("my-app", "", "my-app"),
        ] {
            let typed = NewProjectForm {
                name: name.to_owned(),
                git_url: git_url.to_owned(),
                ..NewProjectForm::default()
            };
            let mut errors = Errors::none();
            assert_eq!(name_of(&typed, &mut errors), wanted);
            assert!(errors.is_empty());
        }
    }
}
