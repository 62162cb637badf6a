//! Which log.

use std::path::PathBuf;

use crate::model::ids::{DeploymentId, ProjectId};

/// Directory of the runtime logs.
pub(super) const RUNTIME: &str = "runtime";
/// The name of a log. Made of checked identifiers only, so that it is always a safe path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogName {
    /// Everything from the clone to the switch, kept as long as the deployment.
    Build(DeploymentId),
    /// What a project's containers write while they run, and the requests they got; only its newest part is kept.
    Runtime(ProjectId),
}

impl LogName {
    /// The deployment whose lines these all are.
    pub fn deployment(&self) -> Option<&DeploymentId> {
        match self {
            Self::Build(id) => Some(id),
            Self::Runtime(_) => None,
        }
    }

    /// Directory below the store's own.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Build(id) => ["build", id.as_str()].iter().collect(),
            Self::Runtime(id) => [RUNTIME, id.as_str()].iter().collect(),
        }
    }

    /// Bytes after which nothing more is taken in; `None` when the oldest part makes room instead.
    pub(super) fn limit(&self) -> Option<u64> {
        match self {
            Self::Build(_) => Some(10 * 1024 * 1024),
            Self::Runtime(_) => None,
        }
    }
}
