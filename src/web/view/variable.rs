//! `/dashboard/projects/{name}/variables/{target}/{key}`: one variable.

use askama::Template;

use super::form::Errors;
use super::sample;
use super::shell::Shell;
use super::variables::VariableRow;

/// The page. The value is in it only after somebody asked for it, or typed it.
#[derive(Template)]
#[template(path = "variable.html")]
pub struct VariablePage {
    pub shell: Shell,
    pub project: String,
    pub row: VariableRow,
    /// What the form was made from.
    pub revision: i64,
    pub value: String,
    /// `value` is the present one.
    pub revealed: bool,
    pub may_redeploy: bool,
    pub errors: Errors,
}

impl VariablePage {
    fn action(&self) -> String {
        let VariableRow { target, key, .. } = &self.row;
        format!("/dashboard/projects/{}/variables/{target}/{key}", self.project)
    }

    /// As it is, revealed, sensitive, refused.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let page = |sensitive| Self {
            shell: sample::shell(),
            project: "web".to_owned(),
            row: VariableRow {
                key: "SESSION_KEY".to_owned(),
                target: "production",
                sensitive,
                source: "Ada Lovelace".to_owned(),
                at: sample::NOW,
                value: None,
            },
            revision: 7,
            value: String::new(),
            revealed: false,
            may_redeploy: true,
            errors: Errors::none(),
        };
        vec![
            ("full", page(false)),
            ("revealed", Self { value: "\nline 2".to_owned(), revealed: true, ..page(false) }),
            ("sensitive", Self { may_redeploy: false, ..page(true) }),
            (
                "error",
                Self { errors: Errors::one("value", "A value may have 32 KiB."), ..page(false) },
            ),
        ]
    }
}
