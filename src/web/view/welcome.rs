//! `/welcome/…`: the owner of a new account chooses a password.

use askama::Template;

use super::form::Errors;

/// The page; shown again with `errors` when the password cannot be taken.
#[derive(Template, Default)]
#[template(path = "welcome.html")]
pub struct WelcomePage {
    pub csrf: String,
    /// What the link holds.
    pub token: String,
    pub email: String,
    pub name: String,
    pub errors: Errors,
    /// Why there is no form: the link does not work.
    pub closed: Option<&'static str>,
}

/// Said of a link nobody knows.
pub const UNKNOWN: &str = "It is not complete, or its account was deleted. Copy the whole link, or ask who sent it to you.";

/// Said of a link that worked once.
pub const SPENT: &str = "A link works once, for seven days. If you have chosen a password, sign in with it. If not, ask who sent the link to you.";

impl WelcomePage {
    /// Empty, with an error, without a form.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let page = || Self {
            token: "5f".repeat(32),
            email: "ada@example.com".to_owned(),
            name: "Ada Lovelace".to_owned(),
            ..Self::default()
        };
        let errors = Errors::one("password", "Use 15 characters or more.");
        vec![
            ("empty", page()),
            ("error", Self { errors, ..page() }),
            ("unknown", Self { closed: Some(UNKNOWN), ..Self::default() }),
            ("spent", Self { closed: Some(SPENT), ..Self::default() }),
        ]
    }
}
