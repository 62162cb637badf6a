//! What a deployment was made of, on its page.

use super::text::Foreign;
use super::time::Millis;

/// The receipt.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Label and value: (`Image`, `8f3a1c2b9d4e, 284 MB`).
    pub facts: Vec<(String, Foreign)>,
    pub variables: Vec<Variable>,
    pub looks: Vec<Look>,
    /// The one before it that became ready.
    pub before: Option<Before>,
}

/// A variable without its value.
#[derive(Clone, Debug)]
pub struct Variable {
    pub name: String,
    /// The first digits of the keyed digest: equal values have equal ones.
    pub fingerprint: Option<String>,
}

/// What a look of the health check saw.
#[derive(Clone, Debug)]
pub struct Look {
    /// Since the deployment was asked for.
    pub after: Millis,
    /// `answered 200`, `nothing listened`.
    pub saw: String,
    pub took: Millis,
}

/// A deployment to compare with.
#[derive(Clone, Debug)]
pub struct Before {
    pub id: String,
    /// `9b1d220`.
    pub name: String,
}

impl Receipt {
    /// Everything there can be.
    pub fn sample() -> Self {
        let variable = |name: &str, fingerprint: &str| Variable {
            name: name.to_owned(),
            fingerprint: Some(fingerprint.to_owned()).filter(|text| !text.is_empty()),
        };
        let fact = |label: &str, value: &str| (label.to_owned(), value.into());
        let look = |after, saw: &str, took| Look {
            after: Millis(after),
            saw: saw.to_owned(),
            took: Millis(took),
        };
        Self {
            facts: vec![
                fact("Image", "8f3a1c2b9d4e, 284 MB"),
                fact("Base image", "node:22-slim, sha256:0a1b2c3d4e5f"),
                fact("Limits", "512 MiB of memory, 1 core, 1 instance"),
                fact("Host names", "web-dep4q7w1z3c.apps.example.com, web.apps.example.com"),
            ],
            variables: vec![variable("API_KEY", "0f3c9a71be22"), variable("OLD", "")],
            looks: vec![look(48_000, "nothing listened", 0), look(49_200, "answered 200", 12)],
            before: Some(Before {
                id: "dep_0000000000000000".to_owned(),
                name: "9b1d220".to_owned(),
            }),
        }
    }
}
