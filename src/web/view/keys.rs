//! `/dashboard/account/keys`: keys for programs.

use askama::Template;

use super::form::Errors;
use super::sample;
use super::shell::Shell;
use super::time::Moment;

/// The page. A new key is shown once, on the page that follows the form that made it, and never again.
#[derive(Template)]
#[template(path = "keys.html")]
pub struct KeysPage {
    pub shell: Shell,
    pub keys: Vec<KeyRow>,
    pub form: NewKeyForm,
    pub errors: Errors,
    pub created: Option<CreatedKey>,
}

/// One key, without its secret.
#[derive(Clone, Debug)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    /// `orbu_0123`.
    pub prefix: String,
    /// `ixfD`.
    pub last4: String,
    /// `Deploy`, `Full access`, or the scopes as words.
    pub scopes: String,
    pub created_at: Moment,
    pub expires_at: Option<Moment>,
    pub last_used_at: Option<Moment>,
    /// The key no longer works.
    pub expired: bool,
}

/// What was typed.
#[derive(Clone, Debug)]
pub struct NewKeyForm {
    pub name: String,
    pub preset: Preset,
    /// `30`, `90`, `365`, or empty for never.
    pub expires_days: String,
}

impl Default for NewKeyForm {
    fn default() -> Self {
        Self { name: String::new(), preset: Preset::Deploy, expires_days: "90".to_owned() }
    }
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    Read,
    Deploy,
    Full,
}

impl Preset {
    /// In the order of the form.
    pub const ALL: [Self; 3] = [Self::Read, Self::Deploy, Self::Full];

    /// The value of the form field.
    pub fn value(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Deploy => "deploy",
            Self::Full => "full",
        }
    }

    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Deploy => "Deploy",
            Self::Full => "Full access",
        }
    }

    /// What it allows.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Read => "See everything you see, change nothing.",
            Self::Deploy => "Start and cancel deployments, read logs.",
            Self::Full => "Everything you may do.",
        }
    }
}

/// A key that was just made.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    pub name: String,
    pub secret: String,
    /// Where the API answers: `https://orbitra.example.com/api/v1`.
    pub api_url: String,
}

/// The choices of the expiry field: value and label.
const EXPIRIES: [(&str, &str); 4] =
    [("30", "in 30 days"), ("90", "in 90 days"), ("365", "in one year"), ("", "never")];

impl KeysPage {
    fn expiries(&self) -> [(&'static str, &'static str); 4] {
        EXPIRIES
    }

    /// Full, empty, with errors, just created.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let key = |number: u8, name: &str, scopes: &str| KeyRow {
            id: format!("key_{number}3f8d0a6k2m9qhx"),
            name: name.to_owned(),
            prefix: "orbu_0123".to_owned(),
            last4: "ixfD".to_owned(),
            scopes: scopes.to_owned(),
            created_at: sample::NOW.plus(-40 * sample::DAY),
            expires_at: Some(sample::NOW.plus(50 * sample::DAY)),
            last_used_at: Some(sample::NOW.plus(-3 * sample::MINUTE)),
            expired: false,
        };
        let keys = || {
            vec![
                key(1, "ci", "Deploy"),
                KeyRow { expires_at: None, last_used_at: None, ..key(2, "laptop", "Full access") },
                KeyRow {
                    expires_at: Some(sample::NOW.plus(-sample::DAY)),
                    expired: true,
                    ..key(3, "old dashboard", "projects:read, metrics:read")
                },
            ]
        };
        let page = |keys| Self {
            shell: sample::shell(),
            keys,
            form: NewKeyForm::default(),
            errors: Errors::none(),
            created: None,
        };
        vec![
            ("full", page(keys())),
            ("empty", page(Vec::new())),
            (
                "error",
                Self {
                    errors: Errors::one("name", "A key needs a name of 1 to 64 characters."),
                    form: NewKeyForm {
                        preset: Preset::Full,
                        expires_days: String::new(),
                        ..NewKeyForm::default()
                    },
                    ..page(keys())
                },
            ),
            (
                "created",
                Self {
                    created: Some(CreatedKey {
                        name: "ci".to_owned(),
                        secret: "orbu_0123456789abcdefghjkmnpqrstvwxyz0123ixfD".to_owned(),
                        api_url: "https://orbitra.example.com/api/v1".to_owned(),
                    }),
                    ..page(keys())
                },
            ),
        ]
    }
}
