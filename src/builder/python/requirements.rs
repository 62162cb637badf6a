//! `requirements.txt` and the files it includes.

use std::collections::BTreeSet;

use crate::builder::{DetectError, Project};

const FILE: &str = "requirements.txt";
/// Most files that include each other.
const MOST_FILES: usize = 20;

/// What the files list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Requirements {
    /// The files, when nothing else of the project is needed to install.
    pub files: Option<Vec<String>>,
    /// Names in their normal form.
    pub names: BTreeSet<String>,
    /// The first package without an exact version.
    pub unpinned: Option<String>,
}

impl Requirements {
    /// Reads the files; `None` when there is no `requirements.txt`.
    pub fn read(project: &Project<'_>) -> Result<Option<Self>, DetectError> {
        if !project.has_file(FILE) {
            return Ok(None);
        }
        let mut found = Self { files: Some(Vec::new()), ..Self::default() };
        let mut waiting = vec![FILE.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(file) = waiting.pop() {
            if !seen.insert(file.clone()) {
                continue;
            }
            if seen.len() > MOST_FILES {
                return Err(DetectError::Invalid(format!(
                    "`{FILE}` includes more than {MOST_FILES} files."
                )));
            }
            let Some(text) = project.text(&file)? else {
                // The installation says what is missing; here it only matters that it reads more than is known.
                found.files = None;
                continue;
            };
            match found.files.as_mut().filter(|_| is_plain(&file)) {
                Some(files) => files.push(file.clone()),
                None => found.files = None,
            }
            for line in text.lines() {
                found.line(line, &file, &mut waiting);
            }
        }
        if let Some(files) = &mut found.files {
            files.sort();
        }
        Ok(Some(found))
    }

    fn line(&mut self, line: &str, file: &str, waiting: &mut Vec<String>) {
        let line = line.split(" #").next().unwrap_or_default().trim().trim_end_matches('\\').trim();
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        if line.starts_with('-') {
            let included =
                ["-r", "--requirement", "-c", "--constraint"].iter().find_map(|option| {
                    let rest = line.strip_prefix(option)?;
                    let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
                    (!rest.is_empty() && !rest.starts_with('-')).then_some(rest)
                });
            match included.map(|name| beside(file, name)) {
                Some(Some(path)) => waiting.push(path),
                Some(None) => self.files = None,
                None if line.starts_with("-e") || line.starts_with("--editable") => {
                    self.files = None;
                }
                None => {}
            }
            return;
        }
        if line.starts_with(['.', '/']) || line.contains("file:") {
            self.files = None;
            return;
        }
        let names = requirement_name(line);
        if let Some(name) = names.first()
            && !line.contains("==")
            && !line.contains('@')
        {
            self.unpinned.get_or_insert_with(|| name.clone());
        }
        self.names.extend(names);
    }
}

/// The path of a file that another one names; `None` when it leaves the project.
fn beside(file: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            "" => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether a path can stand in a `COPY` line as it is.
fn is_plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c)) && !path.starts_with('-')
}

/// The names a requirement stands for: `FastAPI[standard]>=0.1` brings `uvicorn` with it.
pub(super) fn requirement_name(text: &str) -> Vec<String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c));
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    if name.is_empty() {
        return Vec::new();
    }
    let name = normal_name(name);
    let extras = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split(']').next());
    let mut extras = extras.unwrap_or_default().split(',').map(str::trim);
    let brings = match name.as_str() {
        "fastapi" => extras.any(|extra| matches!(extra, "standard" | "all")).then_some("uvicorn"),
        "litestar" => extras.any(|extra| matches!(extra, "standard" | "full")).then_some("uvicorn"),
        _ => None,
    };
    [name].into_iter().chain(brings.map(str::to_owned)).collect()
}

/// A name as packages are compared: lower case, `-` for `_` and `.`.
pub(super) fn normal_name(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Overrides;
    use crate::git::SourceTree;
    use crate::git::memory_tree::MemoryTree;

    fn read(files: &[(&str, &str)]) -> Result<Requirements, DetectError> {
        let tree = MemoryTree::new(files);
        let overrides = Overrides::default();
        let entries = tree.list("").unwrap();
        let project = Project { tree: &tree, overrides: &overrides, entries, repository: None };
        Requirements::read(&project).map(Option::unwrap)
    }

    #[test]
    fn names_and_includes_are_found() {
        let found = read(&[
            (
                "requirements.txt",
                "# all\n-r requirements/base.txt\n--index-url https://x/simple\nFastAPI[standard]==0.1 # why\nDjango_Q==1 \\\n  --hash=sha256:0\n",
            ),
            ("requirements/base.txt", "-c ../limits.txt\nflask~=3.0\n"),
            ("limits.txt", "werkzeug==3\n"),
        ])
        .unwrap();
        let names: Vec<&str> = found.names.iter().map(String::as_str).collect();
        assert_eq!(names, ["django-q", "fastapi", "flask", "uvicorn", "werkzeug"]);
        assert_eq!(
            found.files.unwrap(),
            ["limits.txt", "requirements.txt", "requirements/base.txt"]
        );
        assert_eq!(found.unpinned.as_deref(), Some("flask"));
    }

    #[test]
    fn what_reads_more_of_the_project_copies_all_of_it() {
        for line in
            ["-e .", ".", "./lib", "x @ file:///app/x", "-r ../../x", "-r gone.txt", "-r a b.txt"]
        {
            let found = read(&[("requirements.txt", line), ("a b.txt", "")]).unwrap();
            assert_eq!(found.files, None, "{line}");
        }
        let loops = read(&[("requirements.txt", "-r a.txt"), ("a.txt", "-r requirements.txt")]);
        assert_eq!(loops.unwrap().files.unwrap().len(), 2);
        let names: Vec<String> = (0..30).map(|n| format!("f{n}.txt")).collect();
        let many: String = names.iter().map(|name| format!("-r {name}\n")).collect();
        let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        files.push(("requirements.txt", &many));
        let error = read(&files).unwrap_err().to_string();
        assert_eq!(error, "`requirements.txt` includes more than 20 files.");
    }
}
