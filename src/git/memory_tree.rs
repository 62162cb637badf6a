//! A tree in memory, for tests of what reads trees.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::source_tree::{Content, Entry, EntryKind, SourceTree, TreeError};

/// Files by their paths.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    files: BTreeMap<String, (EntryKind, Vec<u8>)>,
}

impl MemoryTree {
    /// Plain files with these contents.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let plain = EntryKind::File { executable: false };
        files.iter().fold(Self::default(), |tree, (path, text)| tree.with(path, plain, text))
    }

    /// Adds a program.
    pub fn executable(self, path: &str, text: &str) -> Self {
        self.with(path, EntryKind::File { executable: true }, text)
    }

    /// Adds a symbolic link.
    pub fn link(self, path: &str, target: &str) -> Self {
        self.with(path, EntryKind::Symlink, target)
    }

    /// Adds a submodule.
    pub fn submodule(self, path: &str) -> Self {
        self.with(path, EntryKind::Submodule, "")
    }

    fn with(mut self, path: &str, kind: EntryKind, text: &str) -> Self {
        self.files.insert(path.to_owned(), (kind, text.as_bytes().to_vec()));
        self
    }
}

impl SourceTree for MemoryTree {
    fn list(&self, directory: &str) -> Result<Vec<Entry>, TreeError> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let mut seen = BTreeSet::new();
        let mut list = Vec::new();
        for (path, (kind, _)) in &self.files {
            let Some(rest) = path.strip_prefix(&prefix) else {
                continue;
            };
            let name = rest.split('/').next().unwrap_or(rest);
            if !seen.insert(name.to_owned()) {
                continue;
            }
            let inner = name.len() < rest.len();
            list.push(Entry {
                path: format!("{prefix}{name}"),
                kind: if inner { EntryKind::Directory } else { *kind },
            });
        }
        if list.is_empty() && !directory.is_empty() {
            return Err(TreeError::NotFound(directory.to_owned()));
        }
        list.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(list)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        match self.files.get(path) {
            Some((EntryKind::File { .. }, content)) if content.len() as u64 > limit => {
                Err(TreeError::TooLarge(path.to_owned(), limit))
            }
            Some((EntryKind::File { .. }, content)) => Ok(Some(content.clone())),
            _ => Ok(None),
        }
    }

    fn walk(
        &self,
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        let mut waiting = self.list("")?;
        waiting.reverse();
        while let Some(entry) = waiting.pop() {
            let empty = Vec::new();
            let content = self.files.get(&entry.path).map_or(&empty, |(_, content)| content);
            let mut content = content.as_slice();
            visit(&entry, &mut content).map_err(|error| TreeError::Stopped(error.to_string()))?;
            if entry.kind == EntryKind::Directory {
                waiting.extend(self.list(&entry.path)?.into_iter().rev());
            }
        }
        Ok(())
    }

    fn subtree(&self, directory: &str) -> Result<Arc<dyn SourceTree>, TreeError> {
        let prefix = format!("{directory}/");
        let files: BTreeMap<_, _> = self
            .files
            .iter()
            .filter_map(|(path, file)| Some((path.strip_prefix(&prefix)?.to_owned(), file.clone())))
            .collect();
        if files.is_empty() {
            return Err(TreeError::NotFound(directory.to_owned()));
        }
        Ok(Arc::new(Self { files }))
    }
}
