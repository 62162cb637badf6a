//! Which major version of Node.js a project asks for.

use super::{DetectError, Project};
use crate::model::build_plan::Version;

/// Major version for projects that ask for none.
const DEFAULT: u32 = 22;
/// Versions a range is matched against, preferred ones first: long-term support, then the rest.
const KNOWN: &[u32] = &[22, 24, 20, 18, 23, 21, 19, 17, 16];
/// The oldest version that has an image on this base.
const OLDEST: u32 = 16;

/// Resolves the version: `engines.node`, `.nvmrc`, `.node-version`, else the default.
pub(super) fn resolve(
    project: &Project<'_>,
    engines: Option<&str>,
) -> Result<(u32, Version), DetectError> {
    let mut asked = engines.map(|text| (text.to_owned(), "engines.node in package.json"));
    for file in [".nvmrc", ".node-version"] {
        if asked.is_none() && project.has_file(file) {
            asked = project.text(file)?.map(|text| (first_line(&text), file));
        }
    }
    let Some((text, source)) = asked.filter(|(text, _)| !text.trim().is_empty()) else {
        return Ok((DEFAULT, version(DEFAULT, "the default")));
    };
    match major(&text) {
        Some(major) if major >= OLDEST => Ok((major, version(major, source))),
        Some(major) => Err(DetectError::Unsupported(format!(
            "Node.js {major} ({source}) is too old: versions from {OLDEST} on can be built."
        ))),
        None => {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
            Err(DetectError::Invalid(format!(
                "`{shown}` ({source}) is no version of Node.js that is known."
            )))
        }
    }
}

fn version(major: u32, source: &str) -> Version {
    Version { name: "node".into(), version: major.to_string(), source: source.to_owned() }
}

fn first_line(text: &str) -> String {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    lines.into_iter().find(|line| !line.is_empty()).unwrap_or("").to_owned()
}

/// The major version a version, a range or an alias means.
fn major(text: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    match text.as_str() {
        "node" | "latest" | "current" | "stable" | "lts" | "lts/*" | "*" | "x" => {
            return Some(DEFAULT);
        }
        "lts/krypton" => return Some(24),
        "lts/jod" => return Some(22),
        "lts/iron" => return Some(20),
        "lts/hydrogen" => return Some(18),
        "lts/gallium" => return Some(16),
        _ => {}
    }
    let ranges: Vec<Range> = text.split("||").map(Range::parse).collect::<Option<_>>()?;
    let known =
        KNOWN.iter().copied().find(|major| ranges.iter().any(|range| range.reaches(*major)));
    // A version outside of the list: a newer or an older one, taken by its number.
    known.or_else(|| ranges.iter().map(|range| u32::try_from(range.from.0).ok()).next().flatten())
}

type Triple = (u64, u64, u64);

/// Versions from `from` up to, not including, `to`.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: Triple,
    to: Triple,
}

impl Range {
    const ALL: Self = Self { from: (0, 0, 0), to: (u64::MAX, 0, 0) };

    /// Reads the comparators between two `||`.
    fn parse(text: &str) -> Option<Self> {
        if let Some((low, high)) = text.split_once(" - ") {
            let (from, to) = (Self::version(low)?.from, Self::version(high)?.to);
            return Some(Self { from, to });
        }
        // `>= 18` is written with a blank too.
        let mut glued = String::new();
        for c in text.trim().chars() {
            if !(c.is_whitespace() && glued.ends_with(['>', '<', '=', '^', '~'])) {
                glued.push(c);
            }
        }
        glued
            .split([' ', ',', '\t'])
            .filter(|part| !part.is_empty())
            .try_fold(Self::ALL, |all, part| Some(all.and(Self::comparator(part)?)))
    }

    fn comparator(text: &str) -> Option<Self> {
        let digits = text.trim_start_matches(['>', '<', '=', '^', '~']);
        let operator = &text[..text.len() - digits.len()];
        let exact = Self::version(digits)?;
        Some(match operator {
            "" | "=" => exact,
            // What may change within a major version does not matter here.
            "^" => Self { to: (exact.from.0 + 1, 0, 0), ..exact },
            "~" | "~>" => Self { to: exact.to.max((exact.from.0, exact.from.1 + 1, 0)), ..exact },
            ">=" => Self { to: Self::ALL.to, ..exact },
            ">" => Self { from: exact.to, to: Self::ALL.to },
            "<" => Self { from: Self::ALL.from, to: exact.from },
            "<=" => Self { from: Self::ALL.from, to: exact.to },
            _ => return None,
        })
    }

    /// `20`, `20.x`, `v20.11.1`: all the versions that start so.
    fn version(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let text = text.split(['-', '+']).next()?;
        let mut parts = [None; 3];
        let words: Vec<&str> = text.split('.').collect();
        if words.len() > 3 {
            return None;
        }
        for (slot, word) in parts.iter_mut().zip(&words) {
            if matches!(*word, "x" | "*" | "X") {
                break;
            }
            // Numbers beyond this are no versions, and adding one to them must not overflow.
            *slot = Some(word.parse::<u64>().ok().filter(|n| *n < 1_000_000)?);
        }
        Some(match parts {
            [None, ..] => Self::ALL,
            [Some(a), None, _] => Self { from: (a, 0, 0), to: (a + 1, 0, 0) },
            [Some(a), Some(b), None] => Self { from: (a, b, 0), to: (a, b + 1, 0) },
            [Some(a), Some(b), Some(c)] => Self { from: (a, b, c), to: (a, b, c + 1) },
        })
    }

    fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    fn reaches(&self, major: u32) -> bool {
        let major = u64::from(major);
        self.from < self.to && self.from < (major + 1, 0, 0) && self.to > (major, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_ranges_and_aliases() {
        for (text, expected) in [
            ("22", Some(22)),
            ("v20.11.1", Some(20)),
            ("20.x", Some(20)),
            (">=18", Some(22)),
            (">= 18.0.0", Some(22)),
            (">=18 <21", Some(20)),
            ("^18.0.0 || ^20.0.0", Some(20)),
            ("^18 || >=22", Some(22)),
            ("18 - 20", Some(20)),
            ("~24.1", Some(24)),
            ("<20", Some(18)),
            ("<=20", Some(20)),
            (">22", Some(24)),
            ("25", Some(25)),
            ("14", Some(14)),
            ("*", Some(22)),
            ("lts/*", Some(22)),
            ("lts/iron", Some(20)),
            ("node", Some(22)),
            ("latest-ish", None),
            ("1.2.3.4", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(major(text), expected, "{text}");
        }
        assert_eq!(first_line("# x\n\nv20 # here\n"), "v20");
    }
}
