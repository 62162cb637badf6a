//! Versions that are settled: named by the settings, or pinned by an earlier deployment of the project.

use super::{DetectError, Overrides};
use crate::model::build_plan::{BuildPlan, PINNED, Version};

/// What `[versions]` in `orbitra.toml` may name.
pub(super) const NAMES: &[&str] = &[
    "bun", "deno", "dotnet", "elixir", "erlang", "go", "java", "node", "pdm", "php", "pipenv",
    "pnpm", "poetry", "python", "ruby", "rust", "uv", "yarn",
];

/// Whether a text is a version: numbers with dots, or a word such as `22-alpine`, and nothing a Dockerfile could
/// take for more.
pub(super) fn is_version(text: &str) -> bool {
    (1..=50).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

impl Overrides {
    /// The version that the settings name, with the place: it is used or refused, never replaced.
    pub(super) fn named(&self, name: &str) -> Option<(&str, &'static str)> {
        find(&self.versions, name).map(|version| (version, "versions in orbitra.toml"))
    }

    /// The version that an earlier deployment resolved.
    pub(super) fn pinned(&self, name: &str) -> Option<&str> {
        find(&self.pins, name)
    }

    /// The version of a tool that no file of the project speaks of.
    pub(super) fn tool(&self, name: &str, default: &str) -> Version {
        let (version, source) = match (self.named(name), self.pinned(name)) {
            (Some(named), _) => named,
            (None, Some(pinned)) => (pinned, PINNED),
            (None, None) => (default, "the default"),
        };
        Version { name: name.to_owned(), version: version.to_owned(), source: source.to_owned() }
    }
}

fn find<'a>(list: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = list.iter().find(|(known, _)| known == name).map(|(_, version)| version.as_str());
    found.filter(|version| is_version(version))
}

/// Refuses a plan that takes another version than the one named, and says which named version nobody uses.
pub(super) fn check(overrides: &Overrides, plan: &mut BuildPlan) -> Result<(), DetectError> {
    for (name, wanted) in &overrides.versions {
        let Some(found) = plan.versions.iter().find(|version| version.name == *name) else {
            plan.warnings.push(format!(
                "`orbitra.toml` names a version of {name}, which this build does not choose."
            ));
            continue;
        };
        if !same(wanted, &found.version) {
            return Err(DetectError::Invalid(format!(
                "`orbitra.toml` names {name} {wanted}, and {} ({}) is what can be had.",
                found.version, found.source
            )));
        }
    }
    Ok(())
}

/// Whether one version is the other or the beginning of it: `3.12` and `3.12.4`.
fn same(a: &str, b: &str) -> bool {
    a.split('.').zip(b.split('.')).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_named_or_pinned_or_the_default() {
        let mut overrides = Overrides::default();
        let shown = |overrides: &Overrides| {
            let version = overrides.tool("uv", "0.9.1");
            (version.version, version.source)
        };
        assert_eq!(shown(&overrides), ("0.9.1".into(), "the default".into()));
        overrides.pins = vec![("uv".into(), "0.8.0".into())];
        assert_eq!(shown(&overrides), ("0.8.0".into(), PINNED.into()));
        overrides.versions = vec![("uv".into(), "0.7.0".into())];
        assert_eq!(shown(&overrides), ("0.7.0".into(), "versions in orbitra.toml".into()));
        // What could end an instruction is no version, wherever it was stored.
        overrides.versions = vec![("uv".into(), "1\nRUN x".into())];
        assert_eq!(shown(&overrides).0, "0.8.0");
    }

    #[test]
    fn versions_and_what_is_none() {
        for good in ["3", "3.12", "22.1.0", "8.0-alpha_1", "21"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["", "3 4", "3\n", "-1", ".1", "3$x", "ü", "3:latest", "a/b", &"1".repeat(51)] {
            assert!(!is_version(bad), "{bad}");
        }
        assert!(same("3.12", "3.12.4") && same("3.12.4", "3.12") && !same("3.1", "3.12"));
    }
}
