//! `/login`.

use askama::Template;

use super::form::Errors;

/// The page. Every wrong e-mail or password gets the same sentence.
#[derive(Template, Default)]
#[template(path = "login.html")]
pub struct LoginPage {
    pub csrf: String,
    pub email: String,
    /// A path of this server to go to afterwards.
    pub next: String,
    pub errors: Errors,
    /// Seconds until the next try is allowed.
    pub wait_seconds: Option<u64>,
    /// `You are signed out.` and the like.
    pub notice: Option<super::shell::Notice>,
}

/// The one answer to a failed sign-in.
pub const NO_MATCH: &str = "That e-mail and password do not match.";

/// Where somebody is led who wants to see a site behind its wall.
const VISIT: &str = "/dashboard/visit?";

impl LoginPage {
    /// Whether it leads to a site and not into the dashboard.
    fn leads_to_site(&self) -> bool {
        self.next.starts_with(VISIT)
    }

    /// Full, empty, with errors, too many tries.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let email = "ada@example.com".to_owned();
        vec![
            (
                "full",
                Self {
                    email: email.clone(),
                    next: "/dashboard/projects/web".to_owned(),
                    notice: Some(super::shell::Notice::good("You are signed out.")),
                    ..Self::default()
                },
            ),
            ("empty", Self::default()),
            (
                "error",
                Self { email: email.clone(), errors: Errors::one("", NO_MATCH), ..Self::default() },
            ),
            (
                "visit",
                Self { next: format!("{VISIT}host=web.example.com&path=%2F"), ..Self::default() },
            ),
            ("wait", Self { email, wait_seconds: Some(42), ..Self::default() }),
        ]
    }
}
