//! Workspaces: several packages in one repository that share one lock file.

use std::sync::Arc;

use serde_json::Value;

use super::super::{DetectError, Project};
use super::package::Package;
use crate::git::{EntryKind, SourceTree};

/// Most packages whose files are copied one by one; each is a layer of the build.
const MOST_COPIED: usize = 40;
/// Most directories that patterns are compared with. Beyond it all members are copied before the installation, as they
/// are beyond [`MOST_COPIED`].
const MOST_DIRECTORIES: usize = 1_000;
/// Most patterns.
const MOST_PATTERNS: usize = 100;
/// Deepest directory that `**` reaches.
const DEEPEST: usize = 6;
/// Largest `package.json` of a member that is read, in bytes.
const READ_LIMIT: u64 = 256 * 1024;

/// The members of a workspace.
#[derive(Clone, Debug, Default)]
pub(super) struct Workspace {
    /// Their directories below the root, in order.
    pub members: Vec<String>,
    /// Whether an installation reads more of the members than their `package.json`, or more than could be looked at.
    pub needs_sources: bool,
    /// Whether a member has scripts that run while it is installed.
    pub has_install_scripts: bool,
}

impl Workspace {
    /// Reads the workspace that this directory is the root of.
    pub fn read(project: &Project<'_>, package: &Package) -> Result<Option<Self>, DetectError> {
        let patterns = patterns(project, package)?;
        if patterns.is_empty() {
            return Ok(None);
        }
        let mut workspace = Self::default();
        let Some(directories) = matching(project.tree, &patterns)? else {
            workspace.needs_sources = true;
            workspace.has_install_scripts = true;
            return Ok(Some(workspace));
        };
        for directory in directories {
            let path = format!("{directory}/package.json");
            let Ok(Some(bytes)) = project.tree.read(&path, READ_LIMIT) else {
                continue;
            };
            let member =
                std::str::from_utf8(&bytes).ok().and_then(|text| Package::parse(text).ok());
            let scripts = member.as_ref().is_none_or(Package::has_install_scripts);
            workspace.has_install_scripts |= scripts;
            workspace.needs_sources |= scripts
                || member.is_none_or(|member| member.has_local_dependencies())
                || !is_plain(&directory);
            workspace.members.push(directory);
        }
        workspace.needs_sources |= workspace.members.len() > MOST_COPIED;
        Ok(Some(workspace))
    }
}

/// A project that is a member of a workspace whose root lies above it in the repository.
pub(super) struct Home {
    /// The workspace's directory in the repository.
    pub context: String,
    /// Its tree; not set when it is the whole repository.
    pub tree: Option<Arc<dyn SourceTree>>,
    /// The project's directory in the workspace.
    pub directory: String,
}

impl Home {
    /// Finds the workspace, when the project has no lock file of its own.
    pub fn find(project: &Project<'_>, locks: &[&str]) -> Result<Option<Self>, DetectError> {
        let (Some(repository), Some(path)) =
            (project.repository, super::super::set(&project.overrides.root_directory))
        else {
            return Ok(None);
        };
        let path = path.trim_matches('/');
        if !is_plain(path) || locks.iter().any(|lock| project.has_file(lock)) {
            return Ok(None);
        }
        let mut above = path;
        while !above.is_empty() {
            above = above.rsplit_once('/').map_or("", |(parent, _)| parent);
            let directory = path[above.len()..].trim_matches('/').to_owned();
            let listed = repository.list(above)?;
            let is_root =
                listed.iter().any(|entry| entry.path.rsplit('/').next() == Some("package.json"));
            if !is_root {
                continue;
            }
            let tree = match above {
                "" => None,
                _ => Some(repository.subtree(above)?),
            };
            let root: &dyn SourceTree = tree.as_deref().unwrap_or(repository);
            let entries = root.list("")?;
            let root =
                Project { tree: root, overrides: project.overrides, entries, repository: None };
            let Ok(package) = Package::read(&root) else {
                continue;
            };
            if is_member(root.tree, &patterns(&root, &package)?, &directory)? {
                return Ok(Some(Self { context: above.to_owned(), tree, directory }));
            }
        }
        Ok(None)
    }
}

/// Whether a path can stand in a Dockerfile as it is.
pub(super) fn is_plain(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 200
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./@+".contains(&b))
        && path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.starts_with('-'))
}

fn patterns(project: &Project<'_>, package: &Package) -> Result<Vec<String>, DetectError> {
    if project.has_file("pnpm-workspace.yaml") {
        let text = project.text("pnpm-workspace.yaml")?.unwrap_or_default();
        return Ok(yaml_list(&text, "packages"));
    }
    let list = package.value("workspaces");
    let list =
        list.and_then(|value| value.as_array().or_else(|| value.get("packages")?.as_array()));
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    Ok(texts.map(str::to_owned).collect())
}

/// A list of texts at the top of a YAML file, in either way of writing one.
fn yaml_list(text: &str, key: &str) -> Vec<String> {
    let clean = |item: &str| {
        let item = item.split(" #").next().unwrap_or(item).trim();
        item.trim_matches(['"', '\'']).to_owned()
    };
    let mut lines = text.lines();
    let head =
        lines.by_ref().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'));
    let Some(head) = head.map(str::trim) else {
        return Vec::new();
    };
    if let Some(flow) = head.strip_prefix('[') {
        let flow = flow.split(']').next().unwrap_or_default();
        return flow.split(',').map(clean).filter(|item| !item.is_empty()).collect();
    }
    let blank = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let items = lines.filter(|line| !blank(line));
    items.map_while(|line| line.trim_start().strip_prefix("- ")).map(clean).collect()
}

fn components(pattern: &str) -> Vec<String> {
    let parts = pattern.trim_start_matches("./").split('/');
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Whether the patterns name this directory, however many others they name, and it has a `package.json`.
fn is_member(
    tree: &dyn SourceTree,
    patterns: &[String],
    directory: &str,
) -> Result<bool, DetectError> {
    let path: Vec<&str> = directory.split('/').collect();
    let named = |pattern: &str| fits(&path, &components(pattern));
    let is_named = patterns.len() <= MOST_PATTERNS
        && patterns.iter().any(|pattern| !pattern.starts_with('!') && named(pattern))
        && !patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(named);
    let package = format!("{directory}/package.json");
    Ok(is_named && matches!(tree.kind(&package)?, Some(EntryKind::File { .. })))
}

/// Directories with a `package.json` that the patterns name; `None` when there are too many to look at.
fn matching(
    tree: &dyn SourceTree,
    patterns: &[String],
) -> Result<Option<Vec<String>>, DetectError> {
    if patterns.len() > MOST_PATTERNS {
        return Ok(None);
    }
    let (mut found, mut left) = (Vec::new(), MOST_DIRECTORIES);
    for pattern in patterns.iter().filter(|pattern| !pattern.starts_with('!')) {
        if !collect(tree, "", &components(pattern), 0, &mut left, &mut found)? {
            return Ok(None);
        }
    }
    for pattern in patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')) {
        let parts = components(pattern);
        found.retain(|directory: &String| !fits(&directory.split('/').collect::<Vec<_>>(), &parts));
    }
    found.sort();
    found.dedup();
    Ok(Some(found))
}

/// Walks along a pattern. `false` says that the limit is reached.
fn collect(
    tree: &dyn SourceTree,
    directory: &str,
    pattern: &[String],
    depth: usize,
    left: &mut usize,
    found: &mut Vec<String>,
) -> Result<bool, DetectError> {
    let Some(next) = left.checked_sub(1) else {
        return Ok(false);
    };
    *left = next;
    let Ok(entries) = tree.list(directory) else {
        return Ok(true);
    };
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let Some((part, rest)) = pattern.split_first() else {
        let has_package = entries.iter().any(|entry| {
            name(&entry.path) == "package.json" && matches!(entry.kind, EntryKind::File { .. })
        });
        if has_package && !directory.is_empty() {
            found.push(directory.to_owned());
        }
        return Ok(true);
    };
    if part == "**" && !collect(tree, directory, rest, depth, left, found)? {
        return Ok(false);
    }
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Directory) {
        let own = name(&entry.path);
        let goes_on = if part == "**" {
            own != "node_modules" && depth < DEEPEST
        } else {
            part_fits(&own, part)
        };
        let rest = if part == "**" { pattern } else { rest };
        if goes_on && !collect(tree, &entry.path, rest, depth + 1, left, found)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn fits(path: &[&str], pattern: &[String]) -> bool {
    // How many components the pattern up to here may stand for; a search that tries and goes back would take for ever
    // with many `**`.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for part in pattern {
        if part == "**" {
            let first = reached.iter().position(|at| *at).unwrap_or(reached.len());
            reached[first..].fill(true);
        } else {
            for at in (0..path.len()).rev() {
                reached[at + 1] = reached[at] && part_fits(path[at], part);
            }
            reached[0] = false;
        }
    }
    reached[path.len()]
}

/// One component, in which one `*` stands for anything.
fn part_fits(own: &str, part: &str) -> bool {
    match part.split_once('*') {
        Some((start, end)) => {
            own.len() >= start.len() + end.len()
                && own.starts_with(start)
                && own.ends_with(end)
                && !own.starts_with('.')
        }
        None => own == part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::memory_tree::MemoryTree;

    fn matches(path: &str, pattern: &str) -> bool {
        fits(&path.split('/').collect::<Vec<_>>(), &components(pattern))
    }

    #[test]
    fn patterns_name_directories_as_package_managers_read_them() {
        for (path, pattern) in [
            ("packages/a", "packages/*"),
            ("packages/a", "./packages/a/"),
            ("packages/ui-kit", "packages/ui-*"),
            ("a/b/c", "**"),
            ("a/b/c", "a/**"),
            ("a", "a/**"),
            ("a/b/c", "**/c"),
            ("a/x/b/y/c", "a/**/b/**/c"),
            ("a/b/c", "a/**/**/c"),
        ] {
            assert!(matches(path, pattern), "{path} {pattern}");
        }
        for (path, pattern) in [
            ("packages/a/b", "packages/*"),
            ("packages", "packages/*"),
            ("packages/.a", "packages/*"),
            ("a/b", "**/c"),
            ("a/c/b", "a/**/b/**/c"),
            ("b/a", "a/**"),
        ] {
            assert!(!matches(path, pattern), "{path} {pattern}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_answered_at_once() {
        let (path, pattern) = ("a/".repeat(100) + "b", "**/a/".repeat(50) + "c");
        assert!(!matches(&path, &pattern));
        assert!(matches(&path, &("**/a/".repeat(50) + "b")));
    }

    #[test]
    fn a_member_is_one_however_many_others_there_are() {
        let files: Vec<String> = (0..2 * MOST_DIRECTORIES)
            .map(|number| format!("packages/{number}/package.json"))
            .chain(["docs/x/package.json".to_owned(), "packages/none/index.js".to_owned()])
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|path| (path.as_str(), "{}")).collect();
        let tree = MemoryTree::new(&files);
        let patterns: Vec<String> = ["packages/*", "!packages/7"].map(str::to_owned).into();
        for (directory, expected) in [
            ("packages/1500", true),
            ("packages/7", false),
            ("packages/none", false),
            ("docs/x", false),
        ] {
            let is = is_member(&tree, &patterns, directory).unwrap();
            assert_eq!(is, expected, "{directory}");
        }
        let many = vec!["packages/*".to_owned(); MOST_PATTERNS + 1];
        assert!(!is_member(&tree, &many, "packages/1").unwrap());
        assert!(matching(&tree, &many).unwrap().is_none());
        assert!(matching(&tree, &patterns).unwrap().is_none());
        let few = matching(&tree, &["docs/*".to_owned()]).unwrap();
        assert_eq!(few.unwrap(), ["docs/x"]);
    }
}
