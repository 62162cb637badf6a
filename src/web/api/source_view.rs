//! The key of a project as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::source::DeployKey;
use crate::crypto::ssh_key::{fingerprint, openssh};
use crate::model::timestamp::Timestamp;

/// The public half of the key a project reads its repository with over SSH.
#[derive(Serialize, ToSchema)]
#[schema(as = DeployKey)]
pub struct DeployKeyView {
    /// As a forge takes it: a line of OpenSSH's.
    #[schema(
        example = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea orbitra-my-app"
    )]
    public_key: String,
    /// As OpenSSH and the forges show it.
    #[schema(example = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU")]
    fingerprint: String,
    created_at: Timestamp,
}

impl DeployKeyView {
    /// The view of a key; its comment names the project.
    pub fn new(made: &DeployKey) -> Self {
        let public = &made.key.public;
        Self {
            public_key: openssh(public, &format!("orbitra-{}", made.project.name)),
            fingerprint: fingerprint(public),
            created_at: made.key.created_at,
        }
    }
}
