//! The data of events, as webhooks and the log have it.
#![allow(dead_code, reason = "the data is written where it happens, as JSON; here it is described")]

use utoipa::ToSchema;

use crate::model::deployment::{CancelReason, Status};
use crate::model::domain::DomainStatus;
use crate::model::failure::FailureCode;
use crate::model::ids::{DeploymentId, DomainId, KeyId, ProjectId, UserId, WebhookId};
use crate::model::project::ProjectStatus;
use crate::model::project_env::EnvTarget;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::DisabledReason;
use crate::web::api::schema::{Framework, Region};

/// Data of `deployment.created`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeploymentData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
}

/// Data of `deployment.succeeded`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "deployment_id": "dep_123abc", "project_id": "prj_abc123", "status": "live",
    "url": "https://my-app-dep123.example.com", "duration_ms": 45000,
}))]
pub(super) struct DeploymentSucceededData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
    /// From acceptance to the end.
    duration_ms: u64,
}

/// Data of `deployment.failed`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeploymentFailedData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
    /// From acceptance to the end.
    duration_ms: u64,
    error: EventFailure,
}

/// Why a deployment failed.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventFailure {
    code: FailureCode,
    phase: String,
    message: String,
}

/// Data of `deployment.canceled`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeploymentCanceledData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
    cancel_reason: CancelReason,
}

/// Data of what happens to a deployment while it runs.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeploymentRunData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
    /// Exit code of the process, when it is known.
    exit_code: Option<i64>,
    restarts: u64,
}

/// Data of a change of the production traffic.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeploymentReleasedData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    status: Status,
    #[schema(format = "uri")]
    url: String,
    /// What had the traffic before.
    previous_deployment_id: Option<DeploymentId>,
}

/// Data of `deployment.deleted`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeploymentDeletedData {
    deployment_id: DeploymentId,
    project_id: ProjectId,
}

/// Data of what happens to a domain.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DomainData {
    domain_id: DomainId,
    hostname: String,
    project_id: ProjectId,
    status: DomainStatus,
}

/// Data of `env.updated`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvUpdatedData {
    project_id: ProjectId,
    /// Names of the variables that changed, never their values.
    keys: Vec<String>,
    target: EnvTarget,
}

/// Data of `project.created`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectCreatedData {
    project_id: ProjectId,
    name: String,
    region: Region,
    framework: Option<Framework>,
    status: ProjectStatus,
    created_at: Timestamp,
}

/// Data of a change of a project.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectChangedData {
    project_id: ProjectId,
    name: String,
    status: ProjectStatus,
    /// Names of the fields that changed.
    changed: Vec<String>,
}

/// Data of `project.deleted`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectDeletedData {
    project_id: ProjectId,
    name: String,
    deleted_at: Timestamp,
}

/// Data of what happens to an API key.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKeyData {
    api_key_id: KeyId,
    /// The project of a project token.
    project_id: Option<ProjectId>,
    /// The account that did it.
    actor_id: UserId,
}

/// Data of `api_key.rotated`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKeyRotatedData {
    /// The new key.
    api_key_id: KeyId,
    /// The old one.
    replaces: KeyId,
    /// The account that did it.
    actor_id: UserId,
}

/// Data of what happens to an account.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserData {
    user_id: UserId,
    /// The account that did it.
    actor_id: UserId,
}

/// Data of `billing.invoice.created`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InvoiceCreatedData {
    invoice_id: String,
    number: String,
    status: String,
    currency: String,
    /// In the smallest unit of the currency.
    amount_due: u64,
    period_start: Timestamp,
    period_end: Timestamp,
    due_at: Timestamp,
}

/// Data of `webhook.disabled`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookDisabledData {
    webhook_id: WebhookId,
    reason: DisabledReason,
}

/// Data of `webhook.ping`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookPingData {
    webhook_id: WebhookId,
    message: String,
}

/// Data of `system.disk.low`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiskLowData {
    /// What is left on the fullest of the disks that builds need.
    free_bytes: u64,
    /// With less than this left nothing is built.
    floor_bytes: u64,
}

/// Data of `system.engine.down`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EngineDownData {
    /// When it was first found not to answer.
    since: Timestamp,
}
