//! Directories of a commit: naming what they hold, and paths that users give.

use super::DetectError;
use crate::git::{Entry, EntryKind};

/// Most entries that are named one by one.
const MOST_NAMED: usize = 10;

/// `It holds: README.md, docs/ and 3 more.`
pub(super) fn describe(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "It is empty.".to_owned();
    }
    let named: Vec<String> = entries
        .iter()
        .take(MOST_NAMED)
        .map(|entry| {
            let name = entry.path.rsplit('/').next().unwrap_or(&entry.path);
            let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
            match entry.kind {
                EntryKind::Directory | EntryKind::Submodule => format!("{name}/"),
                EntryKind::File { .. } | EntryKind::Symlink => name,
            }
        })
        .collect();
    match entries.len() - named.len() {
        0 => format!("It holds: {}.", named.join(", ")),
        more => format!("It holds: {} and {more} more.", named.join(", ")),
    }
}

/// A path below the root, as it is written in trees: relative, normal components only. `./a/` is read as `a`.
pub(super) fn relative(setting: &str, path: &str) -> Result<String, DetectError> {
    let refused = || {
        let shown: String = path.chars().filter(|c| !c.is_control()).take(100).collect();
        DetectError::Invalid(format!(
            "The {setting} `{shown}` is not a path inside the repository: it must be relative and without `..`."
        ))
    };
    let trimmed = path.strip_prefix("./").unwrap_or(path);
    let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
    if trimmed == "." {
        return Ok(String::new());
    }
    let fits = path.len() <= 1024
        && !path.contains(['\\', '%', '~'])
        && !path.chars().any(char::is_control)
        && trimmed
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git"));
    if fits { Ok(trimmed.to_owned()) } else { Err(refused()) }
}
