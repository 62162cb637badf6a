//! Sources: the port `SourceFetcher`, which brings a commit into a kept mirror, and `SourceTree`,
//! which reads the commit's files straight from the object database. Nothing is ever checked out.

pub mod access;
mod budget;
pub mod context;
mod differences;
mod directories;
pub mod dockerignore;
mod dropping;
pub mod error;
pub mod extract;
pub mod folder;
mod gitmodules;
mod http_line;
mod incoming;
mod joined;
mod kept;
mod known_hosts;
mod lfs;
mod lfs_server;
mod lfs_store;
mod lfs_tree;
pub mod libgit;
mod limits;
mod line;
#[cfg(test)]
pub(crate) mod memory_tree;
mod mirror;
mod object_store;
mod objects;
mod opened;
mod pack;
mod packets;
mod pkt_line;
pub mod pushed;
pub mod receive;
mod refs;
pub mod repack;
pub mod source_tree;
mod ssh;
mod submodules;
pub mod tarball;
mod tarball_input;
mod tarball_names;
mod tarball_tree;
#[cfg(test)]
mod tests;
mod transport;
mod tree;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use access::{Access, Credential};
pub use error::FetchError;
pub use source_tree::{Content, Entry, EntryKind, SourceTree, TreeError};

use crate::model::git_url::GitUrl;
use crate::model::timestamp::Timestamp;

/// What to fetch.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    pub url: GitUrl,
    /// Branch or tag name; `None` asks for the remote's default branch.
    pub branch: Option<String>,
    /// What a private repository is read with.
    pub access: Option<Access>,
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
    /// When it was committed; the epoch when it does not say.
    pub committed_at: Timestamp,
    /// The branch that was resolved (the default one when none was asked for).
    pub branch: String,
    pub tree: Arc<dyn SourceTree>,
}

/// A kept copy of a repository.
#[derive(Clone, Debug)]
pub struct KeptMirror {
    pub name: String,
    /// When a build last asked for it.
    pub used_at: Timestamp,
    /// Where its files are; some may not be there.
    pub paths: Vec<PathBuf>,
}

/// A line of progress while fetching, such as `Receiving objects: 40 % (12/30), 1.2 MB`.
pub type Progress = Arc<dyn Fn(String) + Send + Sync>;

/// Brings commits in. The one adapter is [`libgit::LibGit`].
#[async_trait]
pub trait SourceFetcher: Send + Sync {
    /// Resolves branch or commit and fetches it into the repository's mirror (depth 1 where possible), with its
    /// submodules and the content of its Git LFS files.
    async fn fetch(
        &self,
        request: FetchRequest,
        progress: Progress,
        cancel: CancellationToken,
    ) -> Result<FetchedCommit, FetchError>;

    /// The copies of repositories that are kept.
    async fn mirrors(&self) -> Vec<KeptMirror>;

    /// Removes one of [`SourceFetcher::mirrors`] by its name. Answers whether nothing is left; one that is being read
    /// stays.
    async fn drop_mirror(&self, name: &str) -> bool;

    /// Removes what was kept of private repositories fetched for this owner. Answers whether nothing is left.
    async fn forget(&self, owner: &str) -> bool;
}
