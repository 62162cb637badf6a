//! The previews of a project's branches, on its page.

use super::parts::{Commit, Site};
use super::sample;
use super::status::{Phase, Status};
use super::text::Foreign;
use super::time::Moment;

/// What there is for branches.
#[derive(Clone, Debug, Default)]
pub struct Previews {
    pub rows: Vec<PreviewRow>,
    /// As many branches of a project have previews; of more, those go that nobody has used for longest.
    pub most: usize,
    /// After so many days one goes all the same.
    pub days: Option<u64>,
    /// Whether a push to another branch makes one.
    pub wanted: bool,
    /// Only people who are signed in to the dashboard see them.
    pub walled: bool,
}

/// A branch and the newest of its previews.
#[derive(Clone, Debug)]
pub struct PreviewRow {
    pub branch: Foreign,
    pub deployment: String,
    pub status: Status,
    /// The branch's address; `None` before the first of its previews is ready.
    pub site: Option<Site>,
    /// Unknown until the repository was read.
    pub commit: Option<Commit>,
    pub at: Moment,
}

/// So many branches are there to be seen at once.
const SEEN: usize = 5;

impl Previews {
    /// The branches that were pushed to last.
    pub(super) fn newest(&self) -> &[PreviewRow] {
        &self.rows[..self.rows.len().min(SEEN)]
    }

    /// All others.
    pub(super) fn others(&self) -> &[PreviewRow] {
        self.rows.get(SEEN..).unwrap_or_default()
    }

    /// Some branches, one of them with a name that nobody would choose.
    pub fn sample() -> Self {
        let row = |number: i64, branch: &str, status, site: Option<&str>, subject: Option<&str>| {
            let commit = |subject: &str| Commit {
                subject: subject.into(),
                hash: format!("{number}f2c9e1d0b7a4c3e"),
                branch: branch.into(),
                author: "Grace".into(),
            };
            PreviewRow {
                branch: branch.into(),
                deployment: format!("dep_{number}x7w1z3c7k2m9qhx"),
                status,
                site: site.map(Site::new),
                commit: subject.map(commit),
                at: sample::NOW.plus(-number * 40 * sample::MINUTE),
            }
        };
        Self {
            rows: vec![
                row(1, "feature/cart", Status::Running(Phase::Building), None, None),
                row(
                    2,
                    "fix/login",
                    Status::Ready,
                    Some("https://web-git-fix-login.apps.example.com"),
                    Some("Send people back to where they came from"),
                ),
                row(
                    3,
                    "dependabot/npm_and_yarn/packages/storefront/types-and-linting-9f3c1b2a7d",
                    Status::Failed,
                    Some(
                        "https://web-git-dependabot-npm-and-yarn-packages-sto-0a1b2c3d.apps.example.com",
                    ),
                    Some(
                        "Bump the types-and-linting group in /packages/storefront with 14 updates",
                    ),
                ),
                row(
                    4,
                    "pull/7",
                    Status::Sleeping,
                    Some("https://web-git-pull-7.apps.example.com"),
                    Some("Spelling"),
                ),
                row(
                    5,
                    "docs",
                    Status::Ready,
                    Some("https://web-git-docs.apps.example.com"),
                    Some("Say more"),
                ),
                row(
                    6,
                    "old",
                    Status::Sleeping,
                    Some("https://web-git-old.apps.example.com"),
                    Some("Start"),
                ),
            ],
            most: 20,
            days: Some(30),
            wanted: true,
            walled: true,
        }
    }
}
