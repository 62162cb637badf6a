//! What `composer.json` and `composer.lock` say.

use serde_json::{Map, Value};

use crate::builder::runtime::Runtime;
use crate::builder::version_files::{Asked, of_files, of_managers};
use crate::builder::{DetectError, Project};
use crate::model::build_plan::Version;

const RUNTIME: Runtime = Runtime {
    name: "php",
    title: "PHP",
    known: &[(8, 4), (8, 3), (8, 2), (8, 5), (8, 1)],
    oldest: (8, 1),
    parts: 2,
};

/// A parsed `composer.json` with what its lock says of extensions.
pub(super) struct Composer {
    json: Map<String, Value>,
    pub locked: bool,
    locked_extensions: Vec<String>,
}

impl Composer {
    /// `None` when there is no `composer.json`.
    pub fn read(project: &Project<'_>) -> Result<Option<Self>, DetectError> {
        let Some(text) = project.text_if_there("composer.json")? else { return Ok(None) };
        let json = match serde_json::from_str(&text) {
            Ok(Value::Object(json)) => json,
            Ok(_) => {
                return Err(DetectError::Invalid("`composer.json` is not a JSON object.".into()));
            }
            Err(error) => {
                return Err(DetectError::Invalid(format!(
                    "`composer.json` is not valid JSON: {error}."
                )));
            }
        };
        let locked = project.has_file("composer.lock");
        let lock: Value = serde_json::from_str(&project.hints("composer.lock")).unwrap_or_default();
        let packages = lock.get("packages").and_then(Value::as_array).into_iter().flatten();
        let required = packages.filter_map(|package| package.get("require")?.as_object());
        let locked_extensions = required.flat_map(extensions_of).collect();
        Ok(Some(Self { json, locked, locked_extensions }))
    }

    pub fn requires(&self, package: &str) -> bool {
        self.require().is_some_and(|require| require.contains_key(package))
    }

    /// Whether anything is downloaded.
    pub fn has_packages(&self) -> bool {
        self.require().is_some_and(|require| require.keys().any(|name| name.contains('/')))
    }

    /// Names of extensions that the project or one of its packages needs.
    pub fn extensions(&self) -> Vec<String> {
        let own = self.require().map(|require| extensions_of(require).collect::<Vec<_>>());
        own.unwrap_or_default().into_iter().chain(self.locked_extensions.clone()).collect()
    }

    /// What the installation reads, when it reads no others.
    pub fn manifests(&self, project: &Project<'_>) -> Option<Vec<String>> {
        let repositories = match self.json.get("repositories") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(Value::Object(list)) => list.values().collect(),
            _ => Vec::new(),
        };
        let is_local = |repository: &&Value| {
            matches!(repository.get("type").and_then(Value::as_str), Some("path" | "artifact"))
        };
        if repositories.iter().any(is_local) {
            return None;
        }
        let files = ["composer.json", "composer.lock", "symfony.lock", "auth.json"];
        let files = files.iter().filter(|file| project.has_file(file));
        Some(files.map(|file| (*file).to_owned()).collect())
    }

    /// `config.platform.php`, `require.php`, `.php-version`, `.tool-versions`.
    pub fn resolve(composer: Option<&Self>, project: &Project<'_>) -> Result<Version, DetectError> {
        let platform = composer.and_then(|composer| {
            let php = composer.json.get("config")?.get("platform")?.get("php")?.as_str()?;
            Some(Asked::new(php, "config.platform.php in composer.json"))
        });
        let required = composer.and_then(|composer| {
            let php = composer.require()?.get("php")?.as_str()?;
            Some(Asked::new(php, "require.php in composer.json"))
        });
        let asked = match of_files(project, &[".php-version"])? {
            Some(asked) => Some(asked),
            None => of_managers(project, &["php"])?,
        };
        RUNTIME.resolve(project, asked.or(platform).or(required))
    }

    fn require(&self) -> Option<&Map<String, Value>> {
        self.json.get("require")?.as_object()
    }
}

fn extensions_of(require: &Map<String, Value>) -> impl Iterator<Item = String> + '_ {
    require.keys().filter_map(|name| name.strip_prefix("ext-")).map(str::to_ascii_lowercase)
}
