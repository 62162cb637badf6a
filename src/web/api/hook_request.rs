//! What `/projects/{project}/hooks` and the addresses of hooks take, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use utoipa::ToSchema;

use super::schema::described;
use super::text_rules::{BranchName, Note};
use crate::model::push_hook::{HookKind, Provider};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder};

/// A hook to make.
#[derive(ToSchema)]
#[schema(example = json!({ "kind": "git", "provider": "github", "branch": "main", "previews": false }))]
#[serde(deny_unknown_fields)]
pub struct CreateHook {
    kind: HookKind,
    /// Who calls it: how it signs, and what it sends.
    #[schema(required = false, default = "generic")]
    provider: Provider,
    /// The branch that makes production deployments. Left out it is the project's own, or the repository's default.
    branch: Option<BranchName>,
    /// Whether other branches make previews. They do as well when the project's `preview_deployments` says so.
    #[schema(required = false, default = false)]
    previews: bool,
    /// Whether pull and merge requests make previews under their branches. Those of forks do only when the project's
    /// `source.fork_previews` says so.
    #[schema(required = false, default = false)]
    pull_requests: bool,
    /// Whether what is pushed waits in the queue until the checks of its commit have passed, at most an hour. Needs the
    /// project's forge.
    #[schema(required = false, default = false)]
    wait_for_checks: bool,
}

/// What to deploy; everything may be left out.
#[derive(ToSchema)]
#[schema(example = json!({ "branch": "main", "message": "Content was changed" }))]
#[serde(deny_unknown_fields)]
pub struct CallDeployHook {
    /// Left out it is the hook's branch, or the project's.
    branch: Option<BranchName>,
    #[schema(pattern = "^[0-9A-Fa-f]{7,64}$")]
    commit_sha: Option<String>,
    message: Option<Note>,
}

/// What a forge sends.
pub struct PushPayload;

described! {
    PushPayload => "PushPayload", ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .description(Some("The payload in the forge's own form."));
}

/// The same as a form.
#[derive(ToSchema)]
pub struct PushForm {
    /// The payload as JSON.
    payload: String,
}
