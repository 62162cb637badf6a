//! Who decides: the request, then `orbitra.toml` in the repository, then the project's settings, then a `Procfile`,
//! then what is detected.

use super::{DetectError, Overrides, orbitra_toml, procfile, set};
use crate::git::{SourceTree, TreeError};
use crate::model::build_plan::{BuildPlan, RepositorySettings};
use crate::model::catalogue;
use crate::model::suggest::nearest;

/// Largest settings file of a repository, in bytes.
const LARGEST_FILE: u64 = 64 * 1024;
/// Longest command in bytes.
pub(super) const LONGEST_COMMAND: usize = 2000;

/// Frameworks that say themselves what is run, so that a `Procfile` has no say.
const WITHOUT_PROCFILE: &[&str] = &["dockerfile", "static"];

/// What counts for one plan.
#[derive(Debug)]
pub(super) struct Settings {
    /// What the detectors look at.
    pub overrides: Overrides,
    /// Sentences on where settings come from, for the plan's reason.
    origins: Vec<String>,
    /// What the repository says of running it.
    repository: RepositorySettings,
    warnings: Vec<String>,
    procfile: Option<procfile::Procfile>,
}

impl Settings {
    /// Puts the layers on top of each other.
    pub fn resolve(
        tree: &dyn SourceTree,
        request: &Overrides,
        project: &Overrides,
    ) -> Result<Self, DetectError> {
        let mut origins = Vec::new();
        let (mut layers, mut repository) = (vec![request.clone()], RepositorySettings::default());
        if let Some(file) = orbitra_toml::read(tree)? {
            if !file.keys.is_empty() {
                origins.push(format!("`orbitra.toml` sets {}.", file.keys.join(", ")));
            }
            layers.push(file.overrides);
            repository = file.repository;
        }
        layers.push(project.clone());
        let overrides = layers.into_iter().reduce(over).unwrap_or_default();
        check(&overrides)?;
        let procfile = procfile::read(tree)?;
        Ok(Self { overrides, origins, repository, warnings: Vec::new(), procfile })
    }

    /// Lets a `Procfile` say how to start and release what nothing above it says. It has no say over a Dockerfile, which
    /// is looked for before.
    pub fn apply_procfile(&mut self) {
        let Some(procfile) = self.procfile.take() else { return };
        let framework = set(&self.overrides.framework).unwrap_or_default();
        if WITHOUT_PROCFILE.contains(&framework) {
            return;
        }
        let mut used = Vec::new();
        for (name, said, setting) in [
            ("web", procfile.web, &mut self.overrides.start_command),
            ("release", procfile.release, &mut self.overrides.release_command),
        ] {
            if said.is_some() && set(setting).is_none() {
                *setting = said;
                used.push(format!("`{name}`"));
            }
        }
        if !used.is_empty() {
            self.origins.push(format!("Its `Procfile` says {}.", used.join(" and ")));
        }
        self.warnings.extend(procfile.warnings);
    }

    /// Writes into a plan what does not depend on the framework.
    pub fn complete(self, plan: &mut BuildPlan) {
        for origin in self.origins {
            plan.reason.push(' ');
            plan.reason.push_str(&origin);
        }
        plan.repository = self.repository;
        plan.warnings.extend(self.warnings);
    }
}

/// The upper layer where it says something, else the lower one. Versions are told apart by their names.
fn over(upper: Overrides, lower: Overrides) -> Overrides {
    let either = |a: Option<String>, b: Option<String>| {
        if set(&a).is_some() { a } else { b.filter(|text| !text.trim().is_empty()) }
    };
    let mut versions = upper.versions;
    for (name, version) in lower.versions {
        if !versions.iter().any(|(known, _)| *known == name) {
            versions.push((name, version));
        }
    }
    Overrides {
        framework: either(upper.framework, lower.framework),
        install_command: either(upper.install_command, lower.install_command),
        build_command: either(upper.build_command, lower.build_command),
        start_command: either(upper.start_command, lower.start_command),
        release_command: either(upper.release_command, lower.release_command),
        output_directory: either(upper.output_directory, lower.output_directory),
        dockerfile: either(upper.dockerfile, lower.dockerfile),
        root_directory: either(upper.root_directory, lower.root_directory),
        versions,
        pins: if upper.pins.is_empty() { lower.pins } else { upper.pins },
    }
}

fn check(overrides: &Overrides) -> Result<(), DetectError> {
    for (name, command) in [
        ("install", &overrides.install_command),
        ("build", &overrides.build_command),
        ("start", &overrides.start_command),
        ("release", &overrides.release_command),
    ] {
        if let Some(problem) = command.as_deref().and_then(command_problem) {
            return Err(DetectError::Invalid(format!("The {name} command {problem}.")));
        }
    }
    if let Some(framework) = set(&overrides.framework)
        && !catalogue::is_framework(framework)
    {
        let shown: String = framework.chars().filter(|c| !c.is_control()).take(50).collect();
        let hint = match nearest(framework, &catalogue::FRAMEWORKS) {
            Some(near) => format!(" Is `{near}` meant?"),
            None => String::new(),
        };
        return Err(DetectError::Invalid(format!("There is no framework `{shown}`.{hint}")));
    }
    Ok(())
}

/// A settings file of the repository as text; `None` when there is none.
pub(super) fn file(tree: &dyn SourceTree, name: &str) -> Result<Option<String>, DetectError> {
    let wrong = |what: &str| DetectError::Invalid(format!("`{name}` {what}"));
    let bytes = match tree.read(name, LARGEST_FILE) {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(TreeError::TooLarge(..)) => return Err(wrong("is larger than 64 KB.")),
        Err(error) => return Err(error.into()),
    };
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text."))?;
    Ok(Some(text.trim_start_matches('\u{feff}').to_owned()))
}

/// What is wrong with a command, to be put behind its name.
pub(super) fn command_problem(command: &str) -> Option<&'static str> {
    if command.chars().any(char::is_control) {
        Some("must be one line without control characters")
    } else if command.len() > LONGEST_COMMAND {
        Some("is longer than 2,000 bytes")
    } else {
        None
    }
}
