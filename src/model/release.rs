//! What somebody wants to happen to a project's traffic: another deployment gets it, or the live one
//! starts anew. It is written down first and done by the pipeline.

use super::deployment::Phase;
use super::ids::{DeploymentId, ProjectId};

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseKind {
    /// This deployment gets the traffic.
    Promote,
    /// This deployment, which had the traffic before, gets it back.
    Rollback,
    /// A new container of the live deployment takes the place of the old one.
    Restart,
}

impl ReleaseKind {
    /// The name it is stored under.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Restart => "restart",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Promote, Self::Rollback, Self::Restart]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// What can only be wanted once at a time: the newer wish replaces the older.
    pub fn lane(self) -> &'static str {
        match self {
            Self::Promote | Self::Rollback => "switch",
            Self::Restart => "restart",
        }
    }
}

/// A wish that is not fulfilled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its number; a newer wish has a higher one.
    pub seq: i64,
    pub project_id: ProjectId,
    pub deployment_id: DeploymentId,
    pub kind: ReleaseKind,
    /// `starting`, `checking` or `switching`.
    pub phase: Phase,
    /// How often it was begun.
    pub attempts: u32,
}
