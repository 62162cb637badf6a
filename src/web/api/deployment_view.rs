//! Deployments as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::include::{Part, Selectable};
use super::page::Page;
use super::schema::Framework;
use crate::config::Hosts;
use crate::model::deployment::{
    Can, CancelReason, CreatedBy, Deployment, Phase, Status, Target, Trigger,
};
use crate::model::diagnosis::Cause;
use crate::model::failure::{Failure, FailureCode};
use crate::model::ids::{DeploymentId, ProjectId, UploadId};
use crate::model::timestamp::Timestamp;

/// A page of deployments.
pub type DeploymentPage = Page<Part<DeploymentView>>;

/// A deployment, everything of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Deployment)]
pub struct DeploymentView {
    id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    /// Its own URL, whatever is live.
    #[schema(format = "uri", example = "https://my-app-dep4q7w1z3c.example.com")]
    url: String,
    created_at: Timestamp,
    /// URL of its branch, which answers with the newest ready deployment of it. Null without a branch and before one was
    /// ready.
    #[schema(format = "uri", example = "https://my-app-git-main.example.com")]
    branch_url: Option<String>,
    phase: Phase,
    /// Its place among those that wait, from 1.
    queue_position: Option<i64>,
    /// What it waits for while it is queued although it is its turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "Waiting for memory: a build needs 512 MB, 310 MB are free."
    )]
    waiting: Option<String>,
    target: Target,
    trigger: Trigger,
    git: GitView,
    /// The image it is made of, as it was asked for.
    image: Option<String>,
    /// The archive it is made of.
    upload_id: Option<UploadId>,
    /// The deployment it is a repetition of.
    source_deployment_id: Option<DeploymentId>,
    message: Option<String>,
    /// Whether it takes over the project's traffic when it is ready.
    promote: bool,
    /// Names of the variables it was made with, those of its project too. Values are never answered.
    #[schema(example = json!(["API_KEY", "NODE_ENV"]))]
    environment_keys: Vec<String>,
    #[schema(value_type = Option<Framework>)]
    framework: Option<String>,
    started_at: Option<Timestamp>,
    built_at: Option<Timestamp>,
    live_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    /// From acceptance to the end.
    duration_ms: Option<u64>,
    error: Option<FailureView>,
    /// Only when it was canceled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancel_reason: Option<CancelReason>,
    can: CanView,
    created_by: CreatedByView,
}

/// The commit it is made of. Empty when it is made of an archive or an image.
#[derive(Serialize, ToSchema)]
#[schema(as = DeploymentGit)]
pub struct GitView {
    #[schema(example = "https://github.com/user/repo.git")]
    url: Option<String>,
    #[schema(example = "main")]
    branch: Option<String>,
    commit_sha: Option<String>,
    commit_message: Option<String>,
    commit_author: Option<String>,
}

/// What may be asked of it now.
#[derive(Serialize, ToSchema)]
#[schema(as = DeploymentActions)]
pub struct CanView {
    cancel: bool,
    redeploy: bool,
    promote: bool,
    rollback: bool,
}

/// Why it failed.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub struct FailureView {
    code: FailureCode,
    /// The phase it failed in.
    #[schema(example = "building")]
    phase: String,
    #[schema(example = "Build command exited with code 1.")]
    message: String,
    exit_code: Option<i64>,
    /// The next step, where the cause was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "Run `npm ci` on your machine: most often it fails there in the same way."
    )]
    hint: Option<String>,
    /// What shows it: lines that were written, sockets it listens on, an answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 8)]
    evidence: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cause: Option<Cause>,
}

/// Who asked for it.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedBy)]
pub struct CreatedByView {
    /// `user`, `api_key` or another kind of caller.
    #[serde(rename = "type")]
    #[schema(example = "api_key")]
    kind: String,
    id: String,
    #[schema(example = "ci")]
    name: String,
    user_id: String,
}

/// The answer to `POST`.
#[derive(Serialize, ToSchema)]
#[schema(as = NewDeployment)]
#[serde(deny_unknown_fields)]
pub struct NewDeploymentView {
    pub id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri", example = "https://my-app-dep123.example.com")]
    url: String,
    created_at: Timestamp,
}

impl Selectable for DeploymentView {
    const PART: &'static str = "DeploymentItem";
    const GIVEN: &'static [&'static str] = &["id", "project_id", "status", "url", "created_at"];
    const MORE: &'static [&'static str] = &[
        "branch_url",
        "phase",
        "queue_position",
        "waiting",
        "target",
        "trigger",
        "git",
        "image",
        "upload_id",
        "source_deployment_id",
        "message",
        "promote",
        "environment_keys",
        "framework",
        "started_at",
        "built_at",
        "live_at",
        "finished_at",
        "duration_ms",
        "error",
        "cancel_reason",
        "can",
        "created_by",
    ];
}

impl DeploymentView {
    /// The view of a deployment on this server.
    pub fn new(deployment: Deployment, queue_position: Option<i64>, hosts: &Hosts) -> Self {
        let (commit_sha, commit_message, commit_author) = match deployment.commit.clone() {
            Some(commit) => (Some(commit.sha), Some(commit.message), Some(commit.author)),
            None => (None, None, None),
        };
        Self {
            status: deployment.status(),
            phase: deployment.phase(),
            duration_ms: deployment.duration_ms(),
            url: hosts.url_of(&deployment.hostname),
            branch_url: deployment.branch_label.as_deref().map(|label| hosts.url_of_branch(label)),
            can: deployment.can().into(),
            id: deployment.id,
            project_id: deployment.project_id,
            created_at: deployment.created_at,
            queue_position,
            waiting: deployment.waiting,
            target: deployment.target,
            trigger: deployment.trigger,
            git: GitView {
                url: Some(deployment.git_url)
                    .filter(|url| !url.is_empty())
                    .map(|url| hosts.shown_source(url)),
                branch: deployment.branch,
                commit_sha,
                commit_message,
                commit_author,
            },
            image: deployment.image_reference,
            upload_id: deployment.upload_id,
            source_deployment_id: deployment.source_deployment_id,
            message: deployment.message,
            promote: deployment.promote,
            environment_keys: deployment.environment_keys,
            framework: deployment.plan.map(|plan| plan.framework),
            started_at: deployment.started_at,
            built_at: deployment.built_at,
            live_at: deployment.live_at,
            finished_at: deployment.finished_at,
            error: deployment.failure.map(Into::into),
            cancel_reason: deployment.cancel_reason,
            created_by: deployment.created_by.into(),
        }
    }
}

impl NewDeploymentView {
    /// The view of a deployment on this server.
    pub fn new(deployment: Deployment, hosts: &Hosts) -> Self {
        Self {
            status: deployment.status(),
            id: deployment.id,
            project_id: deployment.project_id,
            url: hosts.url_of(&deployment.hostname),
            created_at: deployment.created_at,
        }
    }
}

impl From<Can> for CanView {
    fn from(can: Can) -> Self {
        Self {
            cancel: can.cancel,
            redeploy: can.redeploy,
            promote: can.promote,
            rollback: can.rollback,
        }
    }
}

impl From<Failure> for FailureView {
    fn from(failure: Failure) -> Self {
        let (cause, hint, evidence) = match failure.diagnosis {
            Some(found) => (Some(found.cause), Some(found.hint), found.evidence),
            None => (None, None, Vec::new()),
        };
        Self {
            code: failure.code,
            phase: failure.phase,
            message: failure.message,
            exit_code: failure.exit_code,
            hint,
            evidence,
            cause,
        }
    }
}

impl From<CreatedBy> for CreatedByView {
    fn from(by: CreatedBy) -> Self {
        Self { kind: by.kind, id: by.id, name: by.name, user_id: by.user_id }
    }
}
