//! Hooks of a project as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::page::Page;
use crate::app::push_hooks::ShownHook;
use crate::model::ids::HookId;
use crate::model::push_hook::{HookKind, Provider};
use crate::model::timestamp::Timestamp;

/// A page of hooks.
pub type HookPage = Page<HookView>;

/// An address that a forge or a script calls when there is something to deploy.
#[derive(Serialize, ToSchema)]
#[schema(as = Hook)]
pub struct HookView {
    id: HookId,
    kind: HookKind,
    provider: Provider,
    /// The branch that makes production deployments; `null` for the project's own.
    #[schema(example = "main")]
    branch: Option<String>,
    /// Whether other branches make previews.
    previews: bool,
    /// Whether pull and merge requests make previews.
    pull_requests: bool,
    /// Whether what is pushed waits for the checks of its commit.
    wait_for_checks: bool,
    /// Whoever knows it may call it.
    #[schema(
        format = "uri",
        example = "https://example.com/api/v1/hooks/git/orbh_0123456789ABCDEFGHIJabcdefghij3GtM5T"
    )]
    url: String,
    /// When it was last called by somebody who could sign; `null` until then.
    last_received_at: Option<Timestamp>,
    created_at: Timestamp,
}

/// A hook that was just made: the only answer the secret is in.
#[derive(Serialize, ToSchema)]
#[schema(as = NewHook)]
pub struct NewHookView {
    #[serde(flatten)]
    shown: HookView,
    /// What the forge signs with, shown once; `null` for a deploy hook.
    secret: Option<String>,
}

impl From<ShownHook> for HookView {
    fn from(shown: ShownHook) -> Self {
        let hook = shown.hook;
        Self {
            id: hook.id,
            kind: hook.kind,
            provider: hook.provider,
            branch: hook.branch,
            previews: hook.previews,
            pull_requests: hook.pull_requests,
            wait_for_checks: hook.wait_for_checks,
            url: shown.url,
            last_received_at: hook.last_received_at,
            created_at: hook.created_at,
        }
    }
}

impl From<ShownHook> for NewHookView {
    fn from(shown: ShownHook) -> Self {
        Self { secret: shown.secret.clone(), shown: shown.into() }
    }
}
