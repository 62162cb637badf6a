//! Payloads, each in its forge's own form.

use serde_json::{Map, Value};

use super::{MOST_CHANGES, Push, Told, request};
use crate::model::push_hook::Provider;
use crate::model::watch_paths::Changes;

/// GitHub tells of no more commits than this in one push.
const GITHUB_COMMITS: usize = 2048;

type Object = Map<String, Value>;

/// A payload that is not what its forge sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Such as `commits.0.added`.
    pub field: &'static str,
    pub missing: bool,
}

pub(super) fn wrong(field: &'static str) -> Wrong {
    Wrong { field, missing: false }
}

/// What a payload tells. Without the name of the event it follows from what is there.
///
/// # Errors
/// It has not the form it should have.
pub fn read(provider: Provider, event: Option<&str>, payload: &Object) -> Result<Vec<Told>, Wrong> {
    let bitbucket = match provider {
        Provider::Bitbucket => true,
        Provider::Generic => {
            payload.contains_key("push")
                || event.is_some_and(|name| name.starts_with("pullrequest:"))
        }
        _ => false,
    };
    if bitbucket {
        return match event {
            Some("repo:push") | None => changes(payload),
            Some(event) if event.starts_with("pullrequest:") => {
                Ok(vec![Told::Request(request::bitbucket(event, payload)?)])
            }
            Some("diagnostics:ping") => Ok(vec![Told::Ping]),
            Some(_) => Ok(vec![Told::Unsupported]),
        };
    }
    let told = match event {
        Some("push" | "Push Hook") => pushed(payload)?,
        Some("ping") => Told::Ping,
        // Gitea has a name of its own for new commits.
        Some("pull_request" | "pull_request_sync") => Told::Request(request::github(payload)?),
        Some("Merge Request Hook") => Told::Request(request::gitlab(payload)?),
        Some("delete") => deleted(payload)?,
        Some("Tag Push Hook") => Told::Tag,
        // GitLab's hooks of a whole instance name their events inside.
        Some("System Hook") => match text(payload, "object_kind")?.unwrap_or_default() {
            "push" => pushed(payload)?,
            "tag_push" => Told::Tag,
            "merge_request" => Told::Request(request::gitlab(payload)?),
            _ => Told::Unsupported,
        },
        Some(_) => Told::Unsupported,
        None if payload.contains_key("ref") => pushed(payload)?,
        None if payload.contains_key("zen") => Told::Ping,
        None => Told::Unsupported,
    };
    Ok(vec![told])
}

/// The form that GitHub, GitLab, Gitea and Forgejo share.
fn pushed(payload: &Object) -> Result<Told, Wrong> {
    let name = text(payload, "ref")?.ok_or(Wrong { field: "ref", missing: true })?;
    if name.starts_with("refs/tags/") {
        return Ok(Told::Tag);
    }
    let branch = match name.strip_prefix("refs/heads/") {
        Some(branch) => branch,
        None if name.starts_with("refs/") => return Ok(Told::Unsupported),
        None => name,
    };
    let after = text(payload, "after")?;
    if flag(payload, "deleted")? || after.is_some_and(is_zero) {
        return Ok(Told::Deleted(branch.to_owned()));
    }
    // GitLab says in it what the branch is at now.
    let commit = text(payload, "checkout_sha")?.or(after);
    let head = object(payload, "head_commit")?;
    let commits = list(payload, "commits")?;
    let message = match head {
        Some(head) => text(head, "message")?.unwrap_or_default().to_owned(),
        None => message_of(commits, commit)?,
    };
    // GitLab has it in another place than the others.
    let mut default = None;
    for place in ["repository", "project"] {
        if let (None, Some(place)) = (default, object(payload, place)?) {
            default = text(place, "default_branch")?;
        }
    }
    Ok(Told::Pushed(Push {
        branch: branch.to_owned(),
        commit: commit.map(str::to_owned),
        message,
        changes: changed(payload, commits)?,
        default_branch: default.map(str::to_owned),
    }))
}

/// GitHub's and Gitea's own event for it, which comes beside the push.
fn deleted(payload: &Object) -> Result<Told, Wrong> {
    let name = text(payload, "ref")?.ok_or(Wrong { field: "ref", missing: true })?;
    Ok(match text(payload, "ref_type")?.unwrap_or_default() {
        "branch" => Told::Deleted(name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()),
        "tag" => Told::Tag,
        _ => Told::Unsupported,
    })
}

fn message_of(commits: &[Value], commit: Option<&str>) -> Result<String, Wrong> {
    for one in commits {
        let one = one.as_object().ok_or(wrong("commits"))?;
        if commit.is_some() && text(one, "id")? == commit {
            return Ok(text(one, "message")?.unwrap_or_default().to_owned());
        }
    }
    Ok(String::new())
}

/// Which files the commits changed. Whatever may be missing from the list makes it unknown.
fn changed(payload: &Object, commits: &[Value]) -> Result<Changes, Wrong> {
    let before = text(payload, "before")?;
    let fresh = flag(payload, "created")? || flag(payload, "forced")? || before.is_none_or(is_zero);
    let mut cut = commits.len() >= GITHUB_COMMITS;
    for total in ["total_commits_count", "total_commits"] {
        match payload.get(total) {
            None | Some(Value::Null) => {}
            Some(total) => {
                let total = total.as_u64().ok_or(wrong("total_commits"))?;
                cut |= total != commits.len() as u64;
            }
        }
    }
    let mut paths = Vec::new();
    let mut complete = !fresh && !cut && !commits.is_empty();
    for commit in commits {
        let commit = commit.as_object().ok_or(wrong("commits"))?;
        for list in ["added", "modified", "removed"] {
            match commit.get(list) {
                None | Some(Value::Null) => complete = false,
                Some(Value::Array(files)) => {
                    for file in files {
                        paths.push(file.as_str().ok_or(wrong("commits"))?.to_owned());
                    }
                }
                Some(_) => return Err(wrong("commits")),
            }
        }
    }
    Ok(if complete { Changes::Paths(paths) } else { Changes::Unknown })
}

/// Bitbucket's form: one push, several branches and tags.
fn changes(payload: &Object) -> Result<Vec<Told>, Wrong> {
    let push = object(payload, "push")?.ok_or(Wrong { field: "push", missing: true })?;
    let changes = list(push, "changes")?;
    changes.iter().take(MOST_CHANGES).map(change).collect()
}

fn change(change: &Value) -> Result<Told, Wrong> {
    let change = change.as_object().ok_or(wrong("push.changes"))?;
    let (new, old) = (object(change, "new")?, object(change, "old")?);
    let Some(now) = new.or(old) else { return Ok(Told::Unsupported) };
    let missing = Wrong { field: "push.changes", missing: false };
    let name = text(now, "name")?.ok_or(missing)?.to_owned();
    Ok(match text(now, "type")?.unwrap_or_default() {
        "tag" | "annotated_tag" => Told::Tag,
        "branch" | "named_branch" if new.is_none() => Told::Deleted(name),
        "branch" | "named_branch" => {
            let target = object(now, "target")?;
            let of = |field| target.map_or(Ok(None), |target| text(target, field));
            Told::Pushed(Push {
                branch: name,
                commit: of("hash")?.map(str::to_owned),
                message: of("message")?.unwrap_or_default().to_owned(),
                changes: Changes::Unknown,
                default_branch: None,
            })
        }
        _ => Told::Unsupported,
    })
}

/// What stands in the place of a commit where there is none.
fn is_zero(sha: &str) -> bool {
    !sha.is_empty() && sha.bytes().all(|b| b == b'0')
}

pub(super) fn text<'a>(object: &'a Object, field: &'static str) -> Result<Option<&'a str>, Wrong> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(field)),
    }
}

fn flag(object: &Object, field: &'static str) -> Result<bool, Wrong> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(wrong(field)),
    }
}

pub(super) fn object<'a>(
    from: &'a Object,
    field: &'static str,
) -> Result<Option<&'a Object>, Wrong> {
    match from.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(wrong(field)),
    }
}

fn list<'a>(from: &'a Object, field: &'static str) -> Result<&'a [Value], Wrong> {
    match from.get(field) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(wrong(field)),
    }
}
