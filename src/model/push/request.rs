//! Pull and merge requests, each in its forge's own form.

use serde_json::{Map, Value};

use super::payload::{Wrong, object, text, wrong};

type Object = Map<String, Value>;

/// What happened to a request to merge a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    /// The branch that is to be merged.
    pub branch: String,
    /// Its newest commit; `None` where the forge tells only the beginning of its name.
    pub commit: Option<String>,
    /// Whether the branch is in another repository.
    pub fork: bool,
    pub what: Happened,
    /// What the repository calls its default branch.
    pub default_branch: Option<String>,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It is open, and its commits are new.
    Changed,
    /// It was merged or given up.
    Closed,
    /// Nothing that concerns its commits.
    Other,
}

impl PullRequest {
    /// The name its previews go by. A branch of another repository is never taken for one of this.
    pub fn preview_branch(&self) -> String {
        if self.fork { format!("pull/{}", self.number) } else { self.branch.clone() }
    }
}

fn missing(field: &'static str) -> Wrong {
    Wrong { field, missing: true }
}

fn number(object: &Object, field: &'static str) -> Result<u64, Wrong> {
    match object.get(field) {
        None | Some(Value::Null) => Err(missing(field)),
        Some(number) => number.as_u64().ok_or(wrong(field)),
    }
}

/// GitHub's form, which Gitea and Forgejo share.
///
/// <https://docs.github.com/webhooks/webhook-events-and-payloads#pull_request>
pub fn github(payload: &Object) -> Result<PullRequest, Wrong> {
    let what = match text(payload, "action")?.unwrap_or_default() {
        "opened" | "reopened" | "synchronize" | "synchronized" => Happened::Changed,
        "closed" => Happened::Closed,
        _ => Happened::Other,
    };
    let request = object(payload, "pull_request")?.ok_or(missing("pull_request"))?;
    let (head, base) = (object(request, "head")?, object(request, "base")?);
    let head = head.ok_or(missing("pull_request.head"))?;
    let base = base.ok_or(missing("pull_request.base"))?;
    let repository = |side: &'_ Object| -> Result<Option<String>, Wrong> {
        let Some(repository) = object(side, "repo")? else { return Ok(None) };
        Ok(text(repository, "full_name")?.map(str::to_owned))
    };
    let (theirs, ours) = (repository(head)?, repository(base)?);
    let default = object(payload, "repository")?;
    let default = default.map_or(Ok(None), |repository| text(repository, "default_branch"))?;
    Ok(PullRequest {
        number: number(request, "number").or_else(|_| number(payload, "number"))?,
        branch: text(head, "ref")?.ok_or(missing("pull_request.head.ref"))?.to_owned(),
        commit: text(head, "sha")?.map(str::to_owned),
        // A repository that is gone was another one.
        fork: theirs.is_none() || theirs != ours,
        what,
        default_branch: default.map(str::to_owned),
    })
}

/// GitLab's form: <https://docs.gitlab.com/user/project/integrations/webhook_events/#merge-request-events>
pub fn gitlab(payload: &Object) -> Result<PullRequest, Wrong> {
    let request = object(payload, "object_attributes")?.ok_or(missing("object_attributes"))?;
    let what = match text(request, "action")?.unwrap_or_default() {
        "open" | "reopen" => Happened::Changed,
        // Every change of a title is an update as well; new commits name the one before.
        "update" if text(request, "oldrev")?.is_some() => Happened::Changed,
        "close" | "merge" => Happened::Closed,
        _ => Happened::Other,
    };
    let commit = object(request, "last_commit")?;
    let commit = commit.map_or(Ok(None), |commit| text(commit, "id"))?;
    let project = object(payload, "project")?;
    let default = project.map_or(Ok(None), |project| text(project, "default_branch"))?;
    Ok(PullRequest {
        number: number(request, "iid")?,
        branch: text(request, "source_branch")?.ok_or(missing("source_branch"))?.to_owned(),
        commit: commit.map(str::to_owned),
        fork: number(request, "source_project_id").ok()
            != number(request, "target_project_id").ok(),
        what,
        default_branch: default.map(str::to_owned),
    })
}

/// Bitbucket's form: <https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/>
pub fn bitbucket(event: &str, payload: &Object) -> Result<PullRequest, Wrong> {
    let what = match event {
        "pullrequest:created" | "pullrequest:updated" => Happened::Changed,
        "pullrequest:fulfilled" | "pullrequest:rejected" => Happened::Closed,
        _ => Happened::Other,
    };
    let request = object(payload, "pullrequest")?.ok_or(missing("pullrequest"))?;
    let (source, target) = (object(request, "source")?, object(request, "destination")?);
    let source = source.ok_or(missing("pullrequest.source"))?;
    let target = target.ok_or(missing("pullrequest.destination"))?;
    let repository = |side: &'_ Object| -> Result<Option<String>, Wrong> {
        let Some(repository) = object(side, "repository")? else { return Ok(None) };
        Ok(text(repository, "full_name")?.map(str::to_owned))
    };
    let branch = object(source, "branch")?.map_or(Ok(None), |branch| text(branch, "name"))?;
    let commit = object(source, "commit")?.map_or(Ok(None), |commit| text(commit, "hash"))?;
    let (theirs, ours) = (repository(source)?, repository(target)?);
    Ok(PullRequest {
        number: number(request, "id")?,
        branch: branch.ok_or(missing("pullrequest.source.branch"))?.to_owned(),
        commit: commit.filter(|hash| hash.len() == 40).map(str::to_owned),
        fork: theirs.is_none() || theirs != ours,
        what,
        default_branch: None,
    })
}
