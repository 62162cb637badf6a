//! A commit's files, read from the object database.

use std::io::{self, Read};

/// What an entry is. Symbolic links are never followed; submodules are named, not entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File { executable: bool },
    Directory,
    Symlink,
    Submodule,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root of the tree, with `/` between components.
    pub path: String,
    pub kind: EntryKind,
}

/// What a file or a link holds. It is looked for when it is first asked for: an entry that nobody reads costs nothing.
pub trait Content: Read {
    /// Bytes it has in all.
    ///
    /// # Errors
    /// It cannot be read.
    fn size(&mut self) -> io::Result<u64>;
}

impl Content for &[u8] {
    fn size(&mut self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl Content for io::Empty {
    fn size(&mut self) -> io::Result<u64> {
        Ok(0)
    }
}

/// A tree that could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TreeError {
    #[error("`{0}` does not exist in this commit.")]
    NotFound(String),
    #[error("`{0}` is larger than {1} bytes.")]
    TooLarge(String, u64),
    /// A name that some file systems take for `.git`, or that leaves its directory.
    #[error("The repository contains an entry named `{0}`, which is not accepted.")]
    Forbidden(String),
    #[error("The repository contains more than {0} files and directories.")]
    TooMany(usize),
    #[error("The repository has directories nested more than {0} deep.")]
    TooDeep(usize),
    /// The visitor of a walk failed; its own words.
    #[error("{0}")]
    Stopped(String),
    #[error("The repository could not be read: {0}")]
    Broken(String),
}

/// Reads files of one commit below its root directory. Calls block; use them off the async threads.
/// Paths are relative, with normal components only; anything else is `NotFound`.
pub trait SourceTree: Send + Sync {
    /// Entries of a directory in byte order of their names; `""` is the root.
    fn list(&self, directory: &str) -> Result<Vec<Entry>, TreeError>;

    /// A regular file's content, or `None` when there is none of this name (a link counts as none).
    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError>;

    /// What a path leads to; `None` when there is nothing. A link on the way leads nowhere.
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        match self.list(parent) {
            Ok(entries) => Ok(entries.iter().find(|e| e.path == path).map(|entry| entry.kind)),
            Err(TreeError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Visits every entry depth first, parents before children, handing over a file's (or a link's) content.
    fn walk(
        &self,
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> io::Result<()>,
    ) -> Result<(), TreeError>;

    /// The tree of a directory below this one, for projects that live in a part of a repository.
    fn subtree(&self, directory: &str) -> Result<std::sync::Arc<dyn SourceTree>, TreeError>;
}
