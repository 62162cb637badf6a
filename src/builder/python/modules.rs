//! Python files of a tree, and the names they are imported by.

use super::app::is_identifier;
use crate::builder::{DetectError, Project};
use crate::git::EntryKind;

/// Files that are looked at at most, and directories.
const MOST_FILES: usize = 200;
const MOST_DIRECTORIES: usize = 60;
/// How deep directories are looked into.
const DEPTH: usize = 3;

/// Names of files that usually have the application, the most usual first.
const FILES: &[&str] = &[
    "main",
    "app",
    "wsgi",
    "asgi",
    "server",
    "application",
    "api",
    "index",
    "run",
    "start",
    "__init__",
];

/// Names of directories that usually have it.
const DIRECTORIES: &[&str] = &["app", "src", "api", "backend", "server", "web"];

/// Directories that have no application that is meant to be served.
const PASSED_OVER: &[&str] = &[
    "tests",
    "test",
    "testing",
    "docs",
    "doc",
    "examples",
    "example",
    "scripts",
    "migrations",
    "alembic",
    "static",
    "templates",
    "node_modules",
    "venv",
    "env",
    "dist",
    "build",
    "site-packages",
    "locale",
    "fixtures",
    "notebooks",
    "data",
    "assets",
    "public",
];

/// A module and where Python has to look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Module {
    /// `shop.web`.
    pub name: String,
    /// Directory that is put on the path; `None` is the root.
    pub directory: Option<String>,
    /// The file.
    pub path: String,
}

impl Module {
    /// The module of a file; `None` when it cannot be imported.
    pub fn of(project: &Project<'_>, path: &str, text: &str) -> Result<Option<Self>, DetectError> {
        let mut parts: Vec<&str> = path.strip_suffix(".py").unwrap_or(path).split('/').collect();
        if parts.last() == Some(&"__init__") {
            parts.pop();
        }
        let Some((top, rest)) = parts.split_first() else { return Ok(None) };
        let at_root = Self { name: parts.join("."), directory: None, path: path.to_owned() };
        if rest.is_empty() {
            return Ok(is_identifier(top).then_some(at_root));
        }
        if !rest.iter().all(|part| is_identifier(part)) {
            return Ok(None);
        }
        let below = Self {
            name: rest.join("."),
            directory: Some((*top).to_owned()),
            path: path.to_owned(),
        };
        if !is_identifier(top) {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let usable = top.chars().all(plain) && !top.starts_with(['-', '.']);
            return Ok(usable.then_some(below));
        }
        // A directory is a package when it says so, or when its own files import it by its name.
        let imports = text.lines().any(|line| {
            let line = line.trim_start();
            let of = ["from ", "import "].iter().find_map(|word| line.strip_prefix(word));
            of.is_some_and(|of| {
                let name = of.split([' ', '.', ',']).next().unwrap_or_default();
                name == *top || (rest.len() == 1 && of.starts_with('.'))
            })
        });
        let is_package = imports || project.is_file(&format!("{top}/__init__.py"))?;
        Ok(Some(if is_package { at_root } else { below }))
    }
}

/// Files in which to look, the likeliest first.
pub(super) fn candidates(project: &Project<'_>) -> Result<Vec<String>, DetectError> {
    let mut files = Vec::new();
    let mut level = vec![(String::new(), project.entries.clone())];
    let mut directories = 0;
    for depth in 0..=DEPTH {
        let mut below: Vec<String> = Vec::new();
        for (_, entries) in &level {
            let mut here: Vec<&str> = Vec::new();
            for entry in entries {
                let name = entry.path.rsplit('/').next().unwrap_or_default();
                match entry.kind {
                    EntryKind::File { .. } if name.ends_with(".py") => here.push(&entry.path),
                    EntryKind::Directory
                        if !name.starts_with(['.', '_', '-']) && !PASSED_OVER.contains(&name) =>
                    {
                        below.push(entry.path.clone());
                    }
                    _ => {}
                }
            }
            here.sort_by_key(|path| rank(FILES, path));
            files.extend(here.into_iter().map(str::to_owned));
            if files.len() >= MOST_FILES {
                files.truncate(MOST_FILES);
                return Ok(files);
            }
        }
        if depth == DEPTH {
            break;
        }
        below.sort_by_key(|path| rank(DIRECTORIES, path));
        below.truncate(MOST_DIRECTORIES - directories);
        directories += below.len();
        level = Vec::new();
        for directory in below {
            let entries = project.tree.list(&directory)?;
            level.push((directory, entries));
        }
    }
    Ok(files)
}

fn rank(known: &[&str], path: &str) -> usize {
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".py").unwrap_or(name);
    known.iter().position(|known| *known == name).unwrap_or(known.len())
}
