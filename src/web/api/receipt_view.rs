//! Receipts of deployments and their differences as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::schema::Framework;
use crate::app::receipts::Compared;
use crate::model::deployment::{Deployment, Phase};
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::receipt::difference::{CommitRange, FieldChange, TimingChange, VariableChanges};
use crate::model::receipt::looks::{Look, NoAnswer};
use crate::model::receipt::{
    BaseImage, CommitFacts, FileFacts, ImageFacts, Limits, PhaseFacts, PlanFacts, Receipt,
    VariableFacts,
};
use crate::model::timestamp::Timestamp;

/// What a deployment was made of.
#[derive(Serialize, ToSchema)]
#[schema(as = Receipt)]
pub struct ReceiptView {
    deployment_id: DeploymentId,
    project_id: ProjectId,
    /// When it was written: when the deployment became ready or failed. `null` before, and when it was canceled.
    written_at: Option<Timestamp>,
    commit: Option<CommitView>,
    image: Option<ImageView>,
    /// Images that the build began with.
    base_images: Vec<BaseImageView>,
    /// Of a site without a container.
    files: Option<FilesView>,
    plan: Option<PlanView>,
    /// By name.
    variables: Vec<VariableView>,
    limits: Option<LimitsView>,
    /// Its own host name, then those of its project.
    #[schema(example = json!(["my-app-dep4q7w1z3c.example.com", "my-app.example.com"]))]
    hostnames: Vec<String>,
    /// The looks of the health check that saw something else than the one before.
    #[schema(max_items = 20)]
    probes: Vec<ProbeView>,
    /// In the order they began.
    phases: Vec<PhaseView>,
}

/// The commit.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiptCommit)]
pub struct CommitView {
    sha: String,
    #[schema(example = "main")]
    branch: Option<String>,
    message: String,
    author: String,
}

/// The image its container runs.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiptImage)]
pub struct ImageView {
    /// Its content address.
    id: String,
    size_bytes: u64,
    /// Of an image that was not built here: its name with its digest.
    reference: Option<String>,
}

/// An image that a build began with.
#[derive(Serialize, ToSchema)]
#[schema(as = BaseImage)]
pub struct BaseImageView {
    #[schema(example = "node:22-bookworm-slim")]
    name: String,
    /// Its digest in the registry it comes from.
    digest: Option<String>,
    /// Its content address on this server.
    id: Option<String>,
}

/// Files that are served without a container.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiptFiles)]
pub struct FilesView {
    count: u64,
    bytes: u64,
}

/// How it was built and run.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiptPlan)]
pub struct PlanView {
    #[schema(value_type = Framework)]
    framework: String,
    /// `container`, `static` or `static_build`.
    #[schema(example = "container")]
    output: String,
    versions: Vec<VersionView>,
    install_command: Option<String>,
    build_command: Option<String>,
    release_command: Option<String>,
    start_command: Option<String>,
    port: Option<u16>,
}

/// A resolved version.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiptVersion)]
pub struct VersionView {
    #[schema(example = "node")]
    name: String,
    #[schema(example = "22.11.0")]
    version: String,
    /// What asked for it.
    source: String,
}

/// A variable, never its value.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiptVariable)]
pub struct VariableView {
    #[schema(example = "API_KEY")]
    name: String,
    /// A keyed digest: the same for the same value of this name in this project, and nothing can be guessed from it.
    hash: Option<String>,
}

/// What its containers may use.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiptLimits)]
pub struct LimitsView {
    memory_mb: u32,
    /// Thousandths of a core.
    cpu_millis: u32,
    instances: u32,
}

/// A look of the health check.
#[derive(Serialize, ToSchema)]
#[schema(as = Probe)]
pub struct ProbeView {
    at: Timestamp,
    status: Option<u16>,
    /// Why there is no status.
    reason: Option<NoAnswer>,
    duration_ms: u64,
}

/// A step.
#[derive(Serialize, ToSchema)]
#[schema(as = PhaseTiming)]
pub struct PhaseView {
    phase: Phase,
    started_at: Timestamp,
    /// `null` while it runs.
    duration_ms: Option<u64>,
}

/// What changed from one deployment to another.
#[derive(Serialize, ToSchema)]
#[schema(as = DeploymentDifference)]
pub struct DifferenceView {
    before: DeploymentId,
    after: DeploymentId,
    /// Facts of the receipts that are not the same.
    fields: Vec<FieldChangeView>,
    variables: VariableChangesView,
    commits: CommitRangeView,
    /// Every step that either of them took.
    timings: Vec<TimingView>,
}

/// A fact that is not the same.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldChange)]
pub struct FieldChangeView {
    #[schema(example = "limits.memory_mb")]
    field: String,
    #[schema(example = "512")]
    before: Option<String>,
    #[schema(example = "1024")]
    after: Option<String>,
}

/// Names of variables.
#[derive(Serialize, ToSchema)]
#[schema(as = VariableChanges)]
pub struct VariableChangesView {
    added: Vec<String>,
    removed: Vec<String>,
    /// With another value.
    changed: Vec<String>,
}

/// The commits of both.
#[derive(Serialize, ToSchema)]
#[schema(as = CommitRange)]
pub struct CommitRangeView {
    before: Option<CommitView>,
    after: Option<CommitView>,
}

/// How long one step took in both.
#[derive(Serialize, ToSchema)]
#[schema(as = TimingChange)]
pub struct TimingView {
    phase: Phase,
    before_ms: Option<u64>,
    after_ms: Option<u64>,
}

impl ReceiptView {
    /// The view of a deployment's receipt.
    pub fn new(deployment: &Deployment, receipt: Receipt) -> Self {
        let own = std::iter::once(receipt.hostname);
        Self {
            deployment_id: deployment.id.clone(),
            project_id: deployment.project_id.clone(),
            written_at: receipt.written_at,
            commit: receipt.commit.map(Into::into),
            image: receipt.image.map(Into::into),
            base_images: all(receipt.base_images),
            files: receipt.files.map(Into::into),
            plan: receipt.plan.map(Into::into),
            variables: all(receipt.variables),
            limits: receipt.limits.map(Into::into),
            hostnames: own.chain(receipt.project_hostnames).collect(),
            probes: all(receipt.probes),
            phases: all(receipt.phases),
        }
    }
}

impl DifferenceView {
    /// The view of what changed.
    pub fn new(compared: Compared) -> Self {
        let difference = compared.difference;
        Self {
            before: compared.before.id,
            after: compared.after.id,
            fields: all(difference.fields),
            variables: difference.variables.into(),
            commits: difference.commits.into(),
            timings: all(difference.timings),
        }
    }
}

fn all<A: Into<B>, B>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(Into::into).collect()
}

/// Fields that are handed on under the same names.
macro_rules! same {
    ($($from:ident => $to:ident { $($field:ident),+ };)+) => {$(
        impl From<$from> for $to {
            fn from(from: $from) -> Self {
                Self { $($field: from.$field),+ }
            }
        }
    )+};
}

same! {
    CommitFacts => CommitView { sha, branch, message, author };
    ImageFacts => ImageView { id, size_bytes, reference };
    BaseImage => BaseImageView { name, digest, id };
    FileFacts => FilesView { count, bytes };
    VariableFacts => VariableView { name, hash };
    Limits => LimitsView { memory_mb, cpu_millis, instances };
    Look => ProbeView { at, status, reason, duration_ms };
    PhaseFacts => PhaseView { phase, started_at, duration_ms };
    FieldChange => FieldChangeView { field, before, after };
    VariableChanges => VariableChangesView { added, removed, changed };
    TimingChange => TimingView { phase, before_ms, after_ms };
}

impl From<PlanFacts> for PlanView {
    fn from(plan: PlanFacts) -> Self {
        let versions = plan.versions.into_iter().map(|version| VersionView {
            name: version.name,
            version: version.version,
            source: version.source,
        });
        Self {
            framework: plan.framework,
            output: plan.output,
            versions: versions.collect(),
            install_command: plan.install_command,
            build_command: plan.build_command,
            release_command: plan.release_command,
            start_command: plan.start_command,
            port: plan.port,
        }
    }
}

impl From<CommitRange> for CommitRangeView {
    fn from(range: CommitRange) -> Self {
        Self { before: range.before.map(Into::into), after: range.after.map(Into::into) }
    }
}
