//! Why a deployment stopped on its way.

use crate::db::DbError;
use crate::docker::EngineError;
use crate::model::failure::{Failure, FailureCode};

/// The way ended before it was ready.
#[derive(Debug)]
pub enum Stop {
    /// With a failure the user sees.
    Failed(Failure),
    /// Somebody canceled it.
    Canceled,
    /// The process stops: the next start goes on.
    Interrupted,
    /// The database has moved on without us, or cannot be written. Nothing more is to be done here.
    Lost(DbError),
}

impl Stop {
    /// The same, said of one of several containers.
    pub fn of_replica(self, number: u32, count: usize) -> Self {
        match self {
            Self::Failed(mut failure) if count > 1 => {
                failure.message = format!("Replica {number} of {count}: {}", failure.message);
                Self::Failed(failure)
            }
            other => other,
        }
    }

    /// A failure of the engine in this phase.
    pub fn engine(phase: &str, error: &EngineError) -> Self {
        Self::Failed(Failure::new(FailureCode::EngineError, phase, error.to_string()))
    }
}

impl From<DbError> for Stop {
    fn from(error: DbError) -> Self {
        Self::Lost(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
