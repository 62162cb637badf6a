//! A folder of this machine as a [`SourceTree`], for plans that are made without a server.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::source_tree::{Content, Entry, EntryKind, SourceTree, TreeError};

/// Most files and directories that are looked at.
pub const MOST_ENTRIES: usize = 100_000;
const MOST_DEPTH: usize = 128;

/// Directories that are never committed: they are made by tools from what is.
const LEFT_OUT: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".jj",
    "node_modules",
    ".venv",
    "__pycache__",
    ".tox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".gradle",
    ".next",
    ".nuxt",
    ".svelte-kit",
    "bower_components",
];

/// A folder. Symbolic links are named and not followed.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// Shared by the folders below this one.
    seen: Arc<AtomicUsize>,
}

impl Folder {
    /// Opens a folder; the path itself may be a link.
    ///
    /// # Errors
    /// There is no directory of this name, or it cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let root = path.canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Self { root, seen: Arc::default() })
    }

    /// What a path leads to, with no link on the way.
    fn find(&self, path: &str) -> Result<Option<(PathBuf, Metadata)>, TreeError> {
        let mut found = self.root.clone();
        let mut metadata = stat(&found)?;
        if path.is_empty() {
            return Ok(metadata.map(|metadata| (found, metadata)));
        }
        for part in path.split('/') {
            let inside = metadata.is_some_and(|above| above.is_dir());
            if !inside || matches!(part, "" | "." | "..") || part.contains('\0') {
                return Ok(None);
            }
            found.push(part);
            metadata = stat(&found)?;
        }
        Ok(metadata.map(|metadata| (found, metadata)))
    }

    fn entry(&self, directory: &str, entry: &fs::DirEntry) -> Result<Option<Entry>, TreeError> {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Some(metadata) = stat(&entry.path())? else { return Ok(None) };
        let kind = if metadata.is_symlink() {
            EntryKind::Symlink
        } else if metadata.is_dir() && !LEFT_OUT.contains(&&*name) {
            EntryKind::Directory
        } else if metadata.is_file() {
            use std::os::unix::fs::PermissionsExt;
            EntryKind::File { executable: metadata.permissions().mode() & 0o100 != 0 }
        } else {
            // Sockets, devices and what is left out.
            return Ok(None);
        };
        if self.seen.fetch_add(1, Ordering::Relaxed) >= MOST_ENTRIES {
            return Err(TreeError::TooMany(MOST_ENTRIES));
        }
        let path =
            if directory.is_empty() { name.into_owned() } else { format!("{directory}/{name}") };
        Ok(Some(Entry { path, kind }))
    }

    fn walk_directory(
        &self,
        directory: &str,
        depth: usize,
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        if depth >= MOST_DEPTH {
            return Err(TreeError::TooDeep(MOST_DEPTH));
        }
        let stopped = |error: io::Error| TreeError::Stopped(error.to_string());
        for entry in self.list(directory)? {
            let path = self.root.join(&entry.path);
            match entry.kind {
                EntryKind::File { .. } => {
                    let mut file = open(&path).map_err(broken)?;
                    visit(&entry, &mut file).map_err(stopped)?;
                }
                EntryKind::Symlink => {
                    let target = fs::read_link(&path).map_err(broken)?;
                    let target = target.to_string_lossy();
                    let mut target = target.as_bytes();
                    visit(&entry, &mut target).map_err(stopped)?;
                }
                EntryKind::Directory | EntryKind::Submodule => {
                    visit(&entry, &mut io::empty()).map_err(stopped)?;
                    self.walk_directory(&entry.path, depth + 1, visit)?;
                }
            }
        }
        Ok(())
    }
}

impl SourceTree for Folder {
    fn list(&self, directory: &str) -> Result<Vec<Entry>, TreeError> {
        let Some((path, _)) = self.find(directory)?.filter(|(_, found)| found.is_dir()) else {
            return Err(TreeError::NotFound(directory.to_owned()));
        };
        let mut list = Vec::new();
        for entry in fs::read_dir(path).map_err(broken)? {
            list.extend(self.entry(directory, &entry.map_err(broken)?)?);
        }
        list.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        Ok(list)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some((found, _)) = self.find(path)?.filter(|(_, found)| found.is_file()) else {
            return Ok(None);
        };
        let mut content = Vec::new();
        let mut file = open(&found).map_err(broken)?.take(limit.saturating_add(1));
        file.read_to_end(&mut content).map_err(broken)?;
        if content.len() as u64 > limit {
            return Err(TreeError::TooLarge(path.to_owned(), limit));
        }
        Ok(Some(content))
    }

    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        Ok(self.find(path)?.and_then(|(_, found)| {
            if found.is_symlink() {
                Some(EntryKind::Symlink)
            } else if found.is_dir() {
                Some(EntryKind::Directory)
            } else {
                found.is_file().then_some(EntryKind::File { executable: false })
            }
        }))
    }

    fn walk(
        &self,
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> io::Result<()>,
    ) -> Result<(), TreeError> {
        self.walk_directory("", 0, visit)
    }

    fn subtree(&self, directory: &str) -> Result<Arc<dyn SourceTree>, TreeError> {
        match self.find(directory)? {
            Some((root, found)) if found.is_dir() => {
                Ok(Arc::new(Self { root, seen: Arc::clone(&self.seen) }))
            }
            _ => Err(TreeError::NotFound(directory.to_owned())),
        }
    }
}

impl Content for File {
    fn size(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

fn stat(path: &Path) -> Result<Option<Metadata>, TreeError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => Ok(None),
        // A name that no file can have.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidFilename) => Ok(None),
        Err(error) => Err(broken(error)),
    }
}

/// Opens a file that has just been seen to be one; what took its place meanwhile is not followed and not waited for.
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    fs::OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
}

fn broken(error: io::Error) -> TreeError {
    TreeError::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_without_links_and_without_what_tools_made() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        for path in ["src", "node_modules/x", ".git", "target"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        for path in ["a.py", "src/b.py", "node_modules/x/c.js", ".git/config", "target/d"] {
            fs::write(at(path), path).unwrap();
        }
        std::os::unix::fs::symlink("/etc", at("link")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("src/file-link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();

        let tree = Folder::open(directory.path()).unwrap();
        let names = |directory: &str| -> Vec<String> {
            tree.list(directory).unwrap().into_iter().map(|entry| entry.path).collect()
        };
        assert_eq!(names(""), ["a.py", "link", "src", "target"]);
        assert_eq!(names("src"), ["src/b.py", "src/file-link"]);
        assert_eq!(tree.read("src/b.py", 100).unwrap().unwrap(), b"src/b.py");
        for path in [
            "link/passwd",
            "src/file-link",
            "../etc/passwd",
            "src/../a.py",
            "none",
            "a.py/x",
            "/etc/passwd",
            "pipe",
            "a\0b",
            &"x".repeat(5000),
        ] {
            assert_eq!(tree.read(path, 100).unwrap(), None, "{path}");
        }
        assert!(matches!(tree.read("a.py", 3), Err(TreeError::TooLarge(_, 3))));
        assert!(matches!(tree.list("link"), Err(TreeError::NotFound(_))));
        assert_eq!(tree.kind("src").unwrap(), Some(EntryKind::Directory));
        assert_eq!(tree.kind("link").unwrap(), Some(EntryKind::Symlink));
        assert_eq!(tree.kind("pipe").unwrap(), None);
        let mut seen = Vec::new();
        tree.walk(&mut |entry, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            seen.push(format!("{}={text}", entry.path));
            Ok(())
        })
        .unwrap();
        assert_eq!(
            seen,
            [
                "a.py=a.py",
                "link=/etc",
                "src=",
                "src/b.py=src/b.py",
                "src/file-link=/etc/passwd",
                "target=",
                "target/d=target/d"
            ]
        );
        let below = tree.subtree("src").unwrap();
        assert_eq!(below.read("b.py", 100).unwrap().unwrap(), b"src/b.py");
        assert!(tree.subtree("link").is_err() && tree.subtree("none").is_err());
        assert!(Folder::open(&at("a.py")).is_err() && Folder::open(&at("none")).is_err());
    }

    #[test]
    fn a_folder_with_too_much_in_it_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "").unwrap();
        let tree = Folder::open(directory.path()).unwrap();
        tree.seen.store(MOST_ENTRIES, Ordering::Relaxed);
        assert!(matches!(tree.list(""), Err(TreeError::TooMany(MOST_ENTRIES))));
    }
}
