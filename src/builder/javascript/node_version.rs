//! Which major version of Node.js a project asks for.

use super::super::version_files::{Asked, of_files, of_managers};
use super::super::{DetectError, Project};
use super::range::Range;
use super::tool_versions::{DEFAULT, named, pinned, shown};
use crate::model::build_plan::{PINNED, Version};

/// Major versions a range is matched against, preferred ones first: the default, long-term support, then the rest.
const KNOWN: &[u32] = &[22, 24, 20, 18, 23, 21, 19, 17, 16];
/// The oldest and the newest version that may have an image on this base.
const OLDEST: u32 = 16;
const NEWEST: u32 = 99;

/// Resolves the version: the settings, `engines.node`, `.nvmrc`, `.node-version`, mise, asdf, an earlier build, else the default.
/// What an earlier build used wins over a range that it fits.
pub fn resolve(
    project: &Project<'_>,
    engines: Option<&str>,
    warnings: &mut Vec<String>,
) -> Result<(u32, Version), DetectError> {
    let mut asked = named(project, "node")?;
    if asked.is_none() {
        asked = engines.map(|text| Asked::new(text, "engines.node in package.json"));
    }
    if asked.is_none() {
        asked = of_files(project, &[".nvmrc", ".node-version"])?;
    }
    if asked.is_none() {
        asked = of_managers(project, &["node", "nodejs"])?;
    }
    let pin = pinned(project, "node").and_then(|text| text.split('.').next()?.parse::<u32>().ok());
    let pin = pin.filter(|major| (OLDEST..=NEWEST).contains(major));
    let Some(Asked { text, source }) = asked else {
        return Ok(match (pin, KNOWN.first()) {
            (Some(major), _) => (major, version(major, PINNED)),
            (None, Some(major)) => (*major, version(*major, DEFAULT)),
            (None, None) => (OLDEST, version(OLDEST, DEFAULT)),
        });
    };
    let unknown = || {
        DetectError::Invalid(format!(
            "`{}` ({source}) is no version of Node.js that is known.",
            shown(&text)
        ))
    };
    let range = range(&text).ok_or_else(unknown)?;
    let fitting: Vec<u32> = KNOWN.iter().copied().filter(|major| range.reaches(*major)).collect();
    if fitting.len() > 1
        && let Some(major) = pin.filter(|major| range.reaches(*major))
    {
        return Ok((major, version(major, PINNED)));
    }
    // A version outside of the list: a newer or an older one, taken by its number.
    let major = fitting.first().copied().or(range.lowest()).ok_or_else(unknown)?;
    if major < OLDEST {
        return Err(DetectError::Unsupported(format!(
            "Node.js {major} ({source}) is too old: versions from {OLDEST} on can be built."
        )));
    }
    if major > NEWEST {
        return Err(unknown());
    }
    if fitting.len() > 1 {
        warnings.push(format!(
            "`{}` ({source}) fits several major versions of Node.js: {major} is used.",
            shown(&text)
        ));
    }
    Ok((major, version(major, &source)))
}

fn version(major: u32, source: &str) -> Version {
    Version { name: "node".into(), version: major.to_string(), source: source.to_owned() }
}

/// The versions that a version, a range or an alias means.
fn range(text: &str) -> Option<Range> {
    let text = text.trim().to_ascii_lowercase();
    Range::parse(match text.as_str() {
        "node" | "latest" | "current" | "stable" | "lts" | "lts/*" => "*",
        "lts/krypton" => "24",
        "lts/jod" => "22",
        "lts/iron" => "20",
        "lts/hydrogen" => "18",
        "lts/gallium" => "16",
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::Overrides;
    use super::*;
    use crate::git::SourceTree;
    use crate::git::memory_tree::MemoryTree;

    fn resolved(
        files: &[(&str, &str)],
        engines: Option<&str>,
        pin: Option<&str>,
    ) -> Result<(String, String, usize), DetectError> {
        let tree = MemoryTree::new(files);
        let pins: Vec<_> = pin.map(|pin| ("node".to_owned(), pin.to_owned())).into_iter().collect();
        let overrides = Overrides { pins, ..Overrides::default() };
        let entries = tree.list("").unwrap();
        let project = Project { tree: &tree, overrides: &overrides, entries, repository: None };
        let mut warnings = Vec::new();
        let (_, version) = resolve(&project, engines, &mut warnings)?;
        Ok((version.version, version.source, warnings.len()))
    }

    #[test]
    fn versions_ranges_and_aliases() {
        for (text, expected, wide) in [
            ("22", "22", false),
            ("v20.11.1", "20", false),
            ("20.x", "20", false),
            (">=18", "22", true),
            (">= 18.0.0", "22", true),
            (">=18 <21", "20", true),
            ("^18.0.0 || ^20.0.0", "20", true),
            ("^18 || >=22", "22", true),
            ("18 - 20", "20", true),
            ("~24.1", "24", false),
            ("<20", "18", true),
            ("<=20", "20", true),
            (">22", "24", true),
            ("25", "25", false),
            ("*", "22", true),
            ("lts/*", "22", true),
            ("lts/iron", "20", false),
            ("node", "22", true),
        ] {
            let (version, source, warnings) = resolved(&[], Some(text), None).unwrap();
            assert_eq!((version.as_str(), warnings == 1), (expected, wide), "{text}");
            assert_eq!(source, "engines.node in package.json");
        }
        for text in ["latest-ish", "1.2.3.4", "99999999999999999999", "$(id)", "22\nRUN x", "4000"]
        {
            assert!(
                matches!(resolved(&[], Some(text), None), Err(DetectError::Invalid(_))),
                "{text}"
            );
        }
        assert!(matches!(resolved(&[], Some("14"), None), Err(DetectError::Unsupported(_))));
    }

    #[test]
    fn files_are_asked_in_order() {
        let all = [
            (".nvmrc", "# x\n\nv20 # here\n"),
            (".node-version", "18\n"),
            ("mise.toml", "[tools]\nnode = \"24\"\n"),
            (".tool-versions", "python 3.12\nnodejs 16.1.0\n"),
        ];
        let of = |files: &[(&str, &str)]| {
            let (version, source, _) = resolved(files, None, None).unwrap();
            (version, source)
        };
        for (from, version, source) in [
            (0, "20", ".nvmrc"),
            (1, "18", ".node-version"),
            (2, "24", "mise.toml"),
            (3, "16", ".tool-versions"),
            (4, "22", "the default"),
        ] {
            assert_eq!(of(&all[from..]), (version.to_owned(), source.to_owned()));
        }
        for table in ["node = [\"24\", \"20\"]", "node = { version = \"24\" }"] {
            assert_eq!(of(&[(".mise.toml", &format!("[tools]\n{table}"))]).0, "24");
        }
        assert_eq!(of(&[("mise.toml", "[tools]\nnode = 24\n")]).0, "22");
        assert!(resolved(&[("mise.toml", "[tools")], None, None).is_err());
    }

    #[test]
    fn a_pin_wins_over_ranges_and_the_default_only() {
        let with = |engines: Option<&str>, pin: &str| {
            let (version, source, warnings) = resolved(&[], engines, Some(pin)).unwrap();
            (version, source == PINNED, warnings)
        };
        assert_eq!(with(None, "20"), ("20".into(), true, 0));
        assert_eq!(with(Some(">=18"), "20"), ("20".into(), true, 0));
        assert_eq!(with(Some(">=22"), "20"), ("22".into(), false, 1));
        assert_eq!(with(Some("24.x"), "20"), ("24".into(), false, 0));
        assert_eq!(with(None, "20\nRUN x"), ("22".into(), false, 0));
        assert_eq!(with(None, "3"), ("22".into(), false, 0));
    }
}
