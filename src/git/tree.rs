//! The files of one commit, read from a mirror's object database.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::directories::{Directories, Directory};
use super::mirror::mark_damaged;
use super::object_store::{Kind, Object, ObjectStore};
use super::objects::{Mode, ObjectId, RawEntry, entries, is_forbidden_name};
use super::source_tree::{Content, Entry, EntryKind, SourceTree, TreeError};

/// Most directories one inside the other.
pub(super) const MOST_DEPTH: usize = 128;

/// What a commit may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct TreeLimits {
    pub entries: usize,
    pub file_bytes: u64,
}

/// What was seen while a commit was checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Survey {
    pub entries: usize,
    /// Submodules: where each is, and its commit.
    pub links: Vec<(String, ObjectId)>,
    /// Paths of files named `.gitattributes`.
    pub attributes: Vec<String>,
}

/// Most submodules and most `.gitattributes` that are looked at.
const MOST_SURVEYED: usize = 1000;

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
    /// Shared by the trees below this one.
    pub directories: Arc<Directories>,
    /// Told when an object turns out damaged, so that the next fetch starts afresh.
    pub damage_marker: PathBuf,
    pub _reading: Arc<Reading>,
}

impl LibGitTree {
    fn broken(&self, what: &str) -> TreeError {
        mark_damaged(&self.damage_marker);
        TreeError::Broken(what.to_owned())
    }

    fn unpacked(&self, id: ObjectId) -> Result<Object<'_>, TreeError> {
        self.store.read(id, Kind::Tree).map_err(|error| self.broken(&error.0))
    }

    fn directory(&self, id: ObjectId) -> Result<Arc<Directory>, TreeError> {
        if let Some(kept) = self.directories.get(id) {
            return Ok(kept);
        }
        let parsed = Directory::parse(self.unpacked(id)?.data());
        let parsed = Arc::new(parsed.ok_or_else(|| self.broken("a directory does not parse"))?);
        self.directories.keep(id, &parsed);
        Ok(parsed)
    }

    fn entry(&self, directory: &str, raw: &RawEntry<'_>) -> Result<Entry, TreeError> {
        let name = String::from_utf8_lossy(raw.name);
        let path =
            if directory.is_empty() { name.into_owned() } else { format!("{directory}/{name}") };
        if is_forbidden_name(raw.name) {
            return Err(TreeError::Forbidden(path));
        }
        Ok(Entry { path, kind: raw.mode.into() })
    }

    /// Size of a file's or a link's content in bytes.
    fn size(&self, id: ObjectId) -> Result<u64, TreeError> {
        match self.store.header(id) {
            Ok((Kind::Blob, size)) => Ok(size),
            Ok(_) => Err(self.broken("an object is of the wrong kind")),
            Err(error) => Err(self.broken(&error.0)),
        }
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
            match self.directory(found.1)?.get(part.as_bytes()) {
                Some(next) => found = next,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// Checks that everything the commit names is here and within the limits, without unpacking files.
    pub fn verify(&self) -> Result<Survey, TreeError> {
        let mut survey = Survey::default();
        self.verify_directory("", self.root, 0, &mut survey)?;
        Ok(survey)
    }

    fn verify_directory(
        &self,
        path: &str,
        id: ObjectId,
        depth: usize,
        survey: &mut Survey,
    ) -> Result<(), TreeError> {
        if depth >= MOST_DEPTH {
            return Err(TreeError::TooDeep(MOST_DEPTH));
        }
        let directory = self.unpacked(id)?;
        for entry in entries(directory.data()) {
            let entry = entry.map_err(|()| self.broken("a directory does not parse"))?;
            let name = String::from_utf8_lossy(entry.name);
            let path = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
            if is_forbidden_name(entry.name) {
                return Err(TreeError::Forbidden(path));
            }
            survey.entries += 1;
            if survey.entries > self.limits.entries {
                return Err(TreeError::TooMany(self.limits.entries));
            }
            match entry.mode {
                Mode::Directory => self.verify_directory(&path, entry.id, depth + 1, survey)?,
                Mode::File { .. } | Mode::Symlink if !self.store.contains(entry.id) => {
                    return Err(self.broken("a file is missing"));
                }
                Mode::File { .. }
                    if entry.name == b".gitattributes"
                        && survey.attributes.len() < MOST_SURVEYED =>
                {
                    survey.attributes.push(path);
                }
                Mode::Submodule if survey.links.len() < MOST_SURVEYED => {
                    survey.links.push((path, entry.id));
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
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        if depth >= MOST_DEPTH {
            return Err(TreeError::TooDeep(MOST_DEPTH));
        }
        let directory = self.unpacked(id)?;
        for raw in entries(directory.data()) {
            let raw = raw.map_err(|()| self.broken("a directory does not parse"))?;
            let entry = self.entry(path, &raw)?;
            *count += 1;
            if *count > self.limits.entries {
                return Err(TreeError::TooMany(self.limits.entries));
            }
            let mut content = Blob {
                tree: self,
                id: raw.id,
                path: &entry.path,
                size: None,
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
        let opened = self.directory(id)?;
        let list =
            opened.iter().map(|raw| self.entry(directory, &raw)).collect::<Result<_, _>>()?;
        Ok(list)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some((Mode::File { .. }, id)) = self.find(path)? else {
            return Ok(None);
        };
        if self.size(id)? > limit {
            return Err(TreeError::TooLarge(path.to_owned(), limit));
        }
        let object = self.store.read(id, Kind::Blob).map_err(|error| self.broken(&error.0))?;
        Ok(Some(object.data().to_vec()))
    }

    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        Ok(self.find(path)?.map(|(mode, _)| mode.into()))
    }

    fn walk(
        &self,
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> io::Result<()>,
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

impl From<Mode> for EntryKind {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::File { executable } => Self::File { executable },
            Mode::Directory => Self::Directory,
            Mode::Symlink => Self::Symlink,
            Mode::Submodule => Self::Submodule,
        }
    }
}

/// An entry's content, unpacked when it is first read: what `.dockerignore` leaves out costs nothing.
struct Blob<'a> {
    tree: &'a LibGitTree,
    id: ObjectId,
    path: &'a str,
    /// Once it was asked for.
    size: Option<u64>,
    state: State<'a>,
    fault: Option<TreeError>,
}

impl<'a> Blob<'a> {
    fn known_size(&mut self) -> Result<u64, TreeError> {
        match (self.size, &self.state) {
            (Some(size), _) => Ok(size),
            (None, State::None) => Ok(0),
            (None, _) => Ok(*self.size.insert(self.tree.size(self.id)?)),
        }
    }

    fn open(&mut self) -> Result<Object<'a>, TreeError> {
        let limit = self.tree.limits.file_bytes;
        if self.known_size()? > limit {
            return Err(TreeError::TooLarge(self.path.to_owned(), limit));
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

impl Content for Blob<'_> {
    fn size(&mut self) -> io::Result<u64> {
        self.known_size().map_err(|error| {
            self.fault = Some(error.clone());
            io::Error::other(error)
        })
    }
}

impl Read for Blob<'_> {
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
