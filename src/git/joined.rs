//! A commit's files with those of its submodules in their places.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::source_tree::{Content, Entry, EntryKind, SourceTree, TreeError};

/// A tree with other trees in the places of submodules.
pub(super) struct Joined {
    base: Arc<dyn SourceTree>,
    /// By the path of the submodule's directory. None lies within another.
    mounts: BTreeMap<String, Arc<dyn SourceTree>>,
}

impl Joined {
    pub fn new(base: Arc<dyn SourceTree>, mounts: BTreeMap<String, Arc<dyn SourceTree>>) -> Self {
        Self { base, mounts }
    }

    /// The mounted tree a path is in, with where it is mounted and the rest of the path.
    fn mounted<'a>(&self, path: &'a str) -> Option<(&str, &Arc<dyn SourceTree>, &'a str)> {
        self.mounts.iter().find_map(|(at, tree)| {
            let rest = path.strip_prefix(at.as_str())?;
            match rest.strip_prefix('/') {
                Some(rest) => Some((at.as_str(), tree, rest)),
                None => rest.is_empty().then_some((at.as_str(), tree, "")),
            }
        })
    }

    fn in_place(&self, mut entry: Entry) -> Entry {
        if entry.kind == EntryKind::Submodule && self.mounts.contains_key(&entry.path) {
            entry.kind = EntryKind::Directory;
        }
        entry
    }
}

/// An entry of a mounted tree as it is called from outside.
fn below(at: &str, entry: &Entry) -> Entry {
    Entry { path: format!("{at}/{}", entry.path), ..entry.clone() }
}

/// An error of a mounted tree with paths as they are called from outside.
fn outside(at: &str, error: TreeError) -> TreeError {
    match error {
        TreeError::NotFound(path) => TreeError::NotFound(format!("{at}/{path}")),
        TreeError::TooLarge(path, limit) => TreeError::TooLarge(format!("{at}/{path}"), limit),
        TreeError::Forbidden(path) => TreeError::Forbidden(format!("{at}/{path}")),
        other => other,
    }
}

impl SourceTree for Joined {
    fn list(&self, directory: &str) -> Result<Vec<Entry>, TreeError> {
        if let Some((at, tree, rest)) = self.mounted(directory) {
            let list = tree.list(rest).map_err(|error| outside(at, error))?;
            return Ok(list.iter().map(|entry| below(at, entry)).collect());
        }
        Ok(self.base.list(directory)?.into_iter().map(|entry| self.in_place(entry)).collect())
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        match self.mounted(path) {
            Some((_, _, "")) => Ok(None),
            Some((at, tree, rest)) => tree.read(rest, limit).map_err(|error| outside(at, error)),
            None => self.base.read(path, limit),
        }
    }

    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        match self.mounted(path) {
            Some((_, _, "")) => Ok(Some(EntryKind::Directory)),
            Some((at, tree, rest)) => tree.kind(rest).map_err(|error| outside(at, error)),
            None => self.base.kind(path),
        }
    }

    fn walk(
        &self,
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        // An error of a mounted tree would come back as the words of a visitor.
        let mut fault = None;
        let walked = self.base.walk(&mut |entry, content| {
            let mount = match entry.kind {
                EntryKind::Submodule => self.mounts.get(&entry.path),
                _ => None,
            };
            let Some(tree) = mount else {
                return visit(entry, content);
            };
            visit(&self.in_place(entry.clone()), &mut io::empty())?;
            let at = &entry.path;
            tree.walk(&mut |inner, content| visit(&below(at, inner), content)).map_err(|error| {
                let text = error.to_string();
                fault = Some(outside(at, error));
                io::Error::other(text)
            })
        });
        match fault {
            Some(fault) => Err(fault),
            None => walked,
        }
    }

    fn subtree(&self, directory: &str) -> Result<Arc<dyn SourceTree>, TreeError> {
        if let Some((at, tree, rest)) = self.mounted(directory) {
            return match rest {
                "" => Ok(Arc::clone(tree)),
                rest => tree.subtree(rest).map_err(|error| outside(at, error)),
            };
        }
        let base = self.base.subtree(directory)?;
        let mounts: BTreeMap<_, _> = self
            .mounts
            .iter()
            .filter_map(|(at, tree)| {
                let rest = at.strip_prefix(directory)?.strip_prefix('/')?;
                Some((rest.to_owned(), Arc::clone(tree)))
            })
            .collect();
        Ok(if mounts.is_empty() { base } else { Arc::new(Self { base, mounts }) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory_tree::MemoryTree;
    use super::*;

    fn joined() -> Joined {
        let inner = MemoryTree::new(&[("deep/file", "inner"), ("top", "t")]);
        let base = MemoryTree::new(&[("a", "1"), ("libs/z", "2")])
            .submodule("libs/sub")
            .submodule("other");
        let tree: Arc<dyn SourceTree> = Arc::new(inner);
        Joined::new(Arc::new(base), BTreeMap::from([("libs/sub".to_owned(), tree)]))
    }

    fn walked(tree: &dyn SourceTree) -> Vec<String> {
        let mut lines = Vec::new();
        tree.walk(&mut |entry, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            lines.push(format!("{} {:?} {text}", entry.path, entry.kind));
            Ok(())
        })
        .unwrap();
        lines
    }

    #[test]
    fn files_of_a_submodule_stand_in_its_place() {
        let tree = joined();
        assert_eq!(
            walked(&tree),
            [
                "a File { executable: false } 1",
                "libs Directory ",
                "libs/sub Directory ",
                "libs/sub/deep Directory ",
                "libs/sub/deep/file File { executable: false } inner",
                "libs/sub/top File { executable: false } t",
                "libs/z File { executable: false } 2",
                "other Submodule ",
            ]
        );
        assert_eq!(tree.read("libs/sub/deep/file", 10).unwrap().unwrap(), b"inner");
        assert_eq!(tree.read("libs/sub", 10).unwrap(), None);
        assert_eq!(tree.read("libs/subway", 10).unwrap(), None);
        let list = tree.list("libs/sub").unwrap();
        assert_eq!(list[0].path, "libs/sub/deep");
        assert_eq!(tree.list("libs").unwrap()[0].kind, EntryKind::Directory);
        let file = Some(EntryKind::File { executable: false });
        for (path, kind) in [
            ("libs/sub", Some(EntryKind::Directory)),
            ("libs/sub/deep/file", file),
            ("libs/sub/none", None),
            ("libs/z", file),
            ("other", Some(EntryKind::Submodule)),
            ("other/x", None),
        ] {
            assert_eq!(tree.kind(path).unwrap(), kind, "{path}");
        }
        assert_eq!(tree.subtree("libs").unwrap().read("sub/top", 9).unwrap().unwrap(), b"t");
        assert_eq!(
            tree.subtree("libs/sub/deep").unwrap().read("file", 9).unwrap().unwrap(),
            b"inner"
        );
        let missing = tree.subtree("libs/sub/none").err().unwrap();
        assert!(missing.to_string().contains("libs/sub/none"), "{missing}");
        let large = tree.read("libs/sub/deep/file", 2).unwrap_err();
        assert!(large.to_string().contains("libs/sub/deep/file"), "{large}");
    }

    #[test]
    fn a_visitor_that_stops_ends_the_walk_within_a_submodule() {
        let mut seen = 0;
        let stopped = joined().walk(&mut |entry, _| {
            seen += 1;
            if entry.path == "libs/sub/deep" { Err(io::Error::other("enough")) } else { Ok(()) }
        });
        assert!(matches!(stopped, Err(TreeError::Stopped(text)) if text == "enough"));
        assert_eq!(seen, 4);
    }
}
