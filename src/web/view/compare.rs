//! `/dashboard/deployments/{id}/compare/{other}`: what changed from one deployment to another.

use askama::Template;

use super::sample;
use super::shell::Shell;
use super::status::{Phase, Status};
use super::text::Foreign;
use super::time::{Millis, Moment};

/// The page.
#[derive(Template)]
#[template(path = "compare.html")]
pub struct ComparePage {
    pub shell: Shell,
    pub project: String,
    pub before: Side,
    pub after: Side,
    /// Both are of the same commit.
    pub same_commit: bool,
    pub fields: Vec<Change>,
    /// Names: added, removed, with another value.
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
    pub timings: Vec<Timing>,
}

/// One of the two deployments.
#[derive(Clone, Debug)]
pub struct Side {
    pub id: String,
    /// `4f2c9e1`, or the id.
    pub name: String,
    /// The commit's subject, or what started it.
    pub subject: Foreign,
    pub status: Status,
    pub at: Moment,
}

/// A fact that is not the same.
#[derive(Clone, Debug)]
pub struct Change {
    /// `Memory`.
    pub label: String,
    pub before: Option<Foreign>,
    pub after: Option<Foreign>,
}

/// How long one step took in both.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub phase: Phase,
    pub before: Option<Millis>,
    pub after: Option<Millis>,
}

impl ComparePage {
    fn variables(&self) -> Vec<(&'static str, &Vec<String>)> {
        let all =
            [("Added", &self.added), ("Removed", &self.removed), ("Other value", &self.changed)];
        all.into_iter().filter(|(_, names)| !names.is_empty()).collect()
    }

    /// Label, anchor and deployment.
    fn sides(&self) -> [(&'static str, &'static str, &Side); 2] {
        [("Before", "before", &self.before), ("After", "after", &self.after)]
    }

    fn is_same(&self) -> bool {
        self.same_commit && self.fields.is_empty() && self.variables().is_empty()
    }

    /// Everything changed, and nothing.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let side = |id: &str, name: &str, subject: &str, status| Side {
            id: id.to_owned(),
            name: name.to_owned(),
            subject: subject.into(),
            status,
            at: sample::NOW,
        };
        let change = |label: &str, before: Option<&str>, after: Option<&str>| Change {
            label: label.to_owned(),
            before: before.map(Into::into),
            after: after.map(Into::into),
        };
        let full = || Self {
            shell: sample::shell(),
            project: "web".to_owned(),
            before: side("dep_0000000000000000", "9b1d220", "Add search", Status::Replaced),
            after: side("dep_4q7w1z3c7k2m9qhx", "4f2c9e1", "Fix <login> \u{202e}", Status::Live),
            same_commit: false,
            fields: vec![
                change("Base image node:22-slim", Some("sha256:0a1b2c3d"), Some("sha256:99aa88bb")),
                change("Memory", Some("512 MiB"), Some("1024 MiB")),
                change("Start command", None, Some("node server.js")),
            ],
            added: vec!["FEATURE_FLAG".to_owned()],
            removed: vec!["OLD_KEY".to_owned()],
            changed: vec!["API_KEY".to_owned(), "DATABASE_URL".to_owned()],
            timings: vec![
                Timing { phase: Phase::Building, before: Some(Millis(41_000)), after: None },
                Timing {
                    phase: Phase::Checking,
                    before: Some(Millis(400)),
                    after: Some(Millis(900)),
                },
            ],
        };
        let same = Self {
            same_commit: true,
            fields: Vec::new(),
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            timings: Vec::new(),
            ..full()
        };
        vec![("full", full()), ("same", same)]
    }
}
