//! What a project's source may be, and what follows from it.

use super::project_rules::{check_branch_name, check_source_url, check_watch_paths};
use crate::egress::Policy;
use crate::model::git_url::pushed_project;
use crate::model::ids::ProjectId;
use crate::model::problems::Problems;
use crate::model::project::{SourceAuth, SourceSettings, normal_path};

/// A source to set as a whole. A field that was not sent gets its default.
#[derive(Clone, Default)]
pub struct NewSource {
    pub git_url: Option<String>,
    pub branch: Option<String>,
    pub root_dir: Option<String>,
    pub auth: Option<String>,
    pub watch_paths: Option<Vec<String>>,
    pub fork_previews: Option<bool>,
    /// A token, or user and password with `:` between.
    pub token: Option<String>,
}

/// Longest token in bytes.
const LONGEST_TOKEN: usize = 1024;

/// The server a source is on; `None` without a usable address.
pub fn origin(source: &SourceSettings, policy: &Policy) -> Option<String> {
    Some(policy.git_url(source.git_url.as_deref()?).ok()?.origin())
}

/// What the source is read with after a change that brings no token: a token stays as long as the server does, and an
/// SSH address is read with the deploy key.
pub fn settle_auth(
    before: &SourceSettings,
    after: &mut SourceSettings,
    asked: Option<&str>,
    policy: &Policy,
    problems: &mut Problems,
) {
    let url = after.git_url.as_deref().and_then(|url| policy.git_url(url).ok());
    let stays = before.auth == SourceAuth::Token && origin(before, policy) == origin(after, policy);
    let fitting: &[SourceAuth] = match url {
        Some(url) if url.ssh().is_some() => &[SourceAuth::DeployKey],
        Some(_) if stays => &[SourceAuth::Token, SourceAuth::None],
        _ => &[SourceAuth::None],
    };
    after.auth = fitting[0];
    let Some(asked) = asked else { return };
    match fitting.iter().find(|auth| auth.as_str() == asked) {
        Some(auth) => after.auth = *auth,
        None => {
            let names = fitting.iter().map(|auth| auth.as_str());
            problems.unknown_value("source.auth", names);
            if let Some(problem) = problems.invalid_fields.last_mut() {
                problem.message = match asked {
                    "token" => "A token is set with PUT /projects/{project}/source.".to_owned(),
                    _ => "The address of the source is not read with this.".to_owned(),
                };
            }
        }
    }
}

/// Reads a source to set. What comes back is only to be used when nothing was noted.
pub fn check(
    before: &SourceSettings,
    new: &NewSource,
    own: &ProjectId,
    policy: &Policy,
    problems: &mut Problems,
) -> SourceSettings {
    problems.require("git_url", new.git_url.as_ref());
    let url = new.git_url.as_deref().and_then(|url| {
        check_source_url(url, own, policy, problems);
        policy.git_url(url).ok()
    });
    if let Some(branch) = &new.branch {
        check_branch_name(branch, problems);
    }
    let root_dir = new.root_dir.clone().unwrap_or_else(|| "/".to_owned());
    if normal_path(&root_dir).is_none() {
        problems.invalid("root_dir", "unsafe", "A path inside the repository, without `..`.");
    }
    let watch_paths = new.watch_paths.clone().unwrap_or_default();
    check_watch_paths("watch_paths", &watch_paths, problems);
    let is_ssh = url.as_ref().is_some_and(|url| url.ssh().is_some());
    let mut after = SourceSettings {
        git_url: new.git_url.clone(),
        branch: new.branch.clone(),
        root_dir,
        auth: SourceAuth::None,
        watch_paths,
        fork_previews: new.fork_previews.unwrap_or(false),
    };
    let auth = match (new.auth.as_deref(), &new.token) {
        (Some(auth), _) => SourceAuth::parse(auth),
        (None, Some(_)) => Some(SourceAuth::Token),
        (None, None) if is_ssh => Some(SourceAuth::DeployKey),
        (None, None) => Some(SourceAuth::None),
    };
    let Some(auth) = auth else {
        problems.unknown_value("auth", SourceAuth::ALL.map(SourceAuth::as_str));
        return after;
    };
    after.auth = auth;
    if let Some(token) = &new.token {
        check_token(token, auth, problems);
    }
    let pushed = new.git_url.as_deref().is_some_and(|url| pushed_project(url).is_some());
    if pushed && auth != SourceAuth::None {
        let message = "What was pushed here is read without a credential.";
        problems.invalid("auth", "mutually_exclusive", message);
    }
    if url.is_none() {
        return after;
    }
    if is_ssh != (auth == SourceAuth::DeployKey) {
        let message = if is_ssh {
            "An SSH address is read with `deploy_key`."
        } else {
            "A deploy key is for SSH addresses, such as `git@host:path`."
        };
        problems.invalid("auth", "mutually_exclusive", message);
    } else if auth == SourceAuth::Token && new.token.is_none() {
        // A stored token is for its own server only.
        let stored =
            before.auth == SourceAuth::Token && origin(before, policy) == origin(&after, policy);
        problems.require("token", stored.then_some(&()));
    }
    after
}

/// Notes what is wrong with a token; never the token.
fn check_token(token: &str, auth: SourceAuth, problems: &mut Problems) {
    let halves =
        token.split_once(':').is_none_or(|(user, rest)| !user.is_empty() && !rest.is_empty());
    if auth != SourceAuth::Token {
        problems.invalid("token", "mutually_exclusive", "A token is for `auth` `token`.");
    } else if token.is_empty() {
        problems.invalid("token", "too_short", "At least 1 character.");
    } else if token.len() > LONGEST_TOKEN {
        problems.invalid("token", "too_long", format!("At most {LONGEST_TOKEN} characters."));
    } else if !halves || !token.bytes().all(|b| b.is_ascii_graphic()) {
        let message = "A token, or `user:password`, of printable ASCII characters without blanks.";
        problems.invalid("token", "format", message);
    }
}
