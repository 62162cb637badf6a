//! The files of an uploaded archive, read by their index from one file that holds them all.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::source_tree::{Content, Entry, EntryKind, SourceTree, TreeError};
use super::tarball::{Index, Node};

/// An unpacked archive. Clones share everything.
#[derive(Clone)]
pub struct TarballTree {
    shared: Arc<Shared>,
    /// Directory that is the root of this tree; empty for the archive's own.
    root: String,
}

struct Shared {
    file: File,
    index: Index,
    /// Names in a directory, in byte order.
    names: HashMap<String, Vec<String>>,
}

impl TarballTree {
    pub(super) fn new(file: File, index: Index) -> Self {
        let mut names: HashMap<String, Vec<String>> = HashMap::from([(String::new(), Vec::new())]);
        for (path, node) in &index {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            names.entry(above.to_owned()).or_default().push(name.to_owned());
            if node.kind == EntryKind::Directory {
                names.entry(path.clone()).or_default();
            }
        }
        // In the order of whole paths `a-b` comes before `a/b`; in a directory only names count.
        names.values_mut().for_each(|names| names.sort_unstable());
        Self { shared: Arc::new(Shared { file, index, names }), root: String::new() }
    }

    /// How many entries the archive has.
    pub fn len(&self) -> usize {
        self.shared.index.len()
    }

    /// Whether it has none, which is not accepted.
    pub fn is_empty(&self) -> bool {
        self.shared.index.is_empty()
    }

    fn whole(&self, path: &str) -> String {
        match (self.root.as_str(), path) {
            ("", path) => path.to_owned(),
            (root, "") => root.to_owned(),
            (root, path) => format!("{root}/{path}"),
        }
    }

    fn node(&self, path: &str) -> Option<&Node> {
        self.shared.index.get(&self.whole(path))
    }

    fn is_directory(&self, path: &str) -> bool {
        let whole = self.whole(path);
        whole.is_empty()
            || self.shared.index.get(&whole).is_some_and(|node| node.kind == EntryKind::Directory)
    }

    fn visit_below(
        &self,
        directory: &str,
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        let stopped = |error: io::Error| TreeError::Stopped(error.to_string());
        for entry in self.list(directory)? {
            let Some(node) = self.node(&entry.path) else { continue };
            match &node.target {
                Some(target) => visit(&entry, &mut target.as_bytes()).map_err(stopped)?,
                None => visit(&entry, &mut self.content(node)).map_err(stopped)?,
            }
            if entry.kind == EntryKind::Directory {
                self.visit_below(&entry.path, visit)?;
            }
        }
        Ok(())
    }

    fn content(&self, node: &Node) -> Section<'_> {
        Section { file: &self.shared.file, at: node.at, left: node.size }
    }
}

impl SourceTree for TarballTree {
    fn list(&self, directory: &str) -> Result<Vec<Entry>, TreeError> {
        let names = self.shared.names.get(&self.whole(directory));
        let names = names.ok_or_else(|| TreeError::NotFound(directory.to_owned()))?;
        let entries = names.iter().filter_map(|name| {
            let path =
                if directory.is_empty() { name.clone() } else { format!("{directory}/{name}") };
            let node = self.node(&path)?;
            Some(Entry { kind: node.kind, path })
        });
        Ok(entries.collect())
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(node) = self.node(path).filter(|node| matches!(node.kind, EntryKind::File { .. }))
        else {
            return Ok(None);
        };
        if node.size > limit {
            return Err(TreeError::TooLarge(path.to_owned(), limit));
        }
        let mut content = Vec::new();
        self.content(node)
            .read_to_end(&mut content)
            .map_err(|error| TreeError::Broken(error.to_string()))?;
        Ok(Some(content))
    }

    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        if path.is_empty() {
            return Ok(Some(EntryKind::Directory));
        }
        Ok(self.node(path).map(|node| node.kind))
    }

    fn walk(
        &self,
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        self.visit_below("", visit)
    }

    fn subtree(&self, directory: &str) -> Result<Arc<dyn SourceTree>, TreeError> {
        if !self.is_directory(directory) {
            return Err(TreeError::NotFound(directory.to_owned()));
        }
        Ok(Arc::new(Self { shared: Arc::clone(&self.shared), root: self.whole(directory) }))
    }
}

/// A part of a file.
struct Section<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Content for Section<'_> {
    fn size(&mut self) -> io::Result<u64> {
        Ok(self.left)
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}
