//! Error pages: what happened, what it means, what to do.

use askama::Template;

use super::sample;
use super::shell::Shell;

/// A page instead of the one that was asked for. With the shell when somebody is signed in.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    pub shell: Shell,
    pub status: u16,
    /// What is: `This page does not exist, or you may not see it.`
    pub headline: String,
    /// What it means and what to do.
    pub text: String,
    /// `req_…`, to find the request in the server's log.
    pub reference: String,
    /// Seconds until another try makes sense.
    pub wait_seconds: Option<u64>,
}

impl ErrorPage {
    /// The sentences for a status. `text` can be replaced by something more exact.
    pub fn new(shell: Shell, status: u16, reference: impl Into<String>) -> Self {
        let (headline, text) = match status {
            401 => (
                "You are signed out",
                "Nothing was changed. Sign in, go back and send the form again.",
            ),
            403 => (
                "You may not do this",
                "Your role does not allow it. Nothing was changed. An administrator of the team can change your role.",
            ),
            404 => (
                "This page does not exist, or you may not see it",
                "The thing may have been renamed or deleted.",
            ),
            405 => ("This address does not take that", "Go back, reload the page and try again."),
            409 => (
                "Somebody else changed this in the meantime",
                "Nothing of yours was saved. Go back, reload the page and make the change again.",
            ),
            413 => ("That is more than can be taken", "A form may hold 1 MB. Nothing was changed."),
            415 => (
                "This is not a form",
                "Nothing was changed. Go back and send the form of the page.",
            ),
            422 => (
                "Something in the form cannot be taken",
                "Nothing was changed. Go back and try again.",
            ),
            429 => ("Too many tries", "Nothing was changed."),
            503 => (
                "Orbitra is busy",
                "Nothing was changed. Running apps are not affected. Try again in a moment.",
            ),
            _ => (
                "Our fault",
                "Something went wrong inside Orbitra. Running apps are not affected. Go back and look whether your change was made.",
            ),
        };
        Self {
            shell,
            status,
            headline: headline.to_owned(),
            text: text.to_owned(),
            reference: reference.into(),
            wait_seconds: None,
        }
    }

    /// Every status, signed in; and one signed out.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let of = |status| Self::new(sample::shell(), status, "req_7k2m9qhx4t8w1z3c");
        vec![
            ("403", of(403)),
            ("404", of(404)),
            ("405", of(405)),
            ("409", of(409)),
            ("413", of(413)),
            ("429", Self { wait_seconds: Some(42), ..of(429) }),
            ("500", of(500)),
            ("503", of(503)),
            ("signed out", Self::new(Shell::default(), 404, "")),
        ]
    }
}
