//! `/dashboard/new`: a Git URL becomes a project.

use askama::Template;

use super::form::Errors;
use super::sample;
use super::shell::Shell;

/// The page; shown again with `errors` and every value kept.
#[derive(Template)]
#[template(path = "new_project.html")]
pub struct NewProjectPage {
    pub shell: Shell,
    pub form: NewProjectForm,
    pub errors: Errors,
    /// What follows the name in an address: `.apps.example.com`.
    pub domain_suffix: String,
    /// What comes before it: `https://`.
    pub scheme: String,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
pub struct NewProjectForm {
    pub git_url: String,
    /// Empty is the default branch.
    pub branch: String,
    /// Empty is the name suggested from the URL.
    pub name: String,
    /// The text of a `.env` file.
    pub variables: String,
}

impl NewProjectPage {
    /// Full, empty, with errors.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let page = |form, errors| Self {
            shell: sample::shell(),
            form,
            errors,
            domain_suffix: ".apps.example.com".to_owned(),
            scheme: "https://".to_owned(),
        };
        let form = NewProjectForm {
            git_url: "https://github.com/acme/web.git".to_owned(),
            branch: "main".to_owned(),
            name: String::new(),
            variables:
                "# production\nDATABASE_URL=postgres://db.internal/web\nSESSION_KEY=\"secret\"\n"
                    .to_owned(),
        };
        let mut errors = Errors::one(
            "git_url",
            "There is no repository at this address, or it needs a sign-in.",
        );
        errors.add("name", "`api` is taken. `api-2` is free.");
        errors.add(
            "variables",
            "Line 2: `2FA=yes` has no valid name. A name starts with a letter or `_`.",
        );
        vec![
            ("full", page(form.clone(), Errors::none())),
            ("empty", page(NewProjectForm::default(), Errors::none())),
            (
                "error",
                page(
                    NewProjectForm {
                        name: "api".to_owned(),
                        variables: "A=1\n2FA=yes".to_owned(),
                        ..form
                    },
                    errors,
                ),
            ),
        ]
    }
}
