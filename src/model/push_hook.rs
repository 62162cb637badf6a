//! Push hooks: addresses that a forge or a script calls when there is something to deploy.

use serde::{Deserialize, Serialize};

use super::deployment::words;
use super::ids::{HookId, ProjectId, UserId};
use super::timestamp::Timestamp;

/// Most hooks of a project.
pub const MOST: u32 = 20;
/// Requests a minute that one hook is answered.
pub const PER_MINUTE: u32 = 60;
/// How long a delivery is known again, in milliseconds.
pub const REMEMBERED: i64 = 24 * 3_600_000;

words!(
    /// Who calls: a forge that signs what it sends, or whoever knows the address.
    HookKind { Git = "git", Deploy = "deploy" });
words!(
/// The forge that calls; how it signs and what its payloads look like.
Provider {
    Github = "github", Gitlab = "gitlab", Gitea = "gitea", Forgejo = "forgejo",
    Bitbucket = "bitbucket", Generic = "generic",
});

impl Provider {
    /// What it calls itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::Github => "GitHub",
            Self::Gitlab => "GitLab",
            Self::Gitea => "Gitea",
            Self::Forgejo => "Forgejo",
            Self::Bitbucket => "Bitbucket",
            Self::Generic => "Another forge",
        }
    }
}

/// A hook as it is stored. Its token and its secret are kept sealed beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushHook {
    pub id: HookId,
    pub project_id: ProjectId,
    pub kind: HookKind,
    pub provider: Provider,
    /// The branch that makes production deployments; `None` is the project's own.
    pub branch: Option<String>,
    /// Whether other branches make previews.
    pub previews: bool,
    /// Whether pull and merge requests make previews.
    pub pull_requests: bool,
    /// Whether what is pushed is deployed only when the forge's checks have passed.
    pub wait_for_checks: bool,
    /// Who made it; its deployments are theirs.
    pub created_by: UserId,
    pub created_at: Timestamp,
    /// When somebody last called who could sign.
    pub last_received_at: Option<Timestamp>,
    pub revision: i64,
}

impl PushHook {
    /// What people call it.
    pub fn name(&self) -> String {
        match (self.kind, self.provider) {
            (HookKind::Deploy, _) => "Deploy hook".to_owned(),
            (HookKind::Git, Provider::Generic) => "Push hook".to_owned(),
            (HookKind::Git, provider) => format!("{} push hook", provider.name()),
        }
    }
}
