//! Sources: the port `SourceFetcher`, which brings a commit into a kept mirror, and `SourceTree`,
//! which reads the commit's files straight from the object database. Nothing is ever checked out.

pub mod context;
pub mod dockerignore;
pub mod error;
pub mod extract;
pub mod libgit;
#[cfg(test)]
pub(crate) mod memory_tree;
mod mirror;
mod object_store;
mod objects;
mod opened;
mod pack;
mod packets;
mod pkt_line;
mod refs;
pub mod source_tree;
#[cfg(test)]
mod tests;
mod transport;
mod tree;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use error::FetchError;
pub use source_tree::{Entry, EntryKind, SourceTree, TreeError};

use crate::model::git_url::GitUrl;

/// What to fetch.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    pub url: GitUrl,
    /// Branch or tag name; `None` asks for the remote's default branch.
    pub branch: Option<String>,
    /// A commit to build instead of the branch's newest, 7 to 64 hexadecimal digits.
    pub commit: Option<String>,
    /// The whole fetch's deadline.
    pub timeout: Duration,
}

/// The commit that was found, and its files.
#[derive(Clone)]
pub struct FetchedCommit {
    /// 40 hexadecimal digits.
    pub sha: String,
    /// First line of the message, at most 200 characters.
    pub subject: String,
    /// Author's name.
    pub author: String,
    /// The branch that was resolved (the default one when none was asked for).
    pub branch: String,
    pub tree: Arc<dyn SourceTree>,
}

/// A line of progress while fetching, such as `Receiving objects: 40 % (12/30), 1.2 MB`.
pub type Progress = Arc<dyn Fn(String) + Send + Sync>;

/// Brings commits in. The one adapter is [`libgit::LibGit`].
#[async_trait]
pub trait SourceFetcher: Send + Sync {
    /// Resolves branch or commit and fetches it into the repository's mirror (depth 1 where possible).
    async fn fetch(
        &self,
        request: FetchRequest,
        progress: Progress,
        cancel: CancellationToken,
    ) -> Result<FetchedCommit, FetchError>;
}
