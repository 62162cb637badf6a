//! The files of one commit, read from a mirror's object database.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::mirror::mark_damaged;
use super::object_store::{Kind, Object, ObjectStore};
use super::objects::{Mode, ObjectId, RawEntry, entries, is_forbidden_name};
use super::source_tree::{Entry, EntryKind, SourceTree, TreeError};

/// Most directories one inside the other.
pub(super) const MOST_DEPTH: usize = 128;

/// What a commit may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct TreeLimits {
    pub entries: usize,
    pub file_bytes: u64,
}

/// Held while a tree of a mirror is in use, so that the mirror is not renewed under it.
pub(super) struct Reading(Arc<AtomicUsize>);

impl Reading {
    pub fn new(readers: &Arc<AtomicUsize>) -> Self {
        readers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(readers))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A commit's directory. Cloning is cheap.
#[derive(Clone)]
pub(super) struct LibGitTree {
    pub store: Arc<ObjectStore>,
    pub root: ObjectId,
    pub limits: TreeLimits,
    /// Told when an object turns out damaged, so that the next fetch starts afresh.
    pub damage_marker: PathBuf,
    pub _reading: Arc<Reading>,
}

impl LibGitTree {
    fn broken(&self, what: &str) -> TreeError {
        mark_damaged(&self.damage_marker);
        TreeError::Broken(what.to_owned())
    }

    fn directory(&self, id: ObjectId) -> Result<Object<'_>, TreeError> {
        self.store.read(id, Kind::Tree).map_err(|error| self.broken(&error.0))
    }

    fn entry(&self, directory: &str, raw: &RawEntry<'_>) -> Result<Entry, TreeError> {
        let name = String::from_utf8_lossy(raw.name);
        let path =
            if directory.is_empty() { name.into_owned() } else { format!("{directory}/{name}") };
        if is_forbidden_name(raw.name) {
            return Err(TreeError::Forbidden(path));
        }
        let kind = match raw.mode {
            Mode::File { executable } => EntryKind::File { executable },
            Mode::Directory => EntryKind::Directory,
            Mode::Symlink => EntryKind::Symlink,
            Mode::Submodule => EntryKind::Submodule,
        };
        let size = match raw.mode {
            Mode::File { .. } | Mode::Symlink => match self.store.header(raw.id) {
                Ok((Kind::Blob, size)) => size,
                Ok(_) => return Err(self.broken("an object is of the wrong kind")),
                Err(error) => return Err(self.broken(&error.0)),
            },
            Mode::Directory | Mode::Submodule => 0,
        };
        Ok(Entry { path, kind, size })
    }

    /// The object a path leads to; `None` when a part is missing or is no directory.
    fn find(&self, path: &str) -> Result<Option<(Mode, ObjectId)>, TreeError> {
        let mut found = (Mode::Directory, self.root);
        if path.is_empty() {
            return Ok(Some(found));
        }
        for (depth, part) in path.split('/').enumerate() {
            if found.0 != Mode::Directory
                || depth >= MOST_DEPTH
                || is_forbidden_name(part.as_bytes())
            {
                return Ok(None);
            }
            let directory = self.directory(found.1)?;
            let mut next = None;
            for entry in entries(directory.data()) {
                let entry = entry.map_err(|()| self.broken("a directory does not parse"))?;
                if entry.name == part.as_bytes() {
                    next = Some((entry.mode, entry.id));
                    break;
                }
            }
            match next {
                Some(next) => found = next,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// Checks that everything the commit names is here and within the limits, without unpacking files.
    pub fn verify(&self) -> Result<(), TreeError> {
        let mut count = 0;
        self.verify_directory("", self.root, 0, &mut count)
    }

    fn verify_directory(
        &self,
        path: &str,
        id: ObjectId,
        depth: usize,
        count: &mut usize,
    ) -> Result<(), TreeError> {
        if depth >= MOST_DEPTH {
            return Err(TreeError::TooDeep(MOST_DEPTH));
        }
        let directory = self.directory(id)?;
        for entry in entries(directory.data()) {
            let entry = entry.map_err(|()| self.broken("a directory does not parse"))?;
            let name = String::from_utf8_lossy(entry.name);
            let path = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
            if is_forbidden_name(entry.name) {
                return Err(TreeError::Forbidden(path));
            }
            *count += 1;
            if *count > self.limits.entries {
                return Err(TreeError::TooMany(self.limits.entries));
            }
            match entry.mode {
                Mode::Directory => self.verify_directory(&path, entry.id, depth + 1, count)?,
                Mode::File { .. } | Mode::Symlink if !self.store.contains(entry.id) => {
                    return Err(self.broken("a file is missing"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn walk_directory(
        &self,
        path: &str,
        id: ObjectId,
        depth: usize,
        count: &mut usize,
        visit: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        if depth >= MOST_DEPTH {
            return Err(TreeError::TooDeep(MOST_DEPTH));
        }
        let directory = self.directory(id)?;
        for raw in entries(directory.data()) {
            let raw = raw.map_err(|()| self.broken("a directory does not parse"))?;
            let entry = self.entry(path, &raw)?;
            *count += 1;
            if *count > self.limits.entries {
                return Err(TreeError::TooMany(self.limits.entries));
            }
            let mut content = Content {
                tree: self,
                id: raw.id,
                entry: &entry,
                state: match entry.kind {
                    EntryKind::File { .. } | EntryKind::Symlink => State::Unread,
                    EntryKind::Directory | EntryKind::Submodule => State::None,
                },
                fault: None,
            };
            let visited = visit(&entry, &mut content);
            if let Some(fault) = content.fault {
                return Err(fault);
            }
            visited.map_err(|error| TreeError::Stopped(error.to_string()))?;
            if entry.kind == EntryKind::Directory {
                self.walk_directory(&entry.path, raw.id, depth + 1, count, visit)?;
            }
        }
        Ok(())
    }
}

impl SourceTree for LibGitTree {
    fn list(&self, directory: &str) -> Result<Vec<Entry>, TreeError> {
        let Some((Mode::Directory, id)) = self.find(directory)? else {
            return Err(TreeError::NotFound(directory.to_owned()));
        };
        let object = self.directory(id)?;
        let mut list = Vec::new();
        for raw in entries(object.data()) {
            let raw = raw.map_err(|()| self.broken("a directory does not parse"))?;
            list.push(self.entry(directory, &raw)?);
        }
        // Git sorts a directory as if its name ended with `/`.
        list.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        Ok(list)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some((Mode::File { .. }, id)) = self.find(path)? else {
            return Ok(None);
        };
        let (kind, size) = self.store.header(id).map_err(|error| self.broken(&error.0))?;
        if kind != Kind::Blob {
            return Err(self.broken("an object is of the wrong kind"));
        }
        if size > limit {
            return Err(TreeError::TooLarge(path.to_owned(), limit));
        }
        let object = self.store.read(id, Kind::Blob).map_err(|error| self.broken(&error.0))?;
        Ok(Some(object.data().to_vec()))
    }

    fn walk(
        &self,
        visit: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        self.walk_directory("", self.root, 0, &mut 0, visit)
    }

    fn subtree(&self, directory: &str) -> Result<Arc<dyn SourceTree>, TreeError> {
        match self.find(directory)? {
            Some((Mode::Directory, root)) => Ok(Arc::new(Self { root, ..self.clone() })),
            _ => Err(TreeError::NotFound(directory.to_owned())),
        }
    }
}

/// An entry's content, unpacked when it is first read: what `.dockerignore` leaves out costs nothing.
struct Content<'a> {
    tree: &'a LibGitTree,
    id: ObjectId,
    entry: &'a Entry,
    state: State<'a>,
    fault: Option<TreeError>,
}

impl<'a> Content<'a> {
    fn open(&self) -> Result<Object<'a>, TreeError> {
        let limit = self.tree.limits.file_bytes;
        if self.entry.size > limit {
            return Err(TreeError::TooLarge(self.entry.path.clone(), limit));
        }
        let object = self.tree.store.read(self.id, Kind::Blob);
        object.map_err(|error| self.tree.broken(&error.0))
    }
}

enum State<'a> {
    None,
    Unread,
    Open(Object<'a>, usize),
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if matches!(self.state, State::Unread) {
            match self.open() {
                Ok(object) => self.state = State::Open(object, 0),
                Err(error) => {
                    self.fault = Some(error.clone());
                    return Err(io::Error::other(error));
                }
            }
        }
        let State::Open(object, position) = &mut self.state else {
            return Ok(0);
        };
        let rest = &object.data()[*position..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        *position += length;
        Ok(length)
    }
}
