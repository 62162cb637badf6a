//! Which tool installs a Python project's dependencies, and what they are.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::requirements::{Requirements, normal_name, requirement_name};
use crate::builder::{DetectError, Project};
use crate::git::TreeError;

/// Largest lock file that is searched for names, in bytes.
const LARGEST_LOCK: u64 = 16 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    Pip,
    Uv,
    Poetry,
    Pdm,
    Pipenv,
    /// There is nothing to install.
    None,
}

/// The files that describe a project, parsed.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    pyproject: Option<Table>,
    pipfile: Option<Table>,
    requirements: Option<Requirements>,
}

/// What is installed, and with what.
#[derive(Debug)]
pub(super) struct Dependencies {
    pub manager: Manager,
    /// The lock file, when there is one.
    pub lock: Option<&'static str>,
    /// Files the installation reads; `None` when it needs the whole project.
    pub files: Option<Vec<String>>,
    /// Whether the project itself is a package that is installed.
    pub package: bool,
    /// Names of packages, in their normal form, those of the lock file too.
    pub names: BTreeSet<String>,
    pub warnings: Vec<String>,
}

impl Manifests {
    pub fn read(project: &Project<'_>) -> Result<Self, DetectError> {
        let toml = |file: &str| -> Result<Option<Table>, DetectError> {
            if !project.has_file(file) {
                return Ok(None);
            }
            let text = project.text(file)?.unwrap_or_default();
            let parsed = text.parse::<Table>().map_err(|error| {
                let at = error.span().map_or(0, |span| span.start);
                let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
                let message = error.message().lines().next().unwrap_or_default();
                let message: String = message.chars().filter(|c| !c.is_control()).collect();
                DetectError::Invalid(format!("`{file}` is not valid TOML: line {line}: {message}."))
            });
            parsed.map(Some)
        };
        Ok(Self {
            pyproject: toml("pyproject.toml")?,
            pipfile: toml("Pipfile")?,
            requirements: Requirements::read(project)?,
        })
    }

    fn pyproject(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        let value = self.pyproject.as_ref()?.get(*first)?;
        rest.iter().try_fold(value, |value, key| value.get(key))
    }

    /// The range of versions of Python that `pyproject.toml` allows.
    pub fn python_range(&self) -> Option<(String, String)> {
        let range = [
            (&["project", "requires-python"][..], "requires-python in `pyproject.toml`"),
            (
                &["tool", "poetry", "dependencies", "python"],
                "the Python of Poetry's dependencies in `pyproject.toml`",
            ),
        ];
        range.into_iter().find_map(|(path, source)| {
            let text = self.pyproject(path)?.as_str()?.trim();
            (!text.is_empty()).then(|| (text.to_owned(), source.to_owned()))
        })
    }

    /// The version of Python that `Pipfile` requires.
    pub fn pipfile_python(&self) -> Option<(String, String)> {
        let requires = self.pipfile.as_ref()?.get("requires")?;
        let version =
            requires.get("python_full_version").or_else(|| requires.get("python_version"))?;
        Some((version.as_str()?.to_owned(), "`Pipfile`".to_owned()))
    }

    fn manager(&self, project: &Project<'_>) -> (Manager, Option<&'static str>) {
        let has = |file: &str| project.has_file(file);
        let tool = |name: &str| self.pyproject(&["tool", name]).is_some();
        for (manager, lock) in
            [(Manager::Uv, "uv.lock"), (Manager::Poetry, "poetry.lock"), (Manager::Pdm, "pdm.lock")]
        {
            if self.pyproject.is_some() && has(lock) {
                return (manager, Some(lock));
            }
        }
        if self.pipfile.is_some() {
            return (Manager::Pipenv, has("Pipfile.lock").then_some("Pipfile.lock"));
        }
        match self.requirements {
            // Its own tool has the last word only when nothing else names the dependencies.
            Some(_) if !tool("poetry") => (Manager::Pip, None),
            _ if tool("poetry") => (Manager::Poetry, None),
            _ if tool("pdm") => (Manager::Pdm, None),
            _ if self.pyproject(&["project"]).is_some() || tool("uv") => (Manager::Uv, None),
            _ => (Manager::None, None),
        }
    }

    /// Everything about the dependencies.
    pub fn dependencies(&self, project: &Project<'_>) -> Result<Dependencies, DetectError> {
        let (manager, lock) = self.manager(project);
        let mut warnings = Vec::new();
        let mut files = Some(Vec::new());
        match (manager, lock) {
            (Manager::None, _) => {}
            (Manager::Pip, _) => {
                let requirements = self.requirements.as_ref();
                files = requirements.and_then(|found| found.files.clone());
                if let Some(name) = requirements.and_then(|found| found.unpinned.as_deref()) {
                    warnings.push(format!(
                        "`requirements.txt` does not say which version of {name} (`=={}`): versions may change between builds.",
                        "…"
                    ));
                }
            }
            (_, None) => warnings.push(format!(
                "There is no `{}`: versions of dependencies may change between builds.",
                manager.lock_name()
            )),
            _ => {}
        }
        if let Some(files) = files.as_mut().filter(|_| manager != Manager::Pip) {
            let manifest = if manager == Manager::Pipenv { "Pipfile" } else { "pyproject.toml" };
            if manager != Manager::None {
                files.push(manifest.to_owned());
            }
            files.extend(lock.map(str::to_owned));
        }
        if self.has_local_parts(manager) {
            files = None;
        }
        let mut names = self.names()?;
        if let Some(lock) = lock {
            names.extend(lock_names(project, lock)?);
        }
        Ok(Dependencies {
            manager,
            lock,
            files,
            package: self.is_package(manager),
            names,
            warnings,
        })
    }

    /// Names of the dependencies that the manifests list.
    fn names(&self) -> Result<BTreeSet<String>, DetectError> {
        let mut names = BTreeSet::new();
        if let Some(list) = self.pyproject(&["project", "dependencies"]) {
            let wrong = || {
                DetectError::Invalid(
                    "`pyproject.toml` is wrong: `project.dependencies` must be a list of texts."
                        .into(),
                )
            };
            for item in list.as_array().ok_or_else(wrong)? {
                names.extend(requirement_name(item.as_str().ok_or_else(wrong)?));
            }
        }
        let poetry = self.pyproject(&["tool", "poetry", "dependencies"]);
        let pipenv = self.pipfile.as_ref().and_then(|pipfile| pipfile.get("packages"));
        for table in [poetry, pipenv].into_iter().flatten().filter_map(Value::as_table) {
            for (name, value) in table {
                names.insert(normal_name(name));
                let extras = value.get("extras").and_then(Value::as_array);
                let extras = extras.into_iter().flatten().filter_map(Value::as_str);
                for extra in extras {
                    names.extend(requirement_name(&format!("{name}[{extra}]")));
                }
            }
        }
        if let Some(requirements) = &self.requirements {
            names.extend(requirements.names.iter().cloned());
        }
        Ok(names)
    }

    /// Whether the installation reads directories of the project.
    fn has_local_parts(&self, manager: Manager) -> bool {
        let any_path = |table: Option<&Value>| {
            let table = table.and_then(Value::as_table);
            table.is_some_and(|table| {
                table
                    .values()
                    .any(|value| value.get("path").is_some() || value.get("workspace").is_some())
            })
        };
        match manager {
            Manager::Uv => {
                self.pyproject(&["tool", "uv", "workspace"]).is_some()
                    || any_path(self.pyproject(&["tool", "uv", "sources"]))
            }
            Manager::Poetry => any_path(self.pyproject(&["tool", "poetry", "dependencies"])),
            Manager::Pipenv => {
                any_path(self.pipfile.as_ref().and_then(|pipfile| pipfile.get("packages")))
            }
            Manager::Pdm => {
                let list = self.pyproject(&["project", "dependencies"]).and_then(Value::as_array);
                list.is_some_and(|list| {
                    list.iter().filter_map(Value::as_str).any(|text| text.contains("file:"))
                })
            }
            Manager::Pip | Manager::None => false,
        }
    }

    /// Whether the project says of itself that it is a package. Poetry takes everything for one until it is told
    /// otherwise, and fails when it is none, so it has to name packages or programs.
    fn is_package(&self, manager: Manager) -> bool {
        let has = |path: &[&str]| self.pyproject(path).is_some();
        match manager {
            Manager::Uv => match self.pyproject(&["tool", "uv", "package"]) {
                Some(said) => said.as_bool() == Some(true),
                None => has(&["build-system"]),
            },
            Manager::Poetry => {
                let off = self.pyproject(&["tool", "poetry", "package-mode"]);
                off.and_then(Value::as_bool) != Some(false)
                    && (has(&["tool", "poetry", "packages"])
                        || has(&["tool", "poetry", "scripts"])
                        || has(&["project", "scripts"]))
            }
            Manager::Pdm => {
                let said = self.pyproject(&["tool", "pdm", "distribution"]);
                said.and_then(Value::as_bool) == Some(true)
            }
            Manager::Pip | Manager::Pipenv | Manager::None => false,
        }
    }
}

impl Manager {
    fn lock_name(self) -> &'static str {
        match self {
            Self::Uv => "uv.lock",
            Self::Poetry => "poetry.lock",
            Self::Pdm => "pdm.lock",
            Self::Pipenv => "Pipfile.lock",
            Self::Pip | Self::None => "requirements.txt",
        }
    }
}

/// Names of packages in a lock file. A lock file is long; it is searched and not parsed, and one that is too long or
/// damaged names nothing, because its own tool reads it anyway.
fn lock_names(project: &Project<'_>, lock: &str) -> Result<BTreeSet<String>, DetectError> {
    let bytes = match project.tree.read(lock, LARGEST_LOCK) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(TreeError::TooLarge(..)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let text = String::from_utf8_lossy(&bytes);
    if lock == "Pipfile.lock" {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let packages = value.get("default").and_then(serde_json::Value::as_object);
        return Ok(packages.into_iter().flatten().map(|(name, _)| normal_name(name)).collect());
    }
    let name = |line: &str| Some(normal_name(line.strip_prefix("name = \"")?.strip_suffix('"')?));
    Ok(text.lines().filter_map(name).collect())
}
