//! A mirror in the hands of one fetch.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

use super::libgit::Limits;
use super::mirror::Mirror;
use super::object_store::{Kind, ObjectStore};
use super::objects::{Commit, ObjectId, tag_target};
use super::tree::{LibGitTree, Reading, Survey, TreeLimits};
use super::{FetchError, FetchedCommit, TreeError};

/// What is shared between the fetches of one mirror.
#[derive(Clone, Default)]
pub(super) struct Slot {
    pub lock: Arc<tokio::sync::Mutex<()>>,
    /// Trees that read the mirror now.
    readers: Arc<AtomicUsize>,
    /// Held to begin to read a pushed repository, and while packs go that others have taken the place of.
    pub swap: Arc<RwLock<()>>,
}

impl Slot {
    /// Whether a tree reads the mirror now.
    pub fn is_read(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }
}

/// A mirror that only the holder of its lock changes. Blocking work keeps a clone, so that the lock outlives a fetch
/// that was given up while its pack was being indexed.
#[derive(Clone)]
pub(super) struct Opened {
    pub mirror: Arc<Mirror>,
    pub store: Arc<ObjectStore>,
    readers: Arc<AtomicUsize>,
    limits: Limits,
    /// None for a repository that is only added to.
    _lock: Option<Arc<OwnedMutexGuard<()>>>,
    /// Of such a one: no pack goes while it is read.
    reading: Option<Arc<Reading>>,
}

/// A commit that is here whole, and what else is to be known of it.
pub(super) struct Brought {
    /// With its tree as the repository alone has it.
    pub commit: FetchedCommit,
    pub tree: LibGitTree,
    pub survey: Survey,
    /// Where the content of its large files is kept.
    pub large_files: PathBuf,
    /// Whether nobody else read from the mirror when it was brought.
    pub alone: bool,
}

/// Why an attempt ended.
pub(super) enum Fault {
    /// The mirror does not hold what it should; a new one will.
    Damaged(String),
    Final(FetchError),
}

impl From<FetchError> for Fault {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

impl Opened {
    /// Opens the mirror at `path`, whose lock is held; makes it when there is none.
    pub async fn open(
        path: PathBuf,
        url: String,
        slot: Slot,
        lock: Arc<OwnedMutexGuard<()>>,
        limits: Limits,
    ) -> Result<Self, FetchError> {
        blocking(move || {
            let may_renew = !slot.is_read();
            let mirror = Mirror::open(&path, &url, may_renew).map_err(disk)?;
            super::kept::touch(&path);
            let store = ObjectStore::open(&mirror.objects()).map_err(|error| {
                FetchError::Failed(format!("The mirror could not be opened: {error}."))
            })?;
            Ok(Opened {
                mirror: Arc::new(mirror),
                store: Arc::new(store),
                readers: slot.readers,
                limits,
                _lock: Some(lock),
                reading: None,
            })
        })
        .await
    }

    /// Opens a pushed repository to read; it must exist.
    pub fn kept(path: &Path, slot: Slot, limits: Limits) -> Result<Self, FetchError> {
        let swap = slot.swap.clone();
        let _swap = swap.read().unwrap_or_else(PoisonError::into_inner);
        // Before its packs are listed.
        let reading = Some(Arc::new(Reading::new(&slot.readers)));
        let mirror = Mirror::kept(path);
        let store = ObjectStore::open(&mirror.objects()).map_err(|error| {
            FetchError::Failed(format!("The repository could not be opened: {error}."))
        })?;
        Ok(Self {
            mirror: Arc::new(mirror),
            store: Arc::new(store),
            readers: slot.readers,
            limits,
            _lock: None,
            reading,
        })
    }

    /// The commit an annotated tag (of a tag …) stands for.
    pub fn peel(&self, mut id: ObjectId) -> Option<ObjectId> {
        for _ in 0..8 {
            match self.store.header(id).ok()?.0 {
                Kind::Commit => return Some(id),
                Kind::Tag => id = tag_target(self.store.read(id, Kind::Tag).ok()?.data())?,
                Kind::Tree | Kind::Blob => return None,
            }
        }
        None
    }

    /// Checks that the commit is here whole and hands it over.
    pub async fn finish(&self, id: ObjectId, branch: String) -> Result<Brought, Fault> {
        let here = self.clone();
        let found = blocking(move || Ok(here.describe(id, branch))).await?;
        found.map_err(|error| match error {
            TreeError::Broken(reason) => Fault::Damaged(reason),
            other => Fault::Final(FetchError::Failed(other.to_string())),
        })
    }

    fn describe(&self, id: ObjectId, branch: String) -> Result<Brought, TreeError> {
        let object =
            self.store.read(id, Kind::Commit).map_err(|error| TreeError::Broken(error.0))?;
        let commit = Commit::parse(object.data())
            .ok_or_else(|| TreeError::Broken("the commit does not parse".into()))?;
        let tree = LibGitTree {
            store: Arc::clone(&self.store),
            root: commit.tree,
            limits: TreeLimits { entries: self.limits.entries, file_bytes: self.limits.file_bytes },
            directories: Arc::default(),
            damage_marker: self.mirror.damage_marker(),
            _reading: Arc::new(Reading::new(&self.readers)),
        };
        let survey = tree.verify()?;
        let commit = FetchedCommit {
            sha: id.to_string(),
            subject: commit.subject,
            author: commit.author,
            committed_at: commit.committed_at,
            branch,
            tree: Arc::new(tree.clone()),
        };
        let own = 1 + usize::from(self.reading.is_some());
        let alone = self.readers.load(Ordering::Relaxed) == own;
        Ok(Brought { commit, tree, survey, large_files: self.mirror.large_files(), alone })
    }
}

/// Runs disk work off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(FetchError::Failed("Reading the mirror ended unexpectedly.".into())),
    }
}

/// A fault of this machine's disk, told without a path.
pub(super) fn disk(error: std::io::Error) -> FetchError {
    if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
        return FetchError::DiskFull;
    }
    FetchError::Failed(format!("The mirror could not be written: {}.", error.kind()))
}
