//! The programs of a Cargo package or workspace.

use toml::{Table, Value};

use crate::builder::layers::{is_plain_path, plain_name};
use crate::builder::{DetectError, Project};

/// Most members of a workspace that are read.
const MOST_MEMBERS: usize = 200;

/// What can be built.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Names of programs, each once, in the order they were found.
    pub programs: Vec<String>,
    pub workspace: bool,
    default_run: Option<String>,
    /// Name of the root package.
    package: Option<String>,
    dependencies: Vec<String>,
}

/// Reads TOML, or says where it is wrong.
pub(super) fn parse(file: &str, text: &str) -> Result<Table, DetectError> {
    text.parse().map_err(|error: toml::de::Error| {
        DetectError::Invalid(format!("`{file}` is not valid TOML: {}.", error.message()))
    })
}

impl Targets {
    /// Those of the root package, then those of the members.
    pub fn read(project: &Project<'_>, manifest: &Table) -> Result<Self, DetectError> {
        let mut targets = Self { workspace: manifest.contains_key("workspace"), ..Self::default() };
        targets.add(project, manifest, "")?;
        targets.package = name(manifest).map(str::to_owned);
        let workspace = manifest.get("workspace");
        let list = |key: &str| -> Vec<&str> {
            let list = workspace.and_then(|workspace| workspace.get(key)).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).collect()
        };
        let excluded = list("exclude");
        let members = list("members").into_iter().flat_map(|pattern| expand(project, pattern));
        let members = members.filter(|path| !excluded.contains(&path.as_str()));
        for member in members.take(MOST_MEMBERS) {
            let path = format!("{member}/Cargo.toml");
            if project.has_path(&path)
                && let Some(text) = project.text(&path)?
            {
                targets.add(project, &parse(&path, &text)?, &member)?;
            }
        }
        Ok(targets)
    }

    /// `default-run`, the one named after the package, the first.
    pub fn chosen(&self) -> Option<&String> {
        let named = |wanted: &Option<String>| {
            let wanted = wanted.as_ref()?;
            self.programs.iter().find(|program| *program == wanted)
        };
        named(&self.default_run).or_else(|| named(&self.package)).or(self.programs.first())
    }

    /// Whether one of the packages names this dependency.
    pub fn depends(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency == name)
    }

    fn add(
        &mut self,
        project: &Project<'_>,
        manifest: &Table,
        directory: &str,
    ) -> Result<(), DetectError> {
        let dependencies = manifest.get("dependencies").and_then(Value::as_table);
        self.dependencies.extend(dependencies.into_iter().flat_map(Table::keys).cloned());
        let Some(package) = manifest.get("package").and_then(Value::as_table) else {
            return Ok(());
        };
        let at = |path: &str| match directory {
            "" => path.to_owned(),
            directory => format!("{directory}/{path}"),
        };
        let mut found = Vec::new();
        let bins = manifest.get("bin").and_then(Value::as_array);
        for bin in bins.into_iter().flatten() {
            found.extend(bin.get("name").and_then(Value::as_str).map(str::to_owned));
        }
        if package.get("autobins").and_then(Value::as_bool) != Some(false) {
            if project.has_path(&at("src/main.rs")) {
                found.extend(name(manifest).map(str::to_owned));
            }
            for path in project.files_in(&at("src/bin")) {
                let file = path.rsplit('/').next().unwrap_or(&path);
                found.extend(file.strip_suffix(".rs").map(str::to_owned));
            }
            for path in project.directories_in(&at("src/bin")) {
                if project.has_path(&format!("{path}/main.rs")) {
                    found.extend(path.rsplit('/').next().map(str::to_owned));
                }
            }
        }
        for program in found {
            plain_name(&program, "name of a program in Cargo.toml")?;
            if !self.programs.contains(&program) {
                self.programs.push(program);
            }
        }
        if self.default_run.is_none() {
            let text = package.get("default-run").and_then(Value::as_str);
            self.default_run = text.map(str::to_owned);
        }
        Ok(())
    }
}

fn name(manifest: &Table) -> Option<&str> {
    manifest.get("package")?.get("name")?.as_str()
}

/// Directories a member pattern means: a path, or all directories of one (`crates/*`).
fn expand(project: &Project<'_>, pattern: &str) -> Vec<String> {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    match pattern.strip_suffix('*') {
        Some("") => project.directories_in(""),
        Some(parent) if is_plain_path(parent.trim_end_matches('/')) => {
            project.directories_in(parent.trim_end_matches('/'))
        }
        Some(_) => Vec::new(),
        None if is_plain_path(pattern) => vec![pattern.to_owned()],
        None => Vec::new(),
    }
}
