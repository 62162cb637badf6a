//! Why a source could not be brought in.

/// A fetch that did not bring a commit. The texts are shown to users and name no address inside the machine.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    #[error("There is no branch `{branch}`.{}", default.as_ref().map(|name| format!(" The default branch is `{name}`.")).unwrap_or_default())]
    BranchNotFound { branch: String, default: Option<String> },
    #[error("Commit {0} was not found in this repository.")]
    CommitNotFound(String),
    /// 401, 403, or 404 of a host that hides private repositories; a key that is not accepted. Says what to do.
    #[error("{0}")]
    AuthFailed(String),
    /// A repository within the repository.
    #[error("The submodule `{path}` could not be fetched: {error}")]
    Submodule { path: String, error: Box<FetchError> },
    /// A file whose content is kept outside the repository.
    #[error("The Git LFS file `{path}` could not be fetched: {error}")]
    LargeFile { path: String, error: Box<FetchError> },
    #[error("This address may not be reached from this server.")]
    AddressNotAllowed,
    #[error("The Git server answered with a redirect, which is not followed.")]
    RedirectRefused,
    #[error("The repository is larger than {limit_megabytes} MB.")]
    TooLarge { limit_megabytes: u64 },
    #[error("Fetching took longer than {seconds} seconds.")]
    TimedOut { seconds: u64 },
    #[error("No space is left on the server's disk. Free some and deploy again.")]
    DiskFull,
    #[error("The fetch was canceled.")]
    Canceled,
    /// Everything else: name resolution, TLS, connection, a server that is not Git, a broken pack.
    #[error("{0}")]
    Failed(String),
}

impl FetchError {
    /// What is at the bottom: a submodule's or a large file's own error.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Submodule { error, .. } | Self::LargeFile { error, .. } => error.cause(),
            other => other,
        }
    }
}
