//! Times and durations as people read them. Everything is in UTC until accounts carry a time zone.

use std::fmt;

use askama::filters::HtmlSafe;

/// A moment, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// For the `datetime` attribute: `2026-11-23T12:04:02Z`.
    pub fn utc(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `23 Nov 12:04 UTC`.
    pub fn short(self) -> String {
        self.format("%-d %b %H:%M UTC")
    }

    /// `23 Nov 2026`, for dates far away.
    pub fn date(self) -> String {
        self.format("%-d %b %Y")
    }

    /// `12:04:02`, for log lines.
    pub fn clock(self) -> String {
        self.format("%H:%M:%S")
    }

    /// `23 Nov 12:04:02`, for lines of logs that go over days.
    pub fn stamp(self) -> String {
        self.format("%-d %b %H:%M:%S")
    }

    /// Everything, shown on hover: `2026-11-23 12:04:02 UTC`.
    pub fn exact(self) -> String {
        self.format("%Y-%m-%d %H:%M:%S UTC")
    }

    /// The moment this many milliseconds later.
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    fn format(self, pattern: &str) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map(|at| at.strftime(pattern).to_string())
            .unwrap_or_default()
    }
}

/// A duration in milliseconds. Written as `0.2 s`, `52 s`, `3 min 10 s`, `2 h 5 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// Whole seconds.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// A running time: `0:42`.
    pub fn stopwatch(self) -> String {
        format!("{}:{:02}", self.seconds() / 60, self.seconds() % 60)
    }
}

/// Digits and units only.
impl HtmlSafe for Millis {}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        match seconds {
            0..10 => write!(f, "{seconds}.{} s", self.0 % 1000 / 100),
            10..60 => write!(f, "{seconds} s"),
            60..3600 if seconds.is_multiple_of(60) => write!(f, "{} min", seconds / 60),
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            _ => write!(f, "{} h {} min", seconds / 3600, seconds % 3600 / 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_sentences() {
        for (millis, text) in [
            (0, "0.0 s"),
            (250, "0.2 s"),
            (9_999, "9.9 s"),
            (52_400, "52 s"),
            (180_000, "3 min"),
            (190_000, "3 min 10 s"),
            (7_500_000, "2 h 5 min"),
        ] {
            assert_eq!(Millis(millis).to_string(), text);
        }
        assert_eq!(Millis(42_900).stopwatch(), "0:42");
        assert_eq!(Millis(3_600_000).stopwatch(), "60:00");
    }

    #[test]
    fn moments_are_utc() {
        let at = Moment(1_795_435_442_000);
        assert_eq!(at.utc(), "2026-11-23T12:04:02Z");
        assert_eq!(at.short(), "23 Nov 12:04 UTC");
        assert_eq!(at.exact(), "2026-11-23 12:04:02 UTC");
        assert_eq!(at.clock(), "12:04:02");
        assert_eq!(Moment(i64::MAX).utc(), "");
    }
}
