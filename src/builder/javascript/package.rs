//! `package.json`, whatever it holds: what is of the wrong type counts as not there.

use serde_json::Value;

use super::super::{DetectError, Project};

/// Scripts that a package manager runs while it installs; they may need files of the project.
const INSTALL_SCRIPTS: &[&str] =
    &["preinstall", "install", "postinstall", "prepare", "preprepare", "postprepare"];
/// Lists of packages that an installation brings in.
const LISTS: &[&str] = &["dependencies", "devDependencies", "optionalDependencies"];

/// A parsed `package.json`.
#[derive(Clone, Debug)]
pub(super) struct Package(Value);

impl Package {
    /// Reads the one at the root of the project.
    pub fn read(project: &Project<'_>) -> Result<Self, DetectError> {
        let text = project.text("package.json")?.unwrap_or_default();
        Self::parse(&text)
            .map_err(|reason| DetectError::Invalid(format!("`package.json` {reason}.")))
    }

    /// Reads a text. The error completes the sentence "`package.json` …".
    pub fn parse(text: &str) -> Result<Self, String> {
        match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => Ok(Self(value)),
            Ok(_) => Err("is not a JSON object".into()),
            Err(error) => Err(format!("is not valid JSON: {error}")),
        }
    }

    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// A text that is not blank.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        let found = path.iter().try_fold(&self.0, |value, key| value.get(key))?;
        found.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    pub fn script(&self, name: &str) -> Option<&str> {
        self.text(&["scripts", name])
    }

    /// Whether an object or a list of this name has entries.
    pub fn has(&self, key: &str) -> bool {
        match self.0.get(key) {
            Some(Value::Object(entries)) => !entries.is_empty(),
            Some(Value::Array(entries)) => !entries.is_empty(),
            _ => false,
        }
    }

    /// Whether the project itself asks for a package.
    pub fn depends(&self, name: &str) -> bool {
        LISTS.iter().any(|list| self.lists(list, name))
    }

    /// Whether a package is there for development only.
    pub fn is_development(&self, name: &str) -> bool {
        self.lists("devDependencies", name) && !self.lists("dependencies", name)
    }

    fn lists(&self, list: &str, name: &str) -> bool {
        self.0.get(list).is_some_and(|list| list.get(name).is_some())
    }

    /// Whether an installation does anything.
    pub fn installs_something(&self) -> bool {
        let lists = ["peerDependencies", "workspaces"];
        LISTS.iter().chain(&lists).any(|key| self.has(key)) || self.has_install_scripts()
    }

    /// Whether the project's own scripts run while it is installed.
    pub fn has_install_scripts(&self) -> bool {
        INSTALL_SCRIPTS.iter().any(|name| self.script(name).is_some())
    }

    /// Whether a dependency is a directory of the repository.
    pub fn has_local_dependencies(&self) -> bool {
        let is_path = |text: &str| {
            ["file:", "link:", "portal:", ".", "/", "~/"]
                .iter()
                .any(|start| text.starts_with(start))
        };
        LISTS.iter().any(|list| {
            let list = self.0.get(list).and_then(Value::as_object);
            list.is_some_and(|list| list.values().filter_map(Value::as_str).any(is_path))
        })
    }
}
