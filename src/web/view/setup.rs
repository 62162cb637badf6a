//! `/setup`: the first account of a fresh server.

use askama::Template;

use super::form::Errors;

/// The page; shown again with `errors` when something in the form cannot be taken.
#[derive(Template, Default)]
#[template(path = "setup.html")]
pub struct SetupPage {
    pub csrf: String,
    pub form: SetupForm,
    pub errors: Errors,
    pub checks: Vec<Preflight>,
}

/// What was typed. The password is never sent back.
#[derive(Clone, Debug, Default)]
pub struct SetupForm {
    pub code: String,
    pub email: String,
    pub name: String,
}

/// One fact about the server: `Docker 20.10.24`.
#[derive(Clone, Debug)]
pub struct Preflight {
    pub text: String,
    pub outcome: Outcome,
}

/// Whether it is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Good,
    Warning,
    Blocking,
}

impl Outcome {
    /// Class that carries the colour.
    pub fn token(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warn",
            Self::Blocking => "bad",
        }
    }

    /// Icon in the sprite.
    pub fn icon(self) -> &'static str {
        match self {
            Self::Good => "circle-check",
            Self::Warning => "triangle-alert",
            Self::Blocking => "circle-x",
        }
    }

    /// Said to those who see neither icon nor colour.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "Good",
            Self::Warning => "Warning",
            Self::Blocking => "Problem",
        }
    }
}

impl SetupPage {
    /// Full, empty, with errors.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let check = |text: &str, outcome| Preflight { text: text.to_owned(), outcome };
        let form = SetupForm {
            code: "K7QF-2M9X-4TZD".to_owned(),
            email: "ada@example.com".to_owned(),
            name: "Ada Lovelace".to_owned(),
        };
        let mut errors = Errors::one(
            "code",
            "That code is not valid. On the server run `orbitra admin setup-link`.",
        );
        errors.add("password", "11 characters. A password has 15 or more.");
        vec![
            (
                "full",
                Self {
                    form: form.clone(),
                    checks: vec![
                        check("Docker 28.5 answers", Outcome::Good),
                        check("38 GB of disk are free", Outcome::Good),
                        check("Port 443 is taken by another program", Outcome::Warning),
                    ],
                    ..Self::default()
                },
            ),
            ("empty", Self::default()),
            (
                "error",
                Self {
                    form,
                    errors,
                    checks: vec![check(
                        "Docker does not answer at /var/run/docker.sock. Start it, then reload",
                        Outcome::Blocking,
                    )],
                    ..Self::default()
                },
            ),
        ]
    }
}
