//! The content of Git LFS files, kept beside the mirror of the repository that names them.
//!
//! One store a mirror: whoever knows an object's hash from another repository finds nothing here.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::crypto::digest::Sha256;
use crate::crypto::token;

/// After this time a part of a download has no download any more.
const PART_LIFETIME: Duration = Duration::from_secs(3600);

/// A directory of objects.
#[derive(Clone, Debug)]
pub(super) struct LfsStore {
    directory: PathBuf,
}

/// An object on its way into the store. Nothing of it stays when it is dropped.
pub(super) struct Arriving {
    file: File,
    part: PathBuf,
    whole: PathBuf,
    hash: Sha256,
    received: u64,
    size: u64,
    oid: String,
}

impl LfsStore {
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Where an object is or will be. The name is 64 hexadecimal digits.
    pub fn path_of(&self, oid: &str) -> PathBuf {
        self.directory.join(&oid[..oid.len().min(2)]).join(oid)
    }

    /// Whether an object is here; it then counts as used just now.
    pub fn has(&self, oid: &str, size: u64) -> bool {
        let path = self.path_of(oid);
        if !fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() == size) {
            return false;
        }
        // Without it the object is only removed earlier.
        let _ =
            File::options().write(true).open(path).and_then(|f| f.set_modified(SystemTime::now()));
        true
    }

    /// Begins to take in an object.
    pub fn receive(&self, oid: &str, size: u64) -> io::Result<Arriving> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let whole = self.path_of(oid);
        let parent = whole.parent().unwrap_or(&self.directory);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let part = parent.join(format!("{oid}.{}.{number}.part", std::process::id()));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&part)?;
        let hash = Sha256::default();
        Ok(Arriving { file, part, whole, hash, received: 0, size, oid: oid.to_owned() })
    }

    /// Removes what was not used for longest until no more than `limit` bytes are left, and parts nobody writes.
    pub fn shrink(&self, limit: u64) -> io::Result<()> {
        let mut objects = Vec::new();
        for directory in entries(&self.directory)? {
            for path in entries(&directory)? {
                let meta = fs::metadata(&path)?;
                let modified = meta.modified()?;
                if path.extension().is_some() {
                    if modified.elapsed().is_ok_and(|age| age > PART_LIFETIME) {
                        fs::remove_file(&path)?;
                    }
                } else {
                    objects.push((modified, meta.len(), path));
                }
            }
        }
        let mut total: u64 = objects.iter().map(|(_, size, _)| size).sum();
        objects.sort();
        for (_, size, path) in objects {
            if total <= limit {
                break;
            }
            fs::remove_file(&path)?;
            total -= size;
        }
        Ok(())
    }
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

impl Arriving {
    /// Takes in more bytes; an error when there are more than the object has.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.received += bytes.len() as u64;
        if self.received > self.size {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "more bytes than the pointer says",
            ));
        }
        self.hash.update(bytes);
        self.file.write_all(bytes)
    }

    /// Puts the object into its place, when it is the one that was asked for.
    pub fn keep(mut self) -> io::Result<()> {
        if self.received != self.size {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "fewer bytes than the pointer says",
            ));
        }
        if token::hex(&std::mem::take(&mut self.hash).finish()) != self.oid {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its content has another hash"));
        }
        fs::rename(&self.part, &self.whole)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        // Gone already when it was kept.
        let _ = fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &LfsStore, content: &[u8]) -> String {
        let oid = token::hex(&Sha256::of(content));
        let mut arriving = store.receive(&oid, content.len() as u64).unwrap();
        arriving.write(content).unwrap();
        arriving.keep().unwrap();
        oid
    }

    fn files(store: &LfsStore) -> usize {
        let directories = entries(&store.directory).unwrap();
        directories.iter().map(|directory| entries(directory).unwrap().len()).sum()
    }

    #[test]
    fn only_what_was_asked_for_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let store = LfsStore::new(directory.path().join("lfs"));
        let oid = put(&store, b"content");
        assert!(store.has(&oid, 7) && !store.has(&oid, 8));
        let other = token::hex(&Sha256::of(b"other"));
        let mut short = store.receive(&other, 5).unwrap();
        short.write(b"oth").unwrap();
        assert!(short.keep().unwrap_err().to_string().contains("fewer"));
        let mut wrong = store.receive(&other, 5).unwrap();
        wrong.write(b"OTHER").unwrap();
        assert!(wrong.keep().unwrap_err().to_string().contains("hash"));
        let mut long = store.receive(&other, 5).unwrap();
        assert!(long.write(b"others").unwrap_err().to_string().contains("more"));
        drop(long);
        drop(store.receive(&other, 5).unwrap());
        assert_eq!(files(&store), 1);
    }

    #[test]
    fn the_least_used_goes_first() {
        let directory = tempfile::tempdir().unwrap();
        let store = LfsStore::new(directory.path().join("lfs"));
        store.shrink(10).unwrap();
        let oids: Vec<_> =
            [&b"first"[..], b"second", b"third"].map(|text| put(&store, text)).into();
        for (age, oid) in [300, 200, 100].into_iter().zip(&oids) {
            let file = File::options().write(true).open(store.path_of(oid)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        let part = store.directory.join("aa");
        fs::create_dir_all(&part).unwrap();
        let part = File::create(part.join("x.1.1.part")).unwrap();
        part.set_modified(SystemTime::now() - 2 * PART_LIFETIME).unwrap();
        assert!(store.has(&oids[0], 5));
        store.shrink(10).unwrap();
        assert!(store.has(&oids[0], 5) && !store.has(&oids[1], 6) && store.has(&oids[2], 5));
        assert_eq!(files(&store), 2);
        store.shrink(0).unwrap();
        assert_eq!(files(&store), 0);
    }
}
