//! What a deployment was made of, kept for as long as the deployment is.

pub mod difference;
pub mod looks;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::build_plan::{BuildPlan, Output, Version};
use super::deployment::{Deployment, Phase, PhaseTiming};
use super::project::RuntimeSettings;
use super::timestamp::Timestamp;
use looks::Look;

/// The receipt of one deployment. What is unknown, because it was not reached or not kept, is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// When it was written; `None` while the deployment is not over, or was over before receipts were kept.
    #[serde(skip)]
    pub written_at: Option<Timestamp>,
    pub commit: Option<CommitFacts>,
    pub image: Option<ImageFacts>,
    /// Images it was built from, in the order the build named them.
    pub base_images: Vec<BaseImage>,
    /// Of a site without a container: its files.
    pub files: Option<FileFacts>,
    pub plan: Option<PlanFacts>,
    /// By name.
    pub variables: Vec<VariableFacts>,
    pub limits: Option<Limits>,
    /// Its own host name.
    pub hostname: String,
    /// Host names of its project.
    pub project_hostnames: Vec<String>,
    /// Looks that told something else than the one before.
    pub probes: Vec<Look>,
    /// In the order they began. Kept in a table of their own.
    #[serde(skip)]
    pub phases: Vec<PhaseFacts>,
}

/// The commit it was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitFacts {
    pub sha: String,
    pub branch: Option<String>,
    pub message: String,
    pub author: String,
}

/// The image its container runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Content address, `sha256:…`.
    pub id: String,
    pub size_bytes: u64,
    /// Of an image that was not built here: its name with its digest.
    pub reference: Option<String>,
}

/// An image that a build began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseImage {
    /// As the Dockerfile names it.
    pub name: String,
    /// Digest in its registry; `None` for an image that only this server has.
    pub digest: Option<String>,
    /// Content address on this server, where it was there.
    pub id: Option<String>,
}

/// How many files, and how large they are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    pub count: u64,
    pub bytes: u64,
}

/// What of the plan decides how it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFacts {
    pub framework: String,
    /// `container`, `static` or `static_build`.
    pub output: String,
    pub versions: Vec<Version>,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    pub release_command: Option<String>,
    pub start_command: Option<String>,
    pub port: Option<u16>,
}

/// A variable without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableFacts {
    pub name: String,
    /// Keyed digest of the value: equal for equal values of one name in one project, and nothing to guess from. `None`
    /// when the value was not looked at.
    pub hash: Option<String>,
}

/// What its containers may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub memory_mb: u32,
    /// Thousandths of a core.
    pub cpu_millis: u32,
    pub instances: u32,
}

/// How long a step took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseFacts {
    pub phase: Phase,
    pub started_at: Timestamp,
    /// `None` while it runs.
    pub duration_ms: Option<u64>,
}

impl Receipt {
    /// What the deployment's own row says; all that is known of one that is not over.
    pub fn of(deployment: &Deployment, timings: &[PhaseTiming]) -> Self {
        let commit = deployment.commit.as_ref().map(|commit| CommitFacts {
            sha: commit.sha.clone(),
            branch: deployment.branch.clone(),
            message: commit.message.clone(),
            author: commit.author.clone(),
        });
        let names = deployment.environment_keys.iter();
        Self {
            commit,
            plan: deployment.plan.as_ref().map(PlanFacts::of),
            variables: names.map(|name| VariableFacts { name: name.clone(), hash: None }).collect(),
            hostname: deployment.hostname.clone(),
            phases: timings.iter().map(PhaseFacts::of).collect(),
            ..Self::default()
        }
    }
}

impl PlanFacts {
    /// The part of a plan that is kept.
    pub fn of(plan: &BuildPlan) -> Self {
        let output = match plan.output {
            Output::Container { .. } => "container",
            Output::Static { .. } => "static",
            Output::StaticBuild { .. } => "static_build",
        };
        Self {
            framework: plan.framework.clone(),
            output: output.to_owned(),
            versions: plan.versions.clone(),
            install_command: plan.install_command.clone(),
            build_command: plan.build_command.clone(),
            release_command: plan.release_command.clone(),
            start_command: plan.start_command.clone(),
            port: plan.repository.port.or(plan.port),
        }
    }
}

impl PhaseFacts {
    /// A step's times.
    pub fn of(timing: &PhaseTiming) -> Self {
        Self {
            phase: timing.phase,
            started_at: timing.started_at,
            duration_ms: timing.finished_at.map(|end| end.millis_since(timing.started_at)),
        }
    }
}

impl Limits {
    /// What a project's settings allow.
    pub fn of(runtime: &RuntimeSettings) -> Self {
        Self {
            memory_mb: runtime.memory_mb,
            cpu_millis: runtime.cpu_millis,
            instances: runtime.instances,
        }
    }
}
