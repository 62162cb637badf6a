//! The mirrors that are kept, and removing one that nobody needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::KeptMirror;
use crate::model::timestamp::Timestamp;

/// Every mirror below the directory: of public repositories, and one level deeper those that belong to a project.
pub(super) fn list(mirrors: &Path) -> Vec<KeptMirror> {
    let mut all = Vec::new();
    for path in directories(mirrors) {
        if path.extension().is_some() {
            all.extend(mirror(mirrors, path));
        } else {
            all.extend(directories(&path).into_iter().filter_map(|path| mirror(mirrors, path)));
        }
    }
    all
}

/// A mirror with the large files beside it; `None` for anything else.
fn mirror(mirrors: &Path, path: PathBuf) -> Option<KeptMirror> {
    if path.extension()? != "git" {
        return None;
    }
    let name = path.strip_prefix(mirrors).ok()?.to_str()?.to_owned();
    let used = fs::metadata(&path).and_then(|meta| meta.modified()).unwrap_or(UNIX_EPOCH);
    Some(KeptMirror { name, used_at: timestamp(used), paths: paths(&path) })
}

/// Where a mirror and what belongs to it are.
fn paths(path: &Path) -> Vec<PathBuf> {
    ["git", "lfs", "old", "new"].into_iter().map(|end| path.with_extension(end)).collect()
}

/// Removes a mirror whose lock is held. Answers whether nothing is left.
pub(super) fn remove(path: &Path) -> bool {
    paths(path).into_iter().all(|path| match fs::remove_dir_all(path) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    })
}

/// Says that a mirror was used just now.
pub(super) fn touch(path: &Path) {
    // Without it the mirror is only removed earlier.
    let _ = fs::File::open(path).and_then(|directory| directory.set_modified(SystemTime::now()));
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(directory).map(|entry| entry.path()).collect()
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
