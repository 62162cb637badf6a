//! Which Python a project wants.

use super::manager::Manifests;
use crate::builder::version_files::{Asked, of_files, of_managers};
use crate::builder::{DetectError, Project};
use crate::model::build_plan::{PINNED, Version};

/// Minor versions of Python 3 that are built with.
const SUPPORTED: std::ops::RangeInclusive<u32> = 10..=14;
/// What is taken when nothing says otherwise.
const DEFAULT: u32 = 13;
/// A range is asked for the newest patch version, because that is what an image has.
const NEWEST_PATCH: u64 = 99;

/// The minor version and where it comes from: the first place that says one exactly, else a range, which the pin or
/// the default decides.
pub(super) fn resolve(
    project: &Project<'_>,
    manifests: &Manifests,
) -> Result<(u32, Version), DetectError> {
    let exact = match project.overrides.named("python") {
        Some((version, source)) => Some((version.to_owned(), source.to_owned())),
        None => from_files(project, manifests)?,
    };
    if let Some((text, source)) = exact {
        let minor = minor(&text).ok_or_else(|| {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(50).collect();
            DetectError::Invalid(format!(
                "`{shown}` ({source}) is no version of Python that is known here. Name one such as `3.{DEFAULT}`."
            ))
        })?;
        return supported(minor, &source).map(|()| (minor, version(minor, &source)));
    }
    let pinned = project.overrides.pinned("python").and_then(minor);
    let pinned = pinned.filter(|minor| SUPPORTED.contains(minor));
    let Some((range, source)) = manifests.python_range() else {
        return Ok(match pinned {
            Some(minor) => (minor, version(minor, PINNED)),
            None => (DEFAULT, version(DEFAULT, "the default")),
        });
    };
    let fits = |minor: u32| allows(&range, (3, u64::from(minor), NEWEST_PATCH));
    if fits(DEFAULT).is_none() {
        let shown: String = range.chars().filter(|c| !c.is_control()).take(100).collect();
        return Err(DetectError::Invalid(format!(
            "`{shown}` ({source}) is no range of versions that is understood."
        )));
    }
    let fits = |minor: &u32| fits(*minor) == Some(true);
    if let Some(minor) = pinned.filter(fits) {
        return Ok((minor, version(minor, PINNED)));
    }
    let chosen = Some(DEFAULT).filter(fits).or_else(|| SUPPORTED.rev().find(fits));
    let minor = chosen.ok_or_else(|| {
        DetectError::Unsupported(format!(
            "`{range}` ({source}) allows none of the versions of Python that are built with: 3.{} to 3.{}. \
             Change it, or add a `Dockerfile`.",
            SUPPORTED.start(),
            SUPPORTED.end()
        ))
    })?;
    Ok((minor, version(minor, &source)))
}

fn version(minor: u32, source: &str) -> Version {
    Version { name: "python".into(), version: format!("3.{minor}"), source: source.to_owned() }
}

fn supported(minor: u32, source: &str) -> Result<(), DetectError> {
    if SUPPORTED.contains(&minor) {
        return Ok(());
    }
    let problem = if minor < *SUPPORTED.start() { "too old" } else { "not known here yet" };
    Err(DetectError::Unsupported(format!(
        "Python 3.{minor} ({source}) is {problem}: 3.{} to 3.{} are built with. Name one of these, or add a `Dockerfile`.",
        SUPPORTED.start(),
        SUPPORTED.end()
    )))
}

/// An exact version in one of the files that are there for it.
fn from_files(
    project: &Project<'_>,
    manifests: &Manifests,
) -> Result<Option<(String, String)>, DetectError> {
    let files = of_files(project, &[".python-version", "runtime.txt"])?;
    let asked = match files {
        Some(asked) => Some(asked),
        None => of_managers(project, &["python"])?,
    };
    if let Some(Asked { text, source }) = asked {
        let version = text.strip_prefix("python-").unwrap_or(&text);
        return Ok(Some((version.to_owned(), format!("`{source}`"))));
    }
    Ok(manifests.pipfile_python())
}

/// `3.12`, `3.12.4`, `cpython-3.12`: 12.
fn minor(text: &str) -> Option<u32> {
    let text = text.trim();
    let text = text.strip_prefix("cpython-").or(text.strip_prefix("cpython@")).unwrap_or(text);
    let mut parts = text.split('.');
    if parts.next()? == "3" {
        // `3` alone leaves the choice.
        let Some(minor) = parts.next() else { return Some(DEFAULT) };
        let patch = parts.next().unwrap_or("0");
        let is_number = |text: &str| {
            (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        return (is_number(minor) && (is_number(patch) || matches!(patch, "*" | "x")))
            .then(|| minor.parse().ok())
            .flatten()
            .filter(|_| parts.next().is_none());
    }
    None
}

type Point = (u64, u64, u64);

/// Whether a range allows a version; `None` when the range is not understood. The grammar is that of `requires-python`
/// (PEP 440) and Poetry's: `>=3.9,<4`, `~=3.10`, `^3.11`, `3.12.*`, `>=3.9 || ^2.7`.
fn allows(range: &str, version: Point) -> Option<bool> {
    let mut any = false;
    for alternative in range.split("||") {
        let mut all = true;
        for clause in alternative.split(',').flat_map(words) {
            all &= clause_allows(&clause, version)?;
        }
        any |= all;
    }
    Some(any)
}

/// The clauses of `>=3.9 <4` and of `>= 3.9`.
fn words(text: &str) -> Vec<String> {
    let mut clauses: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match clauses.last_mut() {
            Some(last) if last.chars().all(|c| "<>=!~^".contains(c)) => last.push_str(word),
            _ => clauses.push(word.to_owned()),
        }
    }
    clauses
}

fn clause_allows(clause: &str, version: Point) -> Option<bool> {
    let digits = clause.trim_start_matches(['<', '>', '=', '!', '~', '^']);
    let operator = &clause[..clause.len() - digits.len()];
    let (from, to, parts) = parse(digits)?;
    Some(match operator {
        "" | "=" | "==" | "===" => from <= version && version < to.max((from.0, from.1 + 1, 0)),
        // Taking one patch version out leaves its minor version.
        "!=" => parts == 3 || !(from <= version && version < to),
        ">=" => version >= from,
        ">" => version > from,
        "<=" => {
            version <= from
                || (from <= version && version < to && parts < 3 && digits.ends_with('*'))
        }
        "<" => version < from,
        "~=" if parts == 3 => from <= version && version < (from.0, from.1 + 1, 0),
        "~=" | "^" => from <= version && version < (from.0 + 1, 0, 0),
        "~" if parts == 1 => from <= version && version < (from.0 + 1, 0, 0),
        "~" => from <= version && version < (from.0, from.1 + 1, 0),
        _ => return None,
    })
}

/// `3.9`: from 3.9.0 up to 3.10.0, with the number of parts.
fn parse(text: &str) -> Option<(Point, Point, usize)> {
    if text == "*" {
        return Some(((0, 0, 0), (1000, 0, 0), 0));
    }
    let text = text.strip_suffix(".*").unwrap_or(text);
    let numbers: Vec<u64> = text
        .split('.')
        .map(|part| part.parse().ok().filter(|n| *n < 1000 && part.len() <= 3))
        .collect::<Option<_>>()?;
    Some(match numbers[..] {
        [a] => ((a, 0, 0), (a + 1, 0, 0), 1),
        [a, b] => ((a, b, 0), (a, b + 1, 0), 2),
        [a, b, c] => ((a, b, c), (a, b, c + 1), 3),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_versions() {
        for (text, expected) in [
            ("3.12", Some(12)),
            ("3.12.4", Some(12)),
            (" 3.9.* ", Some(9)),
            ("cpython-3.11.2", Some(11)),
            ("3", Some(13)),
            ("2.7", None),
            ("pypy3.10", None),
            ("3.x", None),
            ("3.12.4.1", None),
            ("3.12\nRUN x", None),
            ("3.99999999999", None),
            ("", None),
        ] {
            assert_eq!(minor(text), expected, "{text}");
        }
    }

    #[test]
    fn ranges() {
        let newest = |range: &str| {
            let fits =
                |minor: &u32| allows(range, (3, u64::from(*minor), NEWEST_PATCH)) == Some(true);
            SUPPORTED.rev().find(fits)
        };
        for (range, expected) in [
            (">=3.9", Some(14)),
            (">= 3.9, < 3.13", Some(12)),
            (">=3.9 <3.12", Some(11)),
            (">3.10", Some(14)),
            ("<=3.12", Some(11)),
            ("<3.12.5", Some(11)),
            ("==3.11.*", Some(11)),
            ("==3.11", Some(11)),
            ("==3.11.4", Some(11)),
            ("~=3.10", Some(14)),
            ("~=3.10.2", Some(10)),
            ("^3.11", Some(14)),
            ("~3.11", Some(11)),
            ("3.12.*", Some(12)),
            ("*", Some(14)),
            (">=3.9,!=3.14.*", Some(13)),
            (">=3.9,!=3.14.1", Some(14)),
            ("^2.7 || ^3.10", Some(14)),
            (">=3.20", None),
            ("<3", None),
        ] {
            assert_eq!(newest(range), expected, "{range}");
        }
        for bad in ["newest", ">=three", ">=3.9;x", "=>3.9", "3.1.1.1", ">=99999999999999999999"] {
            assert_eq!(allows(bad, (3, 12, 0)), None, "{bad}");
        }
    }
}
