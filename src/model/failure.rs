//! Why a deployment failed.

use serde::{Deserialize, Serialize};

/// The kind of a failure; the codes of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    CloneFailed,
    BranchNotFound,
    CommitNotFound,
    AuthFailed,
    DetectFailed,
    BuildFailed,
    BuildTimeout,
    OutOfMemory,
    ImageNotFound,
    StartFailed,
    PortNotListening,
    HealthcheckFailed,
    DiskFull,
    EngineError,
}

impl FailureCode {
    /// Every code, in the order of the contract.
    pub const ALL: [Self; 14] = [
        Self::CloneFailed,
        Self::BranchNotFound,
        Self::CommitNotFound,
        Self::AuthFailed,
        Self::DetectFailed,
        Self::BuildFailed,
        Self::BuildTimeout,
        Self::OutOfMemory,
        Self::ImageNotFound,
        Self::StartFailed,
        Self::PortNotListening,
        Self::HealthcheckFailed,
        Self::DiskFull,
        Self::EngineError,
    ];
}

/// A failure as it is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: FailureCode,
    /// Phase it happened in.
    pub phase: String,
    /// What happened and, where it is known, what to do. Never a secret, an address inside the machine or a path of the server.
    pub message: String,
    pub exit_code: Option<i64>,
}

impl Failure {
    /// A failure without an exit code.
    pub fn new(code: FailureCode, phase: &str, message: impl Into<String>) -> Self {
        Self { code, phase: phase.to_owned(), message: message.into(), exit_code: None }
    }

    /// The same failure with the exit code of the process that caused it.
    pub fn with_exit_code(mut self, exit_code: Option<i64>) -> Self {
        self.exit_code = exit_code;
        self
    }
}
