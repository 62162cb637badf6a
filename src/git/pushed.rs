//! Repositories that were pushed to this server. They are what their projects are made of: kept, never made anew, and
//! read like every other one.
//!
//! A pack is taken in beside the repository and looked through; only one that is whole is moved into it. Which of its
//! commits are branches stands in the database.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::FetchError;
use super::differences::differences;
use super::incoming::{clean, ingest};
use super::libgit::Limits;
use super::object_store::{Kind, ObjectStore, PackPart, StoreError};
use super::objects::{ObjectId, commit_links};
use super::opened::{Opened, Slot, blocking, disk};
use super::receive::{Reader, Unreadable};
use crate::model::ids::ProjectId;
use crate::model::watch_paths::Changes;

/// How long a push waits for another one of the same repository.
const TURN: Duration = Duration::from_secs(30);
/// A repository may be this many times as large as one push.
const PUSHES: u64 = 4;
/// Bytes that are read of a push which is refused, so that its client hears why.
pub const READ_ON: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of a commit's message that are read.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// Why a pack was not taken in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PackRefused {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the push is larger than {0} MB")]
    TooLarge(u64),
    #[error("the repository would grow beyond {0} MB, four times what one push may be")]
    Full(u64),
    #[error("no space is left on the server's disk")]
    DiskFull,
    /// It is no pack, or objects are missing or broken.
    #[error("{0}")]
    Broken(String),
    /// This server's fault.
    #[error("the push could not be stored")]
    Failed(String),
}

/// All pushed repositories, below one directory.
pub struct Repositories {
    directory: PathBuf,
    limits: Limits,
    slots: Mutex<HashMap<ProjectId, Slot>>,
    /// One is packed anew at a time.
    pub(super) repacking: Semaphore,
}

/// A repository in the hands of one push.
pub struct PushedTo {
    path: PathBuf,
    limits: Limits,
    _turn: OwnedMutexGuard<()>,
}

impl Repositories {
    /// `directory` is made (mode 0700) when the first push needs it.
    pub fn new(directory: PathBuf, limits: Limits) -> Self {
        Self { directory, limits, slots: Mutex::default(), repacking: Semaphore::new(1) }
    }

    pub(super) fn path(&self, project: &ProjectId) -> PathBuf {
        self.directory.join(format!("{project}.git"))
    }

    pub(super) fn slot(&self, project: &ProjectId) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(project.clone()).or_default().clone()
    }

    /// The repository of a project, made when there is none. One push at a time: `None` when another one takes longer
    /// than anybody wants to wait.
    pub async fn enter(&self, project: &ProjectId) -> Result<Option<PushedTo>, PackRefused> {
        let lock = self.slot(project).lock;
        let Ok(turn) = tokio::time::timeout(TURN, lock.lock_owned()).await else {
            return Ok(None);
        };
        let (path, limits) = (self.path(project), self.limits);
        let making = path.clone();
        work(move || {
            let mut directory = fs::DirBuilder::new();
            directory.mode(0o700).recursive(true);
            for part in ["objects/pack", "objects/info", "refs/heads"] {
                directory.create(making.join(part))?;
            }
            // Git itself takes it for a repository then, with everything that can be looked at in one.
            let head = making.join("HEAD");
            if !head.exists() {
                fs::write(head, "ref: refs/heads/main\n")?;
            }
            clean(&making)?;
            Ok(())
        })
        .await?;
        Ok(Some(PushedTo { path, limits, _turn: turn }))
    }

    /// The repository of a project as a build reads it; a push beside it only adds. `None` when nothing was ever pushed.
    pub(super) async fn open(&self, project: &ProjectId) -> Result<Option<Opened>, FetchError> {
        let (path, slot, limits) = (self.path(project), self.slot(project), self.limits);
        blocking(move || {
            if !path.join("objects/pack").is_dir() {
                return Ok(None);
            }
            Opened::kept(&path, slot, limits).map(Some)
        })
        .await
    }

    /// Removes what was pushed to a project that is gone. Answers whether nothing is left.
    pub async fn forget(&self, project: &ProjectId) -> bool {
        let lock = self.slot(project).lock;
        let turn = lock.lock_owned().await;
        let path = self.path(project);
        let removed = blocking(move || {
            let _turn = turn;
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(error)),
                _ => Ok(()),
            }
        });
        let removed = removed.await.is_ok();
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(project);
        removed
    }
}

impl PushedTo {
    /// Takes in the pack that follows. Afterwards its objects are part of the repository, and whole: nothing they name
    /// is missing.
    ///
    /// # Errors
    /// Nothing was taken in. The rest of the push was read, so that its client hears of it.
    pub async fn take(&self, reader: &mut Reader) -> Result<(), PackRefused> {
        let most = self.limits.received_bytes;
        let path = self.path.clone();
        let room = work(move || {
            let full = most.saturating_mul(PUSHES);
            let there = size(&path.join("objects/pack"))?;
            if there >= full { Err(PackRefused::Full(full / 1_000_000)) } else { Ok(full - there) }
        });
        let room = match room.await {
            Ok(room) => room,
            Err(refused) => return refuse(reader, refused).await,
        };
        let (parts, receiver) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let _guard = stop.clone().drop_guard();
        let path = self.path.clone();
        let indexing = tokio::task::spawn_blocking(move || ingest(&path, receiver, stop));
        let fed = feed(reader, &parts, most.min(room)).await;
        drop(parts);
        let taken = indexing.await.map_err(|error| PackRefused::Failed(error.to_string()))?;
        match (fed, taken) {
            (Ok(true), Ok(())) => Ok(()),
            (Ok(false), _) if room < most => {
                let full = most.saturating_mul(PUSHES) / 1_000_000;
                refuse(reader, PackRefused::Full(full)).await
            }
            (Ok(false), _) => refuse(reader, PackRefused::TooLarge(most / 1_000_000)).await,
            (Err(gone), _) => Err(gone.into()),
            (_, Err(refused)) => refuse(reader, refused).await,
        }
    }

    /// How many packs the repository is made of.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub async fn packs(&self) -> Result<usize, PackRefused> {
        let packs = self.path.join("objects/pack");
        work(move || {
            let mut count = 0;
            for entry in fs::read_dir(packs)? {
                count += usize::from(entry?.path().extension().is_some_and(|end| end == "idx"));
            }
            Ok(count)
        })
        .await
    }

    /// The whole message of a commit; `None` when there is no such commit here.
    pub async fn message(&self, commit: &str) -> Result<Option<String>, PackRefused> {
        let (objects, commit) = (self.path.join("objects"), ObjectId::parse(commit));
        work(move || {
            let store = ObjectStore::open(&objects)?;
            let Some(object) = commit.and_then(|id| store.read(id, Kind::Commit).ok()) else {
                return Ok(None);
            };
            let text = String::from_utf8_lossy(object.data());
            let message = text.split_once("\n\n").map_or("", |(_, message)| message);
            Ok(Some(message.chars().take(LONGEST_MESSAGE).collect()))
        })
        .await
    }

    /// Whether an object of any kind is here.
    pub async fn has(&self, object: &str) -> Result<bool, PackRefused> {
        let (objects, id) = (self.path.join("objects"), ObjectId::parse(object));
        work(move || {
            let store = ObjectStore::open(&objects)?;
            Ok(id.is_some_and(|id| store.contains(id)))
        })
        .await
    }

    /// Which files are different in another commit.
    pub async fn changes(&self, old: &str, new: &str) -> Result<Changes, PackRefused> {
        let objects = self.path.join("objects");
        let (old, new) = (ObjectId::parse(old), ObjectId::parse(new));
        work(move || {
            let store = ObjectStore::open(&objects)?;
            let tree = |id: Option<ObjectId>| {
                let object = store.read(id?, Kind::Commit).ok()?;
                commit_links(object.data()).map(|links| links.tree)
            };
            let (Some(old), Some(new)) = (tree(old), tree(new)) else {
                return Ok(Changes::Unknown);
            };
            let mut paths = Vec::new();
            let known = differences(&store, (Some(old), Some(new)), "", 0, &mut paths);
            Ok(known.map_or(Changes::Unknown, |()| Changes::Paths(paths)))
        })
        .await
    }
}

/// Reads on and answers why nothing was taken in.
async fn refuse(reader: &mut Reader, refused: PackRefused) -> Result<(), PackRefused> {
    reader.discard(READ_ON).await?;
    Err(refused)
}

/// Hands a pack over. `false` is one that is too large.
async fn feed(
    reader: &mut Reader,
    parts: &mpsc::Sender<PackPart>,
    most: u64,
) -> Result<bool, Unreadable> {
    let mut read = 0;
    while let Some(bytes) = reader.chunk().await? {
        read += bytes.len() as u64;
        if read > most {
            return Ok(false);
        }
        if parts.send(PackPart::Data(bytes)).await.is_err() {
            // It was refused already.
            return Ok(true);
        }
    }
    let _ = parts.send(PackPart::End).await;
    Ok(true)
}

fn size(directory: &Path) -> io::Result<u64> {
    fs::read_dir(directory)?.try_fold(0, |sum, entry| Ok(sum + entry?.metadata()?.len()))
}

impl From<io::Error> for PackRefused {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            kind => Self::Failed(kind.to_string()),
        }
    }
}

impl From<StoreError> for PackRefused {
    fn from(error: StoreError) -> Self {
        if error.0.contains("No space left on device") {
            return Self::DiskFull;
        }
        // The library's texts name files of this machine.
        if error.0.contains('/') {
            return Self::Failed(error.0);
        }
        Self::Broken(error.0)
    }
}

/// Runs disk work off the async threads.
async fn work<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PackRefused> + Send + 'static,
) -> Result<T, PackRefused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| PackRefused::Failed(error.to_string()))?
}
