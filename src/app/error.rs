//! Why a use case did not happen. One enum; the API and the pages each render it once.

use serde_json::{Value, json};

use super::terms::Settled;
use crate::db::DbError;
use crate::model::problems::Problems;

/// A use case that changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Something is wrong with the request itself.
    #[error("{}", .0.summary())]
    Invalid(Problems),
    /// It does not exist, or this actor may not see it.
    #[error("{resource} was not found")]
    NotFound { resource: &'static str, id: String },
    /// The actor sees it and may not do this.
    #[error("{message}")]
    Forbidden { reason: &'static str, message: String, details: Value },
    /// Credentials are missing or do not hold.
    #[error("{message}")]
    Unauthorized { reason: &'static str, message: &'static str },
    /// Valid, but against the state things are in.
    #[error("{message}")]
    Conflict { reason: &'static str, message: String, details: Value },
    /// Too many tries.
    #[error("Too many tries. Try again in {retry_after_seconds} s.")]
    TooMany { retry_after_seconds: u64 },
    /// The target has another revision than `If-Match` names.
    #[error("It was changed meanwhile. Read it again and decide anew.")]
    PreconditionFailed { revision: i64 },
    /// The Idempotency-Key was used for another request.
    #[error("This Idempotency-Key was used for another request. Use a new one.")]
    Unprocessable,
    /// Nothing was done because it was done before; the answer it had.
    #[error("The request was answered before.")]
    Replay(Settled),
    /// Not possible now; worth another try.
    #[error("{message}")]
    Unavailable { reason: &'static str, message: &'static str },
    /// A defect or a broken machine; the text is for the log only.
    #[error("{0}")]
    Internal(String),
}

impl AppError {
    /// A resource nobody can see.
    pub fn not_found(resource: &'static str, id: &str) -> Self {
        Self::NotFound { resource, id: id.chars().take(64).collect() }
    }

    /// A conflict without further details.
    pub fn conflict(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { reason, message: message.into(), details: json!({}) }
    }

    /// The request has problems, or not.
    ///
    /// # Errors
    /// `Invalid` when there are any.
    pub fn check(problems: Problems) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self::Invalid(problems)) }
    }
}

impl From<DbError> for AppError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unwritable(_) => {
                tracing::error!(%error, "the database cannot be used");
                Self::Unavailable {
                    reason: "maintenance",
                    message: "Nothing can be stored right now: the disk with the data is read-only or answers with errors. \
                              The server's log and its kernel's say more.",
                }
            }
            DbError::Full(_) => {
                tracing::error!(%error, "the database cannot be written");
                Self::Unavailable {
                    reason: "disk_full",
                    message: "Nothing can be stored right now. Free some disk space and try again.",
                }
            }
            other => Self::Internal(other.to_string()),
        }
    }
}
