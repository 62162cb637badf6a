//! Which files are different in two commits.

use std::collections::BTreeMap;

use super::object_store::{Kind, ObjectStore};
use super::objects::{Mode, ObjectId, entries};
use super::tree::MOST_DEPTH;

/// Most paths that are named.
const MOST_CHANGED: usize = 10_000;

/// What was before, and what is now.
type Pair<T> = (Option<T>, Option<T>);

/// Gathers the paths of what is different in two directories; `None` when there are too many, or something is not here.
pub(super) fn differences(
    store: &ObjectStore,
    trees: Pair<ObjectId>,
    path: &str,
    depth: usize,
    found: &mut Vec<String>,
) -> Option<()> {
    if depth >= MOST_DEPTH {
        return None;
    }
    let mut both: BTreeMap<Vec<u8>, Pair<(Mode, ObjectId)>> = BTreeMap::new();
    for (is_new, tree) in [(false, trees.0), (true, trees.1)] {
        let Some(tree) = tree else { continue };
        let object = store.read(tree, Kind::Tree).ok()?;
        for entry in entries(object.data()) {
            let entry = entry.ok()?;
            let pair = both.entry(entry.name.to_vec()).or_default();
            *(if is_new { &mut pair.1 } else { &mut pair.0 }) = Some((entry.mode, entry.id));
        }
    }
    for (name, (old, new)) in both {
        if old == new {
            continue;
        }
        let name = String::from_utf8_lossy(&name);
        let path = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
        let directory = |entry: Option<(Mode, ObjectId)>| {
            entry.filter(|(mode, _)| *mode == Mode::Directory).map(|(_, id)| id)
        };
        let (from, to) = (directory(old), directory(new));
        if from.is_some() || to.is_some() {
            differences(store, (from, to), &path, depth + 1, found)?;
        }
        // A file, also one in whose place a directory is now.
        let is_file = |entry: Option<(Mode, ObjectId)>| {
            entry.is_some_and(|(mode, _)| mode != Mode::Directory)
        };
        if is_file(old) || is_file(new) {
            if found.len() >= MOST_CHANGED {
                return None;
            }
            found.push(path);
        }
    }
    Some(())
}
