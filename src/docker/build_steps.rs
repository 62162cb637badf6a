//! Where the engine keeps the control groups of a build's steps.

use std::fs;
use std::path::{Path, PathBuf};

/// Directories looked into in one search.
const SEARCHED: usize = 2000;

/// The directories in which BuildKit makes a group for each step: `<parent>/buildkit/<step>`, or with systemd as the
/// engine's driver `system.slice:docker:<step>` somewhere near the top.
pub fn parents(root: &Path) -> Vec<PathBuf> {
    let top =
        if root.join("cgroup.controllers").exists() { root.to_owned() } else { root.join("pids") };
    let (mut found, mut looked) = (Vec::new(), 0);
    let mut level = vec![top];
    for _ in 0..4 {
        let mut next = Vec::new();
        for directory in level {
            if looked >= SEARCHED {
                return found;
            }
            looked += 1;
            let below = directories(&directory);
            let holds_steps = directory.file_name().is_some_and(|name| name == "buildkit")
                || below.iter().any(|path| is_systemd_step(path));
            if holds_steps {
                found.push(directory);
            } else {
                next.extend(below);
            }
        }
        level = next;
    }
    found
}

/// The groups of steps in such a directory.
pub fn groups(parent: &Path) -> Vec<PathBuf> {
    let mut found = directories(parent);
    if parent.file_name().is_none_or(|name| name != "buildkit") {
        found.retain(|path| is_systemd_step(path));
    }
    found
}

/// The engine's name of the step that has this group.
pub fn name(group: &Path) -> Option<&str> {
    group.file_name()?.to_str()?.rsplit(':').next()
}

fn is_systemd_step(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.contains(".slice:docker:"))
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_where_each_driver_makes_them() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["pids/docker/buildkit/abc", "pids/docker/0123", "pids/system.slice/x"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let found = parents(root.path());
        assert_eq!(found, [root.path().join("pids/docker/buildkit")]);
        assert_eq!(groups(&found[0]), [root.path().join("pids/docker/buildkit/abc")]);
        assert_eq!(name(&groups(&found[0])[0]), Some("abc"));

        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cgroup.controllers"), "cpu memory pids").unwrap();
        for directory in ["system.slice/system.slice:docker:abc", "system.slice/ssh.service"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let found = parents(root.path());
        assert_eq!(found, [root.path().join("system.slice")]);
        assert_eq!(groups(&found[0]), [found[0].join("system.slice:docker:abc")]);
        assert_eq!(name(&groups(&found[0])[0]), Some("abc"));
    }
}
