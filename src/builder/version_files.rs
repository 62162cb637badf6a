//! What files of version managers say of a tool: `.nvmrc` and its kin, mise, asdf.

use super::{DetectError, Project};

/// What a project asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// A version, a range or an alias, as it is written.
    pub text: String,
    /// Where it says so, such as `.ruby-version`.
    pub source: String,
}

impl Asked {
    pub fn new(text: impl Into<String>, source: impl Into<String>) -> Self {
        Self { text: text.into(), source: source.into() }
    }
}

/// The first of these files that names a version. Each holds the version alone.
///
/// # Errors
/// A file cannot be read.
pub(super) fn of_files(
    project: &Project<'_>,
    files: &[&str],
) -> Result<Option<Asked>, DetectError> {
    for file in files {
        let text = project.text_if_there(file)?.unwrap_or_default();
        let mut lines = text.lines().map(without_comment);
        if let Some(line) = lines.find(|line| !line.is_empty()) {
            return Ok(Some(Asked::new(line, *file)));
        }
    }
    Ok(None)
}

/// What mise or asdf is told about a tool, under any of its names. mise itself reads its own file first.
///
/// # Errors
/// A file cannot be read or is no TOML.
pub(super) fn of_managers(
    project: &Project<'_>,
    tools: &[&str],
) -> Result<Option<Asked>, DetectError> {
    for file in ["mise.toml", ".mise.toml"] {
        let Some(text) = project.text_if_there(file)? else { continue };
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            DetectError::Invalid(format!("`{file}` is not valid TOML: {}.", error.message()))
        })?;
        let said = table.get("tools").and_then(toml::Value::as_table);
        let said = said.and_then(|said| tools.iter().find_map(|tool| said.get(*tool)));
        if let Some(version) = said.and_then(version) {
            return Ok(Some(Asked::new(version, file)));
        }
    }
    let text = project.text_if_there(".tool-versions")?.unwrap_or_default();
    for line in text.lines() {
        let mut words = without_comment(line).split_whitespace();
        if words.next().is_some_and(|tool| tools.contains(&tool))
            && let Some(version) = words.next()
        {
            return Ok(Some(Asked::new(version, ".tool-versions")));
        }
    }
    Ok(None)
}

/// One version, a list of which the first counts, or a table.
fn version(value: &toml::Value) -> Option<&str> {
    let first = value.as_array().map_or(Some(value), |list| list.first())?;
    first.get("version").unwrap_or(first).as_str()
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::super::Overrides;
    use super::*;
    use crate::git::SourceTree;
    use crate::git::memory_tree::MemoryTree;

    fn with<T>(files: &[(&str, &str)], look: impl FnOnce(&Project<'_>) -> T) -> T {
        let (tree, overrides) = (MemoryTree::new(files), Overrides::default());
        let entries = tree.list("").unwrap();
        look(&Project { tree: &tree, overrides: &overrides, entries, repository: None })
    }

    #[test]
    fn every_way_of_naming_a_version() {
        for (file, text, expected) in [
            ("mise.toml", "[tools]\ngo = '1.22'", Some("1.22")),
            (".mise.toml", "[tools]\ngolang = ['1.23', '1.22']", Some("1.23")),
            ("mise.toml", "[tools.go]\nversion = '1.21'\nos = 'linux'", Some("1.21")),
            ("mise.toml", "[tools]\ngo = [{ version = '1.20' }]", Some("1.20")),
            ("mise.toml", "[tools]\ngo = []", None),
            ("mise.toml", "[tools]\ngo = 1", None),
            ("mise.toml", "tools = 'go'", None),
            (".tool-versions", "# all\nruby 3.3\ngolang 1.24.1 1.23 # newest\n", Some("1.24.1")),
            (".tool-versions", "go\ngo 1.19", Some("1.19")),
            (".tool-versions", "gopher 1", None),
        ] {
            let found = with(&[(file, text)], |project| of_managers(project, &["go", "golang"]));
            let expected = expected.map(|version| Asked::new(version, file));
            assert_eq!(found.unwrap(), expected, "{file}: {text}");
        }
        let both = [("mise.toml", "[tools]\ngo = '1.22'"), (".tool-versions", "go 1.21")];
        let found = with(&both, |project| of_managers(project, &["go"])).unwrap();
        assert_eq!(found, Some(Asked::new("1.22", "mise.toml")));
        let broken = with(&[("mise.toml", "[tools")], |project| of_managers(project, &["go"]));
        assert!(broken.unwrap_err().to_string().starts_with("`mise.toml` is not valid TOML: "));

        let files = [(".a", "# nothing\n\n"), (".b", "\n# why\n  3.1 # because\n4")];
        let found = with(&files, |project| of_files(project, &[".none", ".a", ".b"])).unwrap();
        assert_eq!(found, Some(Asked::new("3.1", ".b")));
    }
}
