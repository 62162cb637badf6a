//! What a forge says when somebody has pushed, and what follows from it.

mod payload;
mod request;

pub use payload::{Wrong, read};
pub use request::{Happened, PullRequest};

use serde::{Deserialize, Serialize};

use super::deployment::{Target, words};
use super::project::Project;
use super::push_hook::{Provider, PushHook};
use super::watch_paths::{self, Changes};

/// Most branches of one push that are looked at; Bitbucket tells of several at once.
pub const MOST_CHANGES: usize = 10;
/// Words in the message of a commit that is not to be deployed.
pub const SKIP_WORDS: [&str; 3] = ["[skip ci]", "[ci skip]", "[skip orbitra]"];

/// The headers that count, in lower case.
pub const HEADERS: [&str; 13] = [
    "x-github-event",
    "x-gitea-event",
    "x-forgejo-event",
    "x-gitlab-event",
    "x-event-key",
    "x-hub-signature-256",
    "x-hub-signature",
    "x-gitea-signature",
    "x-gitlab-token",
    "x-github-delivery",
    "x-gitea-delivery",
    "x-gitlab-event-uuid",
    "x-request-uuid",
];

/// Headers of a request, of each name one value: one that was sent twice is as good as none.
#[derive(Clone, Debug, Default)]
pub struct Sent(pub Vec<(&'static str, String)>);

/// How a request says who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature<'a> {
    /// HMAC-SHA-256 over the raw body, in hexadecimal digits.
    Hmac(&'a str),
    /// The secret itself.
    Secret(&'a str),
}

impl Sent {
    fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            self.0.iter().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str())
        })
    }

    /// The signature by the rules of a forge.
    pub fn signature(&self, provider: Provider) -> Option<Signature<'_>> {
        // One that is there decides: nothing else is tried when it is of another kind.
        let prefixed = |name| {
            let value = self.first(&[name])?;
            Some(Signature::Hmac(value.strip_prefix("sha256=").unwrap_or_default()))
        };
        let bare = || self.first(&["x-gitea-signature"]).map(Signature::Hmac);
        let secret = || self.first(&["x-gitlab-token"]).map(Signature::Secret);
        let newest = "x-hub-signature-256";
        match provider {
            Provider::Github => prefixed(newest),
            Provider::Gitea | Provider::Forgejo => prefixed(newest).or_else(bare),
            Provider::Bitbucket => prefixed("x-hub-signature"),
            Provider::Gitlab => secret(),
            Provider::Generic => prefixed(newest)
                .or_else(bare)
                .or_else(|| prefixed("x-hub-signature"))
                .or_else(secret),
        }
    }

    /// The name of the event.
    pub fn event(&self, provider: Provider) -> Option<&str> {
        self.first(match provider {
            Provider::Github => &["x-github-event"],
            Provider::Gitea | Provider::Forgejo => {
                &["x-forgejo-event", "x-gitea-event", "x-github-event"]
            }
            Provider::Gitlab => &["x-gitlab-event"],
            Provider::Bitbucket => &["x-event-key"],
            Provider::Generic => &[
                "x-github-event",
                "x-gitea-event",
                "x-forgejo-event",
                "x-gitlab-event",
                "x-event-key",
            ],
        })
    }

    /// What the forge calls this delivery; the same when it is sent again.
    pub fn delivery(&self) -> Option<&str> {
        let names =
            ["x-github-delivery", "x-gitea-delivery", "x-gitlab-event-uuid", "x-request-uuid"];
        self.first(&names).filter(|id| !id.is_empty())
    }
}

/// What happened to a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing: the hook was set up.
    Ping,
    /// Nothing that could be deployed.
    Unsupported,
    Tag,
    /// A branch is gone.
    Deleted(String),
    Pushed(Push),
    /// Something about a request to merge a branch.
    Request(PullRequest),
}

/// New commits of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    pub branch: String,
    /// The newest of them; `None` is whatever is newest when it is fetched.
    pub commit: Option<String>,
    /// Its message.
    pub message: String,
    pub changes: Changes,
    /// What the repository calls its default branch.
    pub default_branch: Option<String>,
}

words!(
/// Why nothing is deployed.
Ignored {
    BranchNotTracked = "branch_not_tracked", Tag = "tag", BranchDeleted = "branch_deleted", SkipCi = "skip_ci",
    AutoDeployOff = "auto_deploy_off", EventNotSupported = "event_not_supported", NoWatchedPath = "no_watched_path",
    PullRequestsOff = "pull_requests_off", PullRequestClosed = "pull_request_closed", Fork = "fork",
});

/// What one way of pushing says of branches, over what the project says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules<'a> {
    /// The branch that makes production deployments; `None` is the project's own.
    pub branch: Option<&'a str>,
    /// Whether other branches make previews.
    pub previews: bool,
}

impl PushHook {
    /// What the hook says of branches.
    pub fn rules(&self) -> Rules<'_> {
        Rules { branch: self.branch.as_deref(), previews: self.previews }
    }
}

/// What a branch is: production, a preview, or nothing.
///
/// # Errors
/// The branch is not tracked.
pub fn target_of(
    rules: Rules<'_>,
    project: &Project,
    branch: &str,
    default: Option<&str>,
) -> Result<Target, Ignored> {
    // Of a repository that does not say what its default is, nothing but the two usual names is.
    let tracked = rules.branch.or(project.source.branch.as_deref()).or(default);
    let is_tracked =
        tracked.map_or(matches!(branch, "main" | "master"), |tracked| tracked == branch);
    match is_tracked {
        true => Ok(Target::Production),
        false if rules.previews || project.preview_deployments => Ok(Target::Preview),
        false => Err(Ignored::BranchNotTracked),
    }
}

/// What is to be made of a push.
///
/// # Errors
/// Nothing, and why.
pub fn decide(rules: Rules<'_>, project: &Project, push: &Push) -> Result<Target, Ignored> {
    let target = target_of(rules, project, &push.branch, push.default_branch.as_deref())?;
    if target == Target::Production && !project.auto_deploy {
        return Err(Ignored::AutoDeployOff);
    }
    let message = push.message.to_lowercase();
    if SKIP_WORDS.iter().any(|word| message.contains(word)) {
        return Err(Ignored::SkipCi);
    }
    if !watch_paths::concerns(&project.source.watch_paths, &push.changes) {
        return Err(Ignored::NoWatchedPath);
    }
    Ok(target)
}
