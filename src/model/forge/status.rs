//! The status of a commit: what follows from a deployment, and the call that tells it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ForgeKind;
use crate::model::deployment::{CancelReason, Deployment, Target, words};
use crate::model::transition::State;

/// Longest description that every forge takes, in characters.
const LONGEST: usize = 140;
/// Longest key of a status at Bitbucket, in characters.
const LONGEST_KEY: usize = 40;
/// Seconds from one attempt to the next; after the last one nothing more is tried.
const WAITS: [i64; 9] = [5, 30, 120, 600, 1800, 3600, 7200, 7200, 7200];

words!(
/// How the deployment of a commit stands, in words that every forge has.
Status { Pending = "pending", Success = "success", Failure = "failure", Canceled = "canceled" });

impl Status {
    /// What a deployment makes of its commit.
    pub fn of(deployment: &Deployment) -> Self {
        match deployment.state {
            State::Failed => Self::Failure,
            State::Canceled => Self::Canceled,
            state if state.unfinished() => Self::Pending,
            _ => Self::Success,
        }
    }

    /// Whether nothing follows.
    pub fn is_last(self) -> bool {
        self != Self::Pending
    }

    fn word(self, kind: ForgeKind) -> &'static str {
        match (kind, self) {
            (ForgeKind::Gitlab, Self::Failure) => "failed",
            (ForgeKind::Gitlab, Self::Canceled) => "canceled",
            (ForgeKind::Bitbucket, Self::Pending) => "INPROGRESS",
            (ForgeKind::Bitbucket, Self::Success) => "SUCCESSFUL",
            (ForgeKind::Bitbucket, Self::Failure) => "FAILED",
            (ForgeKind::Bitbucket, Self::Canceled) => "STOPPED",
            (_, Self::Canceled) => "error",
            (_, other) => other.as_str(),
        }
    }
}

/// What a forge is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub status: Status,
    /// Which of several statuses of the commit it is: one that comes later takes the place of one with the same name.
    pub context: String,
    /// In a few words.
    pub description: String,
    /// Where more is to be seen.
    pub target_url: String,
}

impl Told {
    /// What is to be told of a deployment, with the page that shows it.
    pub fn of(deployment: &Deployment, project: &str, page: &str) -> Self {
        let status = Status::of(deployment);
        let context = match deployment.target {
            Target::Production => format!("orbitra/{project}"),
            Target::Preview => format!("orbitra/{project} (preview)"),
        };
        let text = match status {
            Status::Pending if deployment.checks_until.is_some() => {
                "Waiting for the other checks".to_owned()
            }
            Status::Pending => "Deploying".to_owned(),
            Status::Success => match deployment.target {
                Target::Production => "Deployed".to_owned(),
                Target::Preview => "The preview is ready".to_owned(),
            },
            Status::Failure => deployment.failure.as_ref().map_or_else(
                || "The deployment failed".to_owned(),
                |failure| failure.message.lines().next().unwrap_or_default().to_owned(),
            ),
            Status::Canceled => match deployment.cancel_reason {
                Some(CancelReason::NewerCommit) => "A newer commit is deployed".to_owned(),
                Some(CancelReason::BranchDeleted) => "The branch was deleted".to_owned(),
                Some(CancelReason::ChecksFailed) => "Another check failed".to_owned(),
                Some(CancelReason::ChecksTimedOut) => "The other checks took too long".to_owned(),
                _ => "The deployment was canceled".to_owned(),
            },
        };
        let description = if text.chars().count() > LONGEST {
            text.chars().take(LONGEST - 1).chain(['…']).collect()
        } else {
            text
        };
        Self { status, context, description, target_url: page.to_owned() }
    }
}

/// A call of a forge's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Beyond the address of the API.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

/// What a forge wants to see of whoever calls.
pub fn headers(kind: ForgeKind, token: &str) -> Vec<(&'static str, String)> {
    match kind {
        ForgeKind::Github => vec![
            ("authorization", format!("Bearer {token}")),
            ("accept", "application/vnd.github+json".to_owned()),
            ("x-github-api-version", "2022-11-28".to_owned()),
        ],
        ForgeKind::Gitlab => {
            vec![("private-token", token.to_owned()), ("accept", "application/json".to_owned())]
        }
        ForgeKind::Bitbucket => vec![
            ("authorization", format!("Bearer {token}")),
            ("accept", "application/json".to_owned()),
        ],
        ForgeKind::Gitea | ForgeKind::Forgejo => vec![
            ("authorization", format!("token {token}")),
            ("accept", "application/json".to_owned()),
        ],
    }
}

/// Where a repository begins in the API.
pub(super) fn place(kind: ForgeKind, repository: &str) -> String {
    match kind {
        ForgeKind::Gitlab => format!("/projects/{}", repository.replace('/', "%2F")),
        ForgeKind::Bitbucket => format!("/repositories/{repository}"),
        _ => format!("/repos/{repository}"),
    }
}

/// What Bitbucket tells statuses apart by: 40 characters at most. A longer name is cut, and ends with a number that follows
/// from all of it (FNV-1a).
fn key(context: &str) -> String {
    if context.len() <= LONGEST_KEY {
        return context.to_owned();
    }
    let number = context.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let start: String = context.chars().take(LONGEST_KEY - 17).collect();
    format!("{start}-{number:016x}")
}

/// The call that tells a forge of a commit. `repository` is as [`repository_of`](super::repository_of) names it.
pub fn call(kind: ForgeKind, token: &str, repository: &str, sha: &str, told: &Told) -> Call {
    let state = told.status.word(kind);
    let body = match kind {
        ForgeKind::Gitlab => json!({
            "state": state, "name": told.context, "target_url": told.target_url,
            "description": told.description,
        }),
        ForgeKind::Bitbucket => json!({
            "state": state, "key": key(&told.context), "name": told.context, "url": told.target_url,
            "description": told.description,
        }),
        _ => json!({
            "state": state, "context": told.context, "target_url": told.target_url,
            "description": told.description,
        }),
    };
    let place = place(kind, repository);
    let path = match kind {
        ForgeKind::Bitbucket => format!("{place}/commit/{sha}/statuses/build"),
        _ => format!("{place}/statuses/{sha}"),
    };
    Call { path, headers: headers(kind, token), body }
}

/// Whether the same call will not be answered otherwise: the token, the repository or the commit is not right.
pub fn lasting(status: u16) -> bool {
    (300..500).contains(&status) && !matches!(status, 408 | 425 | 429 | 430)
}

/// Milliseconds until the next attempt after so many in vain; `None` is that enough were made.
pub fn after(attempts: u32) -> Option<i64> {
    let number = usize::try_from(attempts).ok()?.checked_sub(1)?;
    WAITS.get(number).map(|seconds| seconds * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: Status) -> Told {
        Told {
            status,
            context: "orbitra/web".to_owned(),
            description: "Deployed".to_owned(),
            target_url: "https://example.com/dashboard/deployments/dep_1".to_owned(),
        }
    }

    #[test]
    fn each_forge_is_told_in_its_own_form() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let github = call(ForgeKind::Github, "ghp_1", "acme/web", sha, &told(Status::Success));
        assert_eq!(github.path, format!("/repos/acme/web/statuses/{sha}"));
        assert_eq!(
            github.body,
            json!({"state": "success", "context": "orbitra/web", "description": "Deployed",
                   "target_url": "https://example.com/dashboard/deployments/dep_1"})
        );
        assert!(github.headers.contains(&("authorization", "Bearer ghp_1".to_owned())));
        let gitlab = call(ForgeKind::Gitlab, "glpat-1", "a/b/web", sha, &told(Status::Failure));
        assert_eq!(gitlab.path, format!("/projects/a%2Fb%2Fweb/statuses/{sha}"));
        assert_eq!(
            (&gitlab.body["state"], &gitlab.body["name"]),
            (&json!("failed"), &json!("orbitra/web"))
        );
        assert!(gitlab.headers.contains(&("private-token", "glpat-1".to_owned())));
        let gitea = call(ForgeKind::Gitea, "t", "acme/web", sha, &told(Status::Canceled));
        assert_eq!(gitea.body["state"], "error");
        assert!(gitea.headers.contains(&("authorization", "token t".to_owned())));
        let bitbucket = call(ForgeKind::Bitbucket, "t", "acme/web", sha, &told(Status::Pending));
        assert_eq!(bitbucket.path, format!("/repositories/acme/web/commit/{sha}/statuses/build"));
        assert_eq!(
            bitbucket.body,
            json!({"state": "INPROGRESS", "key": "orbitra/web", "name": "orbitra/web", "description": "Deployed",
                   "url": "https://example.com/dashboard/deployments/dep_1"})
        );
    }

    #[test]
    fn a_key_is_short_and_its_own() {
        let long = |end: &str| key(&format!("orbitra/{}{end}", "a".repeat(40)));
        assert_eq!(key("orbitra/web (preview)"), "orbitra/web (preview)");
        assert_eq!((long("").len(), long("") == long(" (preview)")), (LONGEST_KEY, false));
    }

    #[test]
    fn attempts_end() {
        assert_eq!((after(0), after(1), after(2)), (None, Some(5_000), Some(30_000)));
        assert_eq!((after(9), after(10)), (Some(7_200_000), None));
        for (status, answer) in [(401, true), (404, true), (422, true), (302, true)] {
            assert_eq!(lasting(status), answer, "{status}");
        }
        for status in [408, 429, 430, 500, 503] {
            assert!(!lasting(status), "{status}");
        }
    }
}
