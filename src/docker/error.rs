//! What can go wrong at the engine, in words a user can act on.

/// A call to the engine failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine cannot be reached: not installed, not running, or no permission.
    #[error("Docker does not answer: {0}")]
    Unreachable(String),
    /// The engine did not answer within the call's deadline.
    #[error("Docker did not answer in time ({0})")]
    TimedOut(&'static str),
    /// The object does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The engine refused; its own words.
    #[error("Docker reported: {0}")]
    Refused(String),
}

/// A build ended without an image.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildError {
    /// A step of the Dockerfile ended with an error.
    #[error("{message}")]
    Step { step: String, exit_code: Option<i64>, message: String },
    /// A step was ended because it ran before it was kept from this machine's networks. No fault of the build: it may
    /// succeed when it is tried again.
    #[error("`{0}` was ended because it ran before its network was closed")]
    Unheld(String),
    /// A base image could not be had.
    #[error("{0}")]
    ImageNotFound(String),
    /// The Dockerfile or the build request is not acceptable.
    #[error("{0}")]
    Invalid(String),
    /// A step was killed because it used more memory than it may.
    #[error("the build ran out of memory")]
    OutOfMemory,
    /// The deadline passed.
    #[error("the build ran longer than {0} seconds")]
    TimedOut(u64),
    /// Somebody canceled it.
    #[error("the build was canceled")]
    Canceled,
    /// No space is left on the device.
    #[error("no space is left on the disk")]
    DiskFull,
    #[error(transparent)]
    Engine(#[from] EngineError),
}
