//! What somebody wants to happen to a project's traffic: another deployment gets it, or the live one
//! starts anew. It is written down first and done by the pipeline.

use super::deployment::Phase;
use super::ids::{DeploymentId, ProjectId};

/// Which variables a deployment comes back with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variables {
    /// Those it was made with.
    #[default]
    Own,
    /// Those of its project now.
    Current,
}

impl Variables {
    /// Every choice, in the order of the contract.
    pub const ALL: [Self; 2] = [Self::Own, Self::Current];

    /// The name the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Current => "current",
        }
    }

    /// Reads a name of the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variables| variables.as_str() == text)
    }
}

/// Why the traffic goes back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnReason {
    /// The new deployment's process ends, again and again or for good.
    CrashLoop,
    /// At least half of its answers are failures of the server.
    ErrorRate,
}

impl ReturnReason {
    /// The name the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CrashLoop => "crash_loop",
            Self::ErrorRate => "error_rate",
        }
    }
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseKind {
    /// This deployment gets the traffic.
    Promote,
    /// This deployment, which had the traffic before, gets it back.
    Rollback,
    /// The same, by itself: the deployment that took the traffic fails.
    Return(ReturnReason),
    /// A new container of the live deployment takes the place of the old one.
    Restart,
}

impl ReleaseKind {
    /// The name it is stored under.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Return(ReturnReason::CrashLoop) => "return_crash_loop",
            Self::Return(ReturnReason::ErrorRate) => "return_error_rate",
            Self::Restart => "restart",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Promote,
            Self::Rollback,
            Self::Return(ReturnReason::CrashLoop),
            Self::Return(ReturnReason::ErrorRate),
            Self::Restart,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
    }

    /// What can only be wanted once at a time: the newer wish replaces the older.
    pub fn lane(self) -> &'static str {
        match self {
            Self::Promote | Self::Rollback | Self::Return(_) => "switch",
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
    /// Which variables the deployment gets.
    pub variables: Variables,
    /// Of a return by itself: the deployment that fails.
    pub from: Option<DeploymentId>,
}

impl Release {
    /// Whether a new container is started, with the variables of now, in the place of the deployment's own.
    pub fn is_beside(&self) -> bool {
        self.kind == ReleaseKind::Restart || self.variables == Variables::Current
    }
}
