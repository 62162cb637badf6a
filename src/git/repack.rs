//! Fewer packs for a repository that was pushed to many times: each push is a pack, and each one more is looked into for
//! every object. Small ones are made one beside the repository, which is moved in; then the small ones go.
//!
//! Cut off at any moment, every object is in a pack: the new one is on the disk, with its index last, before an old one
//! goes. Nothing is removed while a push is received or a build reads.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::incoming::names;
use super::object_store::{ObjectStore, StoreError};
use super::opened::Slot;
use super::pushed::Repositories;
use crate::model::ids::ProjectId;

/// Packs from which on it is worth it.
pub const MANY: usize = 20;
/// A pack stays as it is when it is this many times as large as all smaller ones together: what is large is seldom written
/// anew.
const FACTOR: u64 = 2;
/// Where the new pack is made.
const PLACE: &str = "repack";
/// How long it is waited for builds that read, looking this often.
const PATIENCE: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_millis(500);

/// A pack of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pack {
    index: PathBuf,
    bytes: u64,
}

/// Why it was not done; everything is as it was, or in more packs than it need be.
#[derive(Debug, thiserror::Error)]
enum Undone {
    #[error("{0}")]
    Disk(#[from] io::Error),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("an index is cut off")]
    Index,
    #[error("the new pack lacks an object")]
    Incomplete,
}

impl Repositories {
    /// Makes one pack of many small ones, where there are many. One repository at a time.
    /// It is given up when `stop` says so.
    pub async fn repack(&self, project: &ProjectId, stop: CancellationToken) {
        let Ok(_turn) = self.repacking.acquire().await else { return };
        let (path, slot) = (self.path(project), self.slot(project));
        if let Err(error) = repack(path, slot, stop.clone()).await
            && !stop.is_cancelled()
        {
            tracing::warn!(%project, %error, "what was pushed could not be packed anew");
        }
    }
}

async fn repack(path: PathBuf, slot: Slot, stop: CancellationToken) -> Result<(), Undone> {
    let packs = path.join("objects/pack");
    let (listed, place) = (packs.clone(), path.join(PLACE));
    let packing = stop.clone();
    let made = work(move || {
        remove(&place)?;
        let small = chosen(list(&listed)?);
        if small.len() < 2 {
            return Ok(None);
        }
        make(&listed, &small, &place, packing).map(|new| Some((small, new)))
    });
    let Some((small, new)) = made.await? else { return Ok(()) };
    // A push reads what is there, and a project that is removed takes everything along.
    let turn = slot.lock.clone().lock_owned().await;
    let (to, place) = (packs.clone(), path.join(PLACE));
    let new = work(move || move_in(&to, new, &place)).await?;
    drop(turn);
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < PATIENCE && !stop.is_cancelled() {
        let turn = slot.lock.clone().lock_owned().await;
        let (packs, small, new, reading) =
            (packs.clone(), small.clone(), new.clone(), slot.clone());
        let gone = work(move || {
            let _turn = turn;
            // Whoever begins to read now reads the new one.
            let _swap = reading.swap.write().unwrap_or_else(PoisonError::into_inner);
            if reading.is_read() {
                Ok(false)
            } else {
                drop_old(&packs, &small, &new).map(|()| true)
            }
        });
        if gone.await? {
            return Ok(());
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}

/// The packs with an index, the smallest first.
fn list(packs: &Path) -> io::Result<Vec<Pack>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(packs)? {
        let index = entry?.path();
        if index.extension().is_some_and(|end| end == "idx") {
            let bytes = fs::metadata(index.with_extension("pack"))?.len();
            all.push(Pack { index, bytes });
        }
    }
    all.sort_by(|a, b| (a.bytes, &a.index).cmp(&(b.bytes, &b.index)));
    Ok(all)
}

/// Which of the packs become one: as many of the small ones as it takes until each that stays is much larger than the new
/// one.
fn chosen(mut packs: Vec<Pack>) -> Vec<Pack> {
    if packs.len() < MANY {
        return Vec::new();
    }
    let (mut count, mut before) = (0, 0_u64);
    for (number, pack) in packs.iter().enumerate() {
        if number > 0 && pack.bytes < before.saturating_mul(FACTOR) {
            count = number + 1;
        }
        before = before.saturating_add(pack.bytes);
    }
    packs.truncate(count);
    packs
}

/// Writes the objects of these packs into one beside the repository. Answers its index.
fn make(
    packs: &Path,
    small: &[Pack],
    place: &Path,
    stop: CancellationToken,
) -> Result<PathBuf, Undone> {
    fs::DirBuilder::new().mode(0o700).recursive(true).create(place.join("pack"))?;
    let mut ids = Vec::new();
    for pack in small {
        ids.extend(names(&fs::read(&pack.index)?).ok_or(Undone::Index)?);
    }
    ids.sort_unstable_by_key(|id| id.0);
    ids.dedup();
    let objects = packs.parent().unwrap_or(packs);
    ObjectStore::open(objects)?.pack(&ids, &place.join("pack"), stop)?;
    let made = list(&place.join("pack"))?.pop().ok_or(Undone::Incomplete)?.index;
    // Looked at alone, without what it is made of.
    let alone = ObjectStore::open(place)?;
    if !ids.iter().all(|id| alone.contains(*id)) {
        return Err(Undone::Incomplete);
    }
    Ok(made)
}

/// Moves the new pack into the repository: first what its index names. Answers where its index is now.
fn move_in(packs: &Path, index: PathBuf, place: &Path) -> Result<PathBuf, Undone> {
    let mut there = PathBuf::new();
    for file in [index.with_extension("pack"), index] {
        fs::File::open(&file)?.sync_all()?;
        there = packs.join(file.file_name().unwrap_or_default());
        fs::rename(&file, &there)?;
    }
    fs::File::open(packs)?.sync_all()?;
    remove(place)?;
    Ok(there)
}

/// Removes what the new pack holds as well: first the index, without which a pack is none.
fn drop_old(packs: &Path, small: &[Pack], new: &Path) -> Result<(), Undone> {
    for pack in small.iter().filter(|pack| pack.index != new) {
        for file in [pack.index.clone(), pack.index.with_extension("pack")] {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
    }
    fs::File::open(packs)?.sync_all()?;
    Ok(())
}

fn remove(place: &Path) -> io::Result<()> {
    match fs::remove_dir_all(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs disk work off the async threads.
async fn work<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Undone> + Send + 'static,
) -> Result<T, Undone> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Undone::Disk(io::Error::other(error.to_string())))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(bytes: &[u64]) -> Vec<u64> {
        let pack = |bytes: &u64| Pack { index: bytes.to_string().into(), bytes: *bytes };
        chosen(bytes.iter().map(pack).collect()).iter().map(|pack| pack.bytes).collect()
    }

    #[test]
    fn small_packs_become_one_and_large_ones_stay() {
        assert_eq!(sizes(&[1; MANY - 1]), Vec::<u64>::new(), "not many");
        assert_eq!(sizes(&[1; MANY]).len(), MANY);
        let mut with_large = vec![1; MANY];
        with_large.push(1_000);
        assert_eq!(sizes(&with_large).len(), MANY);
        // What is not much larger than all the small ones together becomes part of it.
        with_large[MANY] = 30;
        assert_eq!(sizes(&with_large).len(), MANY + 1);
        let doubling: Vec<u64> = (0..MANY as u32).map(|power| 3_u64.pow(power)).collect();
        assert_eq!(sizes(&doubling), Vec::<u64>::new(), "each is much larger than all before it");
    }
}
