//! `/docs/errors`: what the codes of errors mean and what to do.

use askama::Template;

use super::shell::Shell;
use crate::web::docs::{ErrorText, TEXTS};

/// Every code in one list.
#[derive(Template)]
#[template(path = "docs_errors.html")]
pub struct ErrorsPage {
    pub shell: Shell,
    pub texts: &'static [ErrorText],
}

/// One code.
#[derive(Template)]
#[template(path = "docs_error.html")]
pub struct ErrorCodePage {
    pub shell: Shell,
    pub text: &'static ErrorText,
    /// Where the server is, for the `type` of the problem.
    pub server: String,
}

impl ErrorsPage {
    /// Of these codes.
    pub fn new(texts: &'static [ErrorText]) -> Self {
        Self { shell: Shell::default(), texts }
    }

    /// The page as it is.
    pub fn sample() -> Vec<(&'static str, Self)> {
        vec![("full", Self::new(&TEXTS))]
    }
}

impl ErrorCodePage {
    /// Of one code, on the server at `server`.
    pub fn new(text: &'static ErrorText, server: &str) -> Self {
        Self { shell: Shell::default(), text, server: server.to_owned() }
    }

    /// Every code.
    pub fn sample() -> Vec<(&'static str, Self)> {
        TEXTS
            .iter()
            .map(|text| (text.code, Self::new(text, "https://orbitra.example.com")))
            .collect()
    }
}
