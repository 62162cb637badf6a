//! Forges and what they are told of commits, in each one's own form.
//!
//! GitHub: <https://docs.github.com/rest/commits/statuses>. GitLab: <https://docs.gitlab.com/api/commits/>, "Commit
//! status". Gitea and Forgejo: `POST /repos/{owner}/{repo}/statuses/{sha}` of their API. Bitbucket Cloud:
//! <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/>.

mod address;
mod checks;
mod status;

pub use address::{api_of, kind_of, repository_of};
pub use checks::{LONGEST_WAIT, Verdict, WAITING, questions, verdict};
pub use status::{Call, Status, Told, after, call, headers, lasting};

use serde::{Deserialize, Serialize};

use super::deployment::words;
use super::ids::ProjectId;
use super::timestamp::Timestamp;

/// Longest address of an API in bytes.
pub const LONGEST_URL: usize = 2048;
/// Longest token in bytes.
pub const LONGEST_TOKEN: usize = 1024;

words!(
/// A forge by the API it has.
ForgeKind { Github = "github", Gitlab = "gitlab", Gitea = "gitea", Forgejo = "forgejo",
    Bitbucket = "bitbucket" });

impl ForgeKind {
    /// What it calls itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::Github => "GitHub",
            Self::Gitlab => "GitLab",
            Self::Gitea => "Gitea",
            Self::Forgejo => "Forgejo",
            Self::Bitbucket => "Bitbucket",
        }
    }
}

/// How a project talks to its forge. The token is kept sealed beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forge {
    pub project_id: ProjectId,
    pub kind: ForgeKind,
    /// Where the API begins, without a slash at the end.
    pub api_url: String,
    /// Why the newest status was not taken, in a sentence.
    pub trouble: Option<String>,
    /// When it last took one.
    pub told_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub revision: i64,
}
