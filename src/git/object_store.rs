//! The object database of a mirror: reading objects and taking in packs. The only place that calls libgit2.
//!
//! Only libgit2's object database, pack indexer and pack builder are used: no repository is opened, so that no
//! configuration of the system, of a user or of a repository is ever read, and nothing is spoken over its network code.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use git2::{Config, Indexer, ObjectType, Odb, Oid, Repository};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Progress;
use super::objects::ObjectId;

/// An object database on disk. Shared between threads; calls block.
pub(super) struct ObjectStore {
    odb: Odb<'static>,
    packs: PathBuf,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

/// An object's bytes, held by the library.
pub(super) struct Object<'a>(git2::OdbObject<'a>);

impl Object<'_> {
    pub fn data(&self) -> &[u8] {
        self.0.data()
    }
}

/// An object that is missing or does not unpack.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct StoreError(pub String);

impl From<git2::Error> for StoreError {
    fn from(error: git2::Error) -> Self {
        Self(error.message().to_owned())
    }
}

/// A pack's bytes on their way to the indexer. A channel that closes without `End` is a fetch given up.
pub(super) enum PackPart {
    Data(Bytes),
    End,
}

impl ObjectStore {
    /// Opens `objects` of a mirror, which must exist.
    pub fn open(objects: &Path) -> Result<Self, StoreError> {
        let path = objects
            .to_str()
            .ok_or_else(|| StoreError("the data directory's name is not valid text".into()))?;
        let odb = Odb::new()?;
        odb.add_disk_alternate(path)?;
        Ok(Self { odb, packs: objects.join("pack") })
    }

    /// Opens `objects`, and `incoming` beside it: packs that are taken in land there.
    pub fn beside(objects: &Path, incoming: &Path) -> Result<Self, StoreError> {
        let store = Self::open(objects)?;
        let path = incoming
            .to_str()
            .ok_or_else(|| StoreError("the data directory's name is not valid text".into()))?;
        store.odb.add_disk_alternate(path)?;
        Ok(Self { packs: incoming.join("pack"), ..store })
    }

    pub fn contains(&self, id: ObjectId) -> bool {
        oid(id).is_ok_and(|id| self.odb.exists(id))
    }

    /// Kind and size in bytes, without unpacking the content.
    pub fn header(&self, id: ObjectId) -> Result<(Kind, u64), StoreError> {
        let (size, kind) = self.odb.read_header(oid(id)?)?;
        Ok((known(kind)?, size as u64))
    }

    /// An object that must be of this kind.
    pub fn read(&self, id: ObjectId, kind: Kind) -> Result<Object<'_>, StoreError> {
        let object = self.odb.read(oid(id)?)?;
        if known(object.kind())? != kind {
            return Err(StoreError(format!("{id} is not a {kind:?}")));
        }
        Ok(Object(object))
    }

    /// The one commit whose name starts with these 4 to 40 hexadecimal digits.
    pub fn find_commit(&self, digits: &str) -> Option<ObjectId> {
        // The digits are padded here: user text never reaches a revision parser.
        let padded = ObjectId::parse(&format!("{digits:0<40}"))?;
        let found = self.odb.exists_prefix(oid(padded).ok()?, digits.len()).ok()?;
        let found = ObjectId(found.as_bytes().try_into().ok()?);
        matches!(self.header(found), Ok((Kind::Commit, _))).then_some(found)
    }

    /// Takes in a pack; the objects can be read afterwards. Nothing is left behind when it ends early.
    pub fn index(
        &self,
        mut parts: mpsc::Receiver<PackPart>,
        progress: Progress,
        stop: CancellationToken,
    ) -> Result<(), StoreError> {
        let mut indexer = Indexer::new(Some(&self.odb), &self.packs, 0o600, false)?;
        let mut meter = Meter::new(progress);
        let stopped = stop.clone();
        let received = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&received);
        indexer.progress(move |state| {
            meter.report(&state, counted.load(Ordering::Relaxed));
            !stopped.is_cancelled()
        });
        let mut head = Vec::with_capacity(PACK_HEAD);
        loop {
            match parts.blocking_recv() {
                Some(PackPart::Data(bytes)) => {
                    received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    if head.len() < PACK_HEAD {
                        head.extend(bytes.iter().take(PACK_HEAD - head.len()));
                        check_head(&head)?;
                    }
                    // One part unpacks at most a thousandfold, so a bomb is noticed between two parts.
                    for piece in bytes.chunks(16 * 1024) {
                        indexer.write_all(piece).map_err(|error| StoreError(error.to_string()))?;
                    }
                }
                Some(PackPart::End) => break,
                None => return Err(StoreError("the fetch was given up".into())),
            }
            if stop.is_cancelled() {
                return Err(StoreError("the fetch was given up".into()));
            }
        }
        // Who has everything already sends a pack of nothing.
        if count(&head) != Some(0) {
            indexer.commit()?;
        }
        self.odb.refresh()?;
        Ok(())
    }
}

impl ObjectStore {
    /// Writes these objects into one pack in another directory, with its index.
    ///
    /// # Errors
    /// It was stopped, or an object cannot be read.
    pub fn pack(
        &self,
        ids: &[ObjectId],
        into: &Path,
        stop: CancellationToken,
    ) -> Result<(), StoreError> {
        // A repository of nothing but these objects, with a configuration that is empty: none is read from anywhere.
        let repository = Repository::from_odb(Odb::new()?)?;
        repository.set_config(&Config::new()?)?;
        repository.set_odb(&self.odb)?;
        let mut builder = repository.packbuilder()?;
        // Builds and visitors come first.
        builder.set_threads(1);
        builder.set_progress_callback(move |_, _, _| !stop.is_cancelled())?;
        for id in ids {
            builder.insert_object(oid(*id)?, None)?;
        }
        builder.write(into, 0o600)?;
        Ok(())
    }
}

/// Bytes before the first object of a pack: `PACK`, version, number of objects.
const PACK_HEAD: usize = 12;
/// Most objects of one pack. The indexer reserves memory for as many as the head claims.
const MOST_OBJECTS: u32 = 10_000_000;

/// How many objects a pack says that it holds.
fn count(head: &[u8]) -> Option<u32> {
    let count: Option<[u8; 4]> = head.get(8..PACK_HEAD).and_then(|bytes| bytes.try_into().ok());
    count.map(u32::from_be_bytes)
}

fn check_head(head: &[u8]) -> Result<(), StoreError> {
    match count(head) {
        Some(count) if count > MOST_OBJECTS => {
            Err(StoreError(format!("a pack of {count} objects, more than {MOST_OBJECTS}")))
        }
        _ => Ok(()),
    }
}

fn oid(id: ObjectId) -> Result<Oid, StoreError> {
    Ok(Oid::from_bytes(&id.0)?)
}

fn known(kind: ObjectType) -> Result<Kind, StoreError> {
    match kind {
        ObjectType::Commit => Ok(Kind::Commit),
        ObjectType::Tree => Ok(Kind::Tree),
        ObjectType::Blob => Ok(Kind::Blob),
        ObjectType::Tag => Ok(Kind::Tag),
        ObjectType::Any => Err(StoreError("an object of no known kind".into())),
    }
}

/// Turns the indexer's many reports into a line a second.
struct Meter {
    progress: Progress,
    last: Option<Instant>,
    announced_end: bool,
}

impl Meter {
    fn new(progress: Progress) -> Self {
        Self { progress, last: None, announced_end: false }
    }

    fn report(&mut self, state: &git2::Progress<'_>, bytes: u64) {
        let (received, total) = (state.received_objects(), state.total_objects());
        if total == 0 {
            return;
        }
        let megabytes = bytes as f64 / 1_000_000.0;
        if received >= total && !self.announced_end {
            self.announced_end = true;
            (self.progress)(format!(
                "Receiving objects: 100 % ({received}/{total}), {megabytes:.1} MB"
            ));
            self.last = Some(Instant::now());
            return;
        }
        if self.last.is_some_and(|last| last.elapsed() < Duration::from_secs(1)) {
            return;
        }
        let first = self.last.replace(Instant::now()).is_none();
        if received < total && !first {
            let percent = received * 100 / total;
            (self.progress)(format!(
                "Receiving objects: {percent} % ({received}/{total}), {megabytes:.1} MB"
            ));
        } else if received >= total && state.total_deltas() > 0 {
            let (done, deltas) = (state.indexed_deltas(), state.total_deltas());
            let percent = done * 100 / deltas.max(1);
            (self.progress)(format!("Resolving deltas: {percent} % ({done}/{deltas})"));
        }
    }
}
