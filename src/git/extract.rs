//! A directory of a commit as files on disk, for static sites.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::source_tree::Content;
use super::{Entry, EntryKind, SourceTree, TreeError};

/// What an extraction may take.
#[derive(Clone, Copy, Debug)]
pub struct ExtractLimits {
    pub files: usize,
    pub bytes: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    pub files: usize,
    pub bytes: u64,
    /// Files and links that were left out: dot files, symbolic links, submodules.
    pub skipped: usize,
}

/// Why a directory could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("The site has more than {0} files.")]
    TooManyFiles(usize),
    #[error("The site is larger than {} MB.", .0 / 1_000_000)]
    TooLarge(u64),
    #[error("The site could not be written: {}.", .0.kind())]
    Io(#[from] io::Error),
}

/// Writes the regular files below `directory` (`""` is the root) of a commit into `target`, which must not exist yet.
/// Files are 0644; names that start with a dot, links and submodules are skipped (`.well-known` at the top is kept).
/// After an error nothing is left of `target`. Blocks.
pub fn extract(
    tree: &dyn SourceTree,
    directory: &str,
    target: &Path,
    limits: ExtractLimits,
) -> Result<Extracted, ExtractError> {
    let below;
    let tree = if directory.is_empty() {
        tree
    } else {
        below = tree.subtree(directory)?;
        below.as_ref()
    };
    if let Some(parent) = target.parent() {
        make_directory(parent)?;
    }
    fs::DirBuilder::new().mode(0o755).create(target)?;
    let written = write_all(tree, target, limits);
    if written.is_err() {
        // The error at hand says more than one of cleaning up.
        let _ = fs::remove_dir_all(target);
    }
    written
}

fn write_all(
    tree: &dyn SourceTree,
    target: &Path,
    limits: ExtractLimits,
) -> Result<Extracted, ExtractError> {
    let mut done = Extracted::default();
    let mut fault = None;
    let walked = tree.walk(&mut |entry, content| {
        write_entry(entry, content, target, limits, &mut done).map_err(|error| {
            fault = Some(error);
            io::Error::other("stopped")
        })
    });
    match (fault, walked) {
        // A tree that cannot be read shows as a failed copy first.
        (Some(ExtractError::Io(_)), Err(error)) if !matches!(error, TreeError::Stopped(_)) => {
            Err(error.into())
        }
        (Some(fault), _) => Err(fault),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(())) => Ok(done),
    }
}

fn write_entry(
    entry: &Entry,
    content: &mut dyn Content,
    target: &Path,
    limits: ExtractLimits,
    done: &mut Extracted,
) -> Result<(), ExtractError> {
    let hidden = entry
        .path
        .split('/')
        .enumerate()
        .any(|(depth, part)| part.starts_with('.') && !(depth == 0 && part == ".well-known"));
    match entry.kind {
        EntryKind::Directory => return Ok(()),
        EntryKind::File { .. } if !hidden => {}
        EntryKind::File { .. } | EntryKind::Symlink | EntryKind::Submodule => {
            done.skipped += 1;
            return Ok(());
        }
    }
    done.files += 1;
    done.bytes += content.size()?;
    if done.files > limits.files {
        return Err(ExtractError::TooManyFiles(limits.files));
    }
    if done.bytes > limits.bytes {
        return Err(ExtractError::TooLarge(limits.bytes));
    }
    let path = target.join(&entry.path);
    if let Some(parent) = path.parent() {
        make_directory(parent)?;
    }
    // Everything below `target` was made here, so no link can stand in the way.
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path)?;
    io::copy(content, &mut file)?;
    Ok(())
}

fn make_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::memory_tree::MemoryTree;

    const LIMITS: ExtractLimits = ExtractLimits { files: 10, bytes: 1000 };

    #[test]
    fn regular_files_of_the_directory_are_written() {
        let tree = MemoryTree::new(&[
            ("public/index.html", "<p>"),
            ("public/a/b.css", "css"),
            ("public/.env", "secret"),
            ("public/.well-known/x", "ok"),
            ("public/a/.well-known/x", "no"),
            ("secret", "no"),
        ])
        .link("public/link", "/etc/passwd")
        .link("public/dir", "/");
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("site");
        let done = extract(&tree, "public", &target, LIMITS).unwrap();
        assert_eq!(done, Extracted { files: 3, bytes: 8, skipped: 4 });
        assert_eq!(fs::read_to_string(target.join("a/b.css")).unwrap(), "css");
        assert_eq!(fs::read_to_string(target.join(".well-known/x")).unwrap(), "ok");
        assert!(!target.join("link").exists() && !target.join(".env").exists());
    }

    #[test]
    fn limits_leave_nothing_behind() {
        let tree = MemoryTree::new(&[("a", "12345"), ("b", "12345")]);
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("site");
        let few = ExtractLimits { files: 1, ..LIMITS };
        assert!(matches!(extract(&tree, "", &target, few), Err(ExtractError::TooManyFiles(1))));
        assert!(!target.exists());
        let small = ExtractLimits { bytes: 9, ..LIMITS };
        assert!(matches!(extract(&tree, "", &target, small), Err(ExtractError::TooLarge(9))));
        assert!(matches!(
            extract(&tree, "none", &target, LIMITS),
            Err(ExtractError::Tree(TreeError::NotFound(_)))
        ));
        assert!(!target.exists());
    }
}
