//! Ranges of versions as `package.json` writes them: `^20.1.0 || >=22`.

type Triple = (u64, u64, u64);

/// Versions from `from` up to, not including, `to`.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Triple,
    to: Triple,
}

/// Alternatives, of which one must hold.
#[derive(Clone, Debug)]
pub(super) struct Range(Vec<Span>);

impl Range {
    /// `None` when it is no range.
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().split("||").map(Span::parse).collect::<Option<_>>().map(Self)
    }

    /// Whether a version with this major number fits.
    pub fn reaches(&self, major: u32) -> bool {
        self.0.iter().any(|span| span.reaches(major))
    }

    /// The lowest major number that is written down.
    pub fn lowest(&self) -> Option<u32> {
        self.0.iter().filter_map(|span| u32::try_from(span.from.0).ok()).min()
    }
}

impl Span {
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
