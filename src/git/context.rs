//! A commit's tree as the tar stream a build reads.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::dockerignore::{DockerIgnore, Hits};
use super::source_tree::{Content, Entry, EntryKind, SourceTree, TreeError};
use crate::model::timestamp::Timestamp;

/// Bytes that travel at once; eight of them wait at most, so that a slow engine slows the reading down.
const PART: usize = 64 * 1024;
/// Largest `.dockerignore` that is read.
const IGNORE_LIMIT: u64 = 1024 * 1024;
/// Earliest and latest time that entries carry, in seconds since the epoch: 1980-01-02, because archives in the format
/// of zip cannot hold earlier ones in any time zone, and 2100.
const TIMES: std::ops::RangeInclusive<u64> = 315_619_200..=4_102_444_800;
/// What every Git LFS pointer starts with; pointers are shorter than 1 KB.
const LFS_START: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// A build context under way.
pub struct Context {
    /// The tar archive. An error in it means that the tree could not be read.
    pub stream: BoxStream<'static, Result<Bytes, io::Error>>,
    /// Files met so far that look like Git LFS pointers. Where a `.gitattributes` sets the filter they were resolved
    /// before; these are passed on as they are.
    pub lfs_pointers: Arc<AtomicUsize>,
}

/// Streams a commit's tree as a tar archive, `.dockerignore` applied. `extra_files` (path, content) are written
/// last, in place of entries of the same path, and whatever `.dockerignore` says. Everything carries the time `modified`:
/// servers inside of applications tell versions of a file apart by it, and the engine's cache does not look at it. The
/// same commit gives the same bytes: no owners, modes 0644 and 0755 only. Must be called within a tokio runtime.
pub fn context_stream(
    tree: Arc<dyn SourceTree>,
    modified: Timestamp,
    extra_files: Vec<(String, Vec<u8>)>,
) -> Context {
    let modified = u64::try_from(modified.0 / 1000).unwrap_or(0);
    let modified = modified.clamp(*TIMES.start(), *TIMES.end());
    let (sender, receiver) = mpsc::channel(8);
    let lfs_pointers = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&lfs_pointers);
    tokio::task::spawn_blocking(move || {
        let pipe = Pipe { sender: sender.clone(), buffer: BytesMut::with_capacity(PART) };
        if let Err(error) = write_context(tree.as_ref(), modified, &extra_files, pipe, &counter) {
            // Nobody listens any more when the build was given up.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Context { stream: ReceiverStream::new(receiver).boxed(), lfs_pointers }
}

fn write_context(
    tree: &dyn SourceTree,
    modified: u64,
    extra: &[(String, Vec<u8>)],
    pipe: Pipe,
    lfs: &AtomicUsize,
) -> io::Result<()> {
    let ignore = match tree.read(".dockerignore", IGNORE_LIMIT).map_err(io::Error::other)? {
        Some(text) => DockerIgnore::parse(&String::from_utf8_lossy(&text)),
        None => DockerIgnore::default(),
    };
    let mut archive = Archive { tar: Builder::new(pipe), modified, directories: HashSet::new() };
    // The directories above the entry at hand, with what matched them.
    let mut above: Vec<(String, Hits)> = Vec::new();
    let walked = tree.walk(&mut |entry, content| {
        let parent = parent(&entry.path);
        while above.last().is_some_and(|(path, _)| path != parent) {
            above.pop();
        }
        let nothing = Hits::default();
        let hits = ignore.hits(&entry.path, above.last().map_or(&nothing, |(_, hits)| hits));
        let ignored = ignore.is_ignored(&hits) && !is_kept(&entry.path);
        if entry.kind == EntryKind::Directory {
            above.push((entry.path.clone(), hits));
        }
        if ignored || extra.iter().any(|(path, _)| *path == entry.path) {
            return Ok(());
        }
        archive.append(entry, content, lfs)
    });
    walked.map_err(|error| match error {
        TreeError::Stopped(reason) => io::Error::new(io::ErrorKind::BrokenPipe, reason),
        other => io::Error::other(other),
    })?;
    for (path, content) in extra {
        archive.file(path, content.len() as u64, false, &mut content.as_slice())?;
    }
    let mut pipe = archive.tar.into_inner()?;
    pipe.flush()
}

/// What Docker sends whatever the patterns say: the builder reads these itself.
fn is_kept(path: &str) -> bool {
    matches!(path, "Dockerfile" | ".dockerignore")
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

struct Archive {
    tar: Builder<Pipe>,
    /// Time of every entry, in seconds since the epoch.
    modified: u64,
    /// Directories that are in the archive.
    directories: HashSet<String>,
}

impl Archive {
    fn append(
        &mut self,
        entry: &Entry,
        content: &mut dyn Content,
        lfs: &AtomicUsize,
    ) -> io::Result<()> {
        match entry.kind {
            EntryKind::Directory | EntryKind::Submodule => self.directory(&entry.path),
            EntryKind::File { executable } => {
                let size = content.size()?;
                if !(LFS_START.len() as u64..1024).contains(&size) {
                    return self.file(&entry.path, size, executable, content);
                }
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                if bytes.starts_with(LFS_START) {
                    lfs.fetch_add(1, Ordering::Relaxed);
                }
                self.file(&entry.path, size, executable, &mut bytes.as_slice())
            }
            EntryKind::Symlink => {
                let mut target = Vec::new();
                content.take(4096).read_to_end(&mut target)?;
                // No system could make such a link.
                if target.is_empty() || target.contains(&0) {
                    return Ok(());
                }
                self.parents(&entry.path)?;
                let mut header = self.header(EntryType::Symlink, 0o777, 0);
                let target = Path::new(OsStr::from_bytes(&target));
                self.tar.append_link(&mut header, &entry.path, target)
            }
        }
    }

    fn file(
        &mut self,
        path: &str,
        size: u64,
        executable: bool,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        self.parents(path)?;
        let mode = if executable { 0o755 } else { 0o644 };
        let mut header = self.header(EntryType::Regular, mode, size);
        self.tar.append_data(&mut header, path, content)
    }

    fn directory(&mut self, path: &str) -> io::Result<()> {
        self.parents(path)?;
        if self.directories.insert(path.to_owned()) {
            let mut header = self.header(EntryType::Directory, 0o755, 0);
            self.tar.append_data(&mut header, path, io::empty())?;
        }
        Ok(())
    }

    /// The directories above an entry; those of a kept file may have been ignored themselves.
    fn parents(&mut self, path: &str) -> io::Result<()> {
        let parent = parent(path);
        if parent.is_empty() || self.directories.contains(parent) {
            return Ok(());
        }
        self.directory(parent)
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.modified);
        header
    }
}

/// Bytes of the blocking writer on their way to the async reader.
struct Pipe {
    sender: mpsc::Sender<Result<Bytes, io::Error>>,
    buffer: BytesMut,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(PART - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..length]);
        if self.buffer.len() == PART {
            self.flush()?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(PART));
        self.sender.blocking_send(Ok(full.freeze())).map_err(|_| {
            io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the build context")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::memory_tree::MemoryTree;

    const COMMITTED: Timestamp = Timestamp(1_768_926_600_999);

    async fn bytes(
        tree: MemoryTree,
        modified: Timestamp,
        extra: Vec<(String, Vec<u8>)>,
    ) -> Vec<u8> {
        let mut context = context_stream(Arc::new(tree), modified, extra);
        let mut all = Vec::new();
        while let Some(part) = context.stream.next().await {
            all.extend_from_slice(&part.unwrap());
        }
        all
    }

    fn listing(tar: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(tar);
        archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                let mode = entry.header().mode().unwrap();
                let kind = entry.header().entry_type();
                assert_eq!(
                    (entry.header().mtime().unwrap(), entry.header().uid().unwrap()),
                    (1_768_926_600, 0)
                );
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                match kind {
                    EntryType::Directory => format!("{path}/"),
                    EntryType::Symlink => {
                        format!("{path} -> {}", entry.link_name().unwrap().unwrap().display())
                    }
                    _ => format!("{path} {mode:o} {}", &text[..text.len().min(12)]),
                }
            })
            .collect()
    }

    fn example() -> MemoryTree {
        MemoryTree::new(&[
            (".dockerignore", "*\n!src\n!package.json\nsrc/secret\n!src/secret/keep/me\n"),
            ("Dockerfile", "FROM x"),
            ("README.md", "no"),
            ("package.json", "{}"),
            ("src/a.js", "a"),
            ("src/secret/key", "no"),
            ("src/secret/keep/me", "yes"),
        ])
        .executable("src/run.sh", "#!")
        .link("src/link", "/etc/passwd")
    }

    #[tokio::test]
    async fn the_archive_holds_what_is_not_ignored() {
        let extra =
            vec![("Dockerfile".to_owned(), b"FROM y".to_vec()), ("a/b".to_owned(), b"B".to_vec())];
        let tar = bytes(example(), COMMITTED, extra.clone()).await;
        assert_eq!(
            listing(&tar),
            [
                ".dockerignore 644 *\n!src\n!pack",
                "package.json 644 {}",
                "src/",
                "src/a.js 644 a",
                "src/link -> /etc/passwd",
                "src/run.sh 755 #!",
                "src/secret/",
                "src/secret/keep/",
                "src/secret/keep/me 644 yes",
                "Dockerfile 644 FROM y",
                "a/",
                "a/b 644 B",
            ]
        );
        assert_eq!(tar, bytes(example(), COMMITTED, extra).await);
    }

    #[tokio::test]
    async fn every_time_is_one_that_archives_can_hold() {
        for (committed, expected) in [
            (0, 315_619_200),
            (-5_000, 315_619_200),
            (1_700_000_000_000, 1_700_000_000),
            (i64::MAX, 4_102_444_800),
            (i64::MIN, 315_619_200),
        ] {
            let tar = bytes(MemoryTree::new(&[("a", "a")]), Timestamp(committed), Vec::new()).await;
            let mut archive = tar::Archive::new(tar.as_slice());
            let entry = archive.entries().unwrap().next().unwrap().unwrap();
            assert_eq!(entry.header().mtime().unwrap(), expected, "{committed}");
        }
    }

    #[tokio::test]
    async fn long_paths_large_files_and_lfs_pointers() {
        let long = format!("{}/{}", "d".repeat(150), "f".repeat(200));
        let large = "x".repeat(1_000_000);
        let pointer = format!("{}oid sha256:00\nsize 5\n", String::from_utf8_lossy(LFS_START));
        let tree = MemoryTree::new(&[(&long, "long"), ("large", &large), ("image.png", &pointer)])
            .link("l", &"t".repeat(300));
        let mut context = context_stream(Arc::new(tree), COMMITTED, Vec::new());
        let mut all = Vec::new();
        while let Some(part) = context.stream.next().await {
            all.extend_from_slice(&part.unwrap());
        }
        let list = listing(&all);
        assert!(list.contains(&format!("{long} 644 long")), "{list:?}");
        assert!(list.contains(&format!("l -> {}", "t".repeat(300))));
        assert_eq!(context.lfs_pointers.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_ends_the_writer() {
        let large = "x".repeat(10_000_000);
        let mut context =
            context_stream(Arc::new(MemoryTree::new(&[("large", &large)])), COMMITTED, Vec::new());
        assert!(context.stream.next().await.is_some());
        drop(context);
    }
}
