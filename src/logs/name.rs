//! Which log.

use std::path::PathBuf;

use crate::model::ids::DeploymentId;

/// The name of a log. Made of checked identifiers only, so that it is always a safe path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogName {
    /// Everything from the clone to the switch, kept as long as the deployment.
    Build(DeploymentId),
    /// What the deployment's containers write while they run; only its newest part is kept.
    Runtime(DeploymentId),
}

impl LogName {
    /// The deployment the log belongs to.
    pub fn deployment(&self) -> &DeploymentId {
        match self {
            Self::Build(id) | Self::Runtime(id) => id,
        }
    }

    /// Directory below the store's own.
    pub(super) fn path(&self) -> PathBuf {
        let kind = match self {
            Self::Build(_) => "build",
            Self::Runtime(_) => "runtime",
        };
        [kind, self.deployment().as_str()].iter().collect()
    }

    /// Bytes after which nothing more is taken in; `None` when the oldest part makes room instead.
    pub(super) fn limit(&self) -> Option<u64> {
        match self {
            Self::Build(_) => Some(10 * 1024 * 1024),
            Self::Runtime(_) => None,
        }
    }

    /// Segments kept, the oldest go first; `None` keeps all.
    pub(super) fn segments_kept(&self) -> Option<usize> {
        match self {
            Self::Build(_) => None,
            Self::Runtime(_) => Some(16),
        }
    }
}
