//! A commit's files with the content of Git LFS files in the place of their pointers.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use super::source_tree::{Content, Entry, EntryKind, SourceTree, TreeError};

/// Content outside the repository.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub file: PathBuf,
    pub size: u64,
}

/// A tree in which some files have other content.
pub(super) struct LfsTree {
    base: Arc<dyn SourceTree>,
    /// By path from the root of the commit.
    contents: Arc<HashMap<String, Stored>>,
    /// What leads from that root to the root of this tree, with `/` at its end where it is not empty.
    prefix: String,
}

impl LfsTree {
    pub fn new(base: Arc<dyn SourceTree>, contents: HashMap<String, Stored>) -> Self {
        Self { base, contents: Arc::new(contents), prefix: String::new() }
    }

    fn content(&self, path: &str) -> Option<&Stored> {
        if self.prefix.is_empty() {
            return self.contents.get(path);
        }
        self.contents.get(&format!("{}{path}", self.prefix))
    }
}

fn open(path: &str, content: &Stored) -> Result<io::Take<File>, TreeError> {
    let gone = || TreeError::Broken(format!("the content of the Git LFS file `{path}` is gone"));
    let file = File::open(&content.file).map_err(|_| gone())?;
    if file.metadata().map_or(0, |meta| meta.len()) != content.size {
        return Err(gone());
    }
    Ok(file.take(content.size))
}

impl SourceTree for LfsTree {
    fn list(&self, directory: &str) -> Result<Vec<Entry>, TreeError> {
        self.base.list(directory)
    }

    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        self.base.kind(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(content) = self.content(path) else {
            return self.base.read(path, limit);
        };
        if content.size > limit {
            return Err(TreeError::TooLarge(path.to_owned(), limit));
        }
        let mut bytes = Vec::new();
        let read = open(path, content)?.read_to_end(&mut bytes);
        read.map_err(|error| TreeError::Broken(error.kind().to_string()))?;
        Ok(Some(bytes))
    }

    fn walk(
        &self,
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        let mut fault = None;
        let walked = self.base.walk(&mut |entry, bytes| {
            let Some(content) = self.content(&entry.path) else {
                return visit(entry, bytes);
            };
            let mut file = Lazy { path: &entry.path, content, open: None, fault: None };
            let visited = visit(entry, &mut file);
            fault = file.fault;
            visited
        });
        match fault {
            Some(fault) => Err(fault),
            None => walked,
        }
    }

    fn subtree(&self, directory: &str) -> Result<Arc<dyn SourceTree>, TreeError> {
        let base = self.base.subtree(directory)?;
        let prefix = if directory.is_empty() {
            self.prefix.clone()
        } else {
            format!("{}{directory}/", self.prefix)
        };
        Ok(Arc::new(Self { base, contents: Arc::clone(&self.contents), prefix }))
    }
}

/// Content that is opened when it is first read: what `.dockerignore` leaves out costs nothing.
struct Lazy<'a> {
    path: &'a str,
    content: &'a Stored,
    open: Option<io::Take<File>>,
    fault: Option<TreeError>,
}

impl Content for Lazy<'_> {
    fn size(&mut self) -> io::Result<u64> {
        Ok(self.content.size)
    }
}

impl Read for Lazy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.open {
            return file.read(buffer);
        }
        match open(self.path, self.content) {
            Ok(file) => self.open.insert(file).read(buffer),
            Err(error) => {
                self.fault = Some(error.clone());
                Err(io::Error::other(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory_tree::MemoryTree;
    use super::*;

    #[test]
    fn content_stands_in_the_place_of_the_pointer() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("object");
        std::fs::write(&file, "large content").unwrap();
        let base = MemoryTree::new(&[("app/img/a.png", "pointer"), ("app/b", "b")]);
        let content = Stored { file: file.clone(), size: 13 };
        let contents = HashMap::from([("app/img/a.png".to_owned(), content)]);
        let tree = LfsTree::new(Arc::new(base), contents);
        assert_eq!(tree.read("app/img/a.png", 99).unwrap().unwrap(), b"large content");
        assert!(matches!(tree.read("app/img/a.png", 5), Err(TreeError::TooLarge(_, 5))));
        assert_eq!(tree.read("app/b", 9).unwrap().unwrap(), b"b");
        let below = tree.subtree("app").unwrap().subtree("img").unwrap();
        assert_eq!(below.list("").unwrap()[0].path, "a.png");
        assert_eq!(below.kind("a.png").unwrap(), Some(EntryKind::File { executable: false }));
        assert_eq!(below.kind("b").unwrap(), None);
        let mut seen = String::new();
        below
            .walk(&mut |entry, bytes| {
                seen = format!("{} {} ", entry.path, bytes.size()?);
                bytes.read_to_string(&mut seen)?;
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, "a.png 13 large content");
        std::fs::remove_file(&file).unwrap();
        let gone = below.walk(&mut |_, bytes| io::copy(bytes, &mut io::sink()).map(|_| ()));
        assert!(gone.unwrap_err().to_string().contains("`a.png` is gone"));
    }
}
