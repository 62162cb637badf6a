//! An uploaded archive: a gzipped tar, read from its first to its last byte, and refused whole when anything in it is
//! not plain. What is checked here is what is built: the same pass gives the index that [`TarballTree`] reads by, and
//! nothing of an archive is ever written out under its own name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use tar::{EntryType, Header, PaxExtensions};

use super::source_tree::EntryKind;
use super::tarball_input::{BLOCK, Input};
use super::tarball_names as names;
pub use super::tarball_tree::TarballTree;

/// Most files, directories and links.
pub const MOST_ENTRIES: usize = 100_000;
/// Most bytes of the archive once it is unpacked, and of the content of all its files.
pub const MOST_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Most bytes of all paths and targets together.
const MOST_NAMES: usize = 32 * 1024 * 1024;
/// Most bytes of one record about the next entry: a long name, or what POSIX calls extended headers.
const MOST_RECORD: u64 = 64 * 1024;

/// Why an archive is not taken.
#[derive(Debug, thiserror::Error)]
pub enum TarballError {
    /// Something in it. `code` is one of the API's field codes.
    #[error("{message}")]
    Refused { code: &'static str, message: String },
    /// The caller wanted it to end.
    #[error("the archive was not read to its end")]
    Stopped,
    /// This machine's disk.
    #[error("the archive could not be read or written: {0}")]
    Disk(io::Error),
}

impl TarballError {
    pub(super) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::Refused { code, message: message.into() }
    }

    /// A refusal that names the entry, without what a terminal would take for a command.
    pub(super) fn entry(code: &'static str, path: &[u8], what: &str) -> Self {
        let shown: String = String::from_utf8_lossy(path)
            .chars()
            .map(|c| if c.is_control() || is_format(c) { '\u{fffd}' } else { c })
            .take(120)
            .collect();
        Self::refused(code, format!("The entry `{shown}` {what}."))
    }
}

/// Characters that change how the text around them is shown.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// One entry of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub kind: EntryKind,
    pub size: u64,
    /// Where the content begins in the unpacked archive.
    pub at: u64,
    /// Where a link leads.
    pub target: Option<String>,
}

/// All entries by their paths.
pub(super) type Index = BTreeMap<String, Node>;

/// Reads an archive to its end and checks everything in it. `stop` is asked now and then. Answers how many entries it
/// has. Blocks.
///
/// # Errors
/// See [`TarballError`].
pub fn check(archive: &Path, stop: &dyn Fn() -> bool) -> Result<usize, TarballError> {
    Ok(read(archive, None, stop)?.len())
}

/// Unpacks an archive into `space`, an empty file, checks it once more and makes it a tree. Blocks.
///
/// # Errors
/// See [`TarballError`].
pub fn open(
    archive: &Path,
    space: File,
    stop: &dyn Fn() -> bool,
) -> Result<TarballTree, TarballError> {
    let index = read(archive, Some(&space), stop)?;
    Ok(TarballTree::new(space, index))
}

fn read(
    archive: &Path,
    space: Option<&File>,
    stop: &dyn Fn() -> bool,
) -> Result<Index, TarballError> {
    let file = File::open(archive).map_err(TarballError::Disk)?;
    let input = Input::new(file, space, stop).map_err(TarballError::Disk)?;
    Scan { input, index: Index::new(), content: 0, names: 0 }.run()
}

/// What the records before an entry say of it.
#[derive(Default)]
struct Said {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
}

struct Scan<'a> {
    input: Input<'a>,
    index: Index,
    /// Bytes of all files, those that are linked to counted each time.
    content: u64,
    /// Bytes of all paths and targets.
    names: usize,
}

impl Scan<'_> {
    fn run(mut self) -> Result<Index, TarballError> {
        let (mut block, mut said) = ([0; BLOCK], Said::default());
        while self.input.block(&mut block)? {
            if self.input.stopped() {
                return Err(TarballError::Stopped);
            }
            if block.iter().all(|byte| *byte == 0) {
                self.rest()?;
                break;
            }
            let header = Header::from_byte_slice(&block);
            if !has_right_sum(header) {
                let message = "The body is not a tar archive: the sum of a header is wrong.";
                return Err(TarballError::refused("format", message));
            }
            let size = header.entry_size().map_err(|_| {
                TarballError::entry("format", &header.path_bytes(), "has a size that is no number")
            })?;
            match header.entry_type() {
                EntryType::GNULongName => said.path = Some(trimmed(self.record(size)?)),
                EntryType::GNULongLink => said.target = Some(trimmed(self.record(size)?)),
                EntryType::XHeader => pax(&self.record(size)?, Some(&mut said))?,
                EntryType::XGlobalHeader => pax(&self.record(size)?, None)?,
                _ => self.entry(header, size, std::mem::take(&mut said))?,
            }
        }
        if self.index.is_empty() {
            return Err(TarballError::refused("too_short", "There is nothing in the archive."));
        }
        Ok(self.index)
    }

    /// After the end of a tar there are zeros alone: what another reader would find there was not checked.
    fn rest(&mut self) -> Result<(), TarballError> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.input.some(&mut buffer)? {
                0 => return Ok(()),
                count if buffer[..count].iter().all(|byte| *byte == 0) => {}
                _ => {
                    let message = "There is something after the end of the tar archive.";
                    return Err(TarballError::refused("format", message));
                }
            }
        }
    }

    /// A record about the next entry.
    fn record(&mut self, size: u64) -> Result<Vec<u8>, TarballError> {
        if size > MOST_RECORD {
            let message = "The archive has a name or an extended header of more than 64 KiB.";
            return Err(TarballError::refused("too_long", message));
        }
        let mut bytes = Vec::new();
        self.input.content(size, |part| bytes.extend_from_slice(part))?;
        Ok(bytes)
    }

    fn entry(&mut self, header: &Header, size: u64, said: Said) -> Result<(), TarballError> {
        let raw = said.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let refused = |code, what: &str| Err(TarballError::entry(code, &raw, what));
        if said.size.is_some_and(|said| said != size) {
            return refused("format", "has two sizes");
        }
        let path = names::path(&raw)?;
        let at = self.input.at;
        let mut node = Node { kind: EntryKind::Directory, size: 0, at, target: None };
        let link = said.target.or_else(|| header.link_name_bytes().map(|name| name.into_owned()));
        match header.entry_type() {
            EntryType::Directory => {}
            // As old archives write a directory.
            EntryType::Regular if raw.ends_with(b"/") => {}
            EntryType::Regular => {
                let executable = header.mode().is_ok_and(|mode| mode & 0o100 != 0);
                (node.kind, node.size) = (EntryKind::File { executable }, size);
            }
            EntryType::Symlink => {
                let target =
                    names::target(path.as_deref().unwrap_or(""), &link.unwrap_or_default())?;
                node.kind = EntryKind::Symlink;
                (node.size, node.target) = (target.len() as u64, Some(target));
            }
            EntryType::Link => {
                let target = names::path(&link.unwrap_or_default())?;
                match target.and_then(|target| self.index.get(&target)) {
                    Some(known) if matches!(known.kind, EntryKind::File { .. }) => {
                        node = known.clone();
                    }
                    _ => return refused("unsafe", "is a hard link to no file before it"),
                }
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                return refused("unsafe", "is a device or a pipe");
            }
            _ => return refused("format", "is of a kind that is not supported, such as sparse"),
        }
        let is_content = matches!(header.entry_type(), EntryType::Regular) && !raw.ends_with(b"/");
        if size > 0 && !is_content {
            return refused("format", "is no file and has content");
        }
        self.content = self.content.saturating_add(node.size);
        if self.content > MOST_BYTES {
            return Err(TarballError::refused("out_of_range", "Its files have more than 2 GiB."));
        }
        match path {
            Some(path) => self.add(path, node)?,
            None if node.kind == EntryKind::Directory => {}
            None => return refused("unsafe", "is a file in the place of the root"),
        }
        self.input.content(size, |_| {})
    }

    fn add(&mut self, path: String, node: Node) -> Result<(), TarballError> {
        for (slash, _) in path.match_indices('/') {
            let above = &path[..slash];
            match self.index.get(above) {
                Some(above) if above.kind == EntryKind::Directory => {}
                Some(_) => {
                    let what = "lies below something that is no directory";
                    return Err(TarballError::entry("unsafe", path.as_bytes(), what));
                }
                None => {
                    let at = 0;
                    let directory = Node { kind: EntryKind::Directory, size: 0, at, target: None };
                    self.insert(above.to_owned(), directory)?;
                }
            }
        }
        match self.index.get(&path) {
            Some(known) if known.kind == EntryKind::Directory && node.kind == known.kind => Ok(()),
            Some(_) => {
                Err(TarballError::entry("duplicate", path.as_bytes(), "is in the archive twice"))
            }
            None => self.insert(path, node),
        }
    }

    fn insert(&mut self, path: String, node: Node) -> Result<(), TarballError> {
        self.names += path.len() + node.target.as_ref().map_or(0, String::len);
        if self.index.len() >= MOST_ENTRIES {
            let message = "The archive has more than 100,000 files and directories.";
            return Err(TarballError::refused("out_of_range", message));
        }
        if self.names > MOST_NAMES {
            let message = "The names in the archive have more than 32 MiB.";
            return Err(TarballError::refused("too_long", message));
        }
        self.index.insert(path, node);
        Ok(())
    }
}

/// Names of GNU's records end with a zero.
fn trimmed(mut name: Vec<u8>) -> Vec<u8> {
    while name.last() == Some(&0) {
        name.pop();
    }
    name
}

/// Reads a POSIX extended header. A global one may say nothing that matters.
fn pax(record: &[u8], mut said: Option<&mut Said>) -> Result<(), TarballError> {
    let broken = || TarballError::refused("format", "An extended header cannot be read.");
    for pair in PaxExtensions::new(record) {
        let pair = pair.map_err(|_| broken())?;
        let (key, value) = (pair.key_bytes(), pair.value_bytes());
        let matters =
            matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse");
        match (&mut said, key) {
            _ if !matters => {}
            (Some(said), b"path") => said.path = Some(value.to_vec()),
            (Some(said), b"linkpath") => said.target = Some(value.to_vec()),
            (Some(said), b"size") => {
                let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                said.size = Some(size.ok_or_else(broken)?);
            }
            _ => {
                let message = "An extended header is for sparse files or for all files.";
                return Err(TarballError::refused("format", message));
            }
        }
    }
    Ok(())
}

/// The sum of all bytes of a header, those of the sum itself taken for blanks.
fn has_right_sum(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let sum: u32 = bytes
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    header.cksum().is_ok_and(|said| said == sum)
}

#[cfg(test)]
#[path = "tests/tarball.rs"]
mod tests;
