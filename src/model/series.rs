//! Figures over time: what is kept of them and for how long, and what is made of them for those who ask.

pub mod block;
pub mod metric;
pub mod point;
pub mod span;

use std::time::Duration;

pub use block::Block;
pub use metric::Metric;
pub use point::Point;
pub use span::Span;

use super::timestamp::Timestamp;

/// Most points of a series in one answer.
pub const MOST_POINTS: i64 = 1440;

/// How finely figures are kept. Each is kept in all of them from the beginning, and the finer ones go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resolution {
    Fine,
    Minute,
    Hour,
}

impl Resolution {
    /// From the finest on.
    pub const ALL: [Self; 3] = [Self::Fine, Self::Minute, Self::Hour];

    /// Seconds of an interval.
    pub fn seconds(self) -> i64 {
        match self {
            Self::Fine => 15,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// Intervals in a block, which is a row: few rows, and little to write again for each new interval.
    pub fn per_block(self) -> i64 {
        match self {
            Self::Fine => 20,
            Self::Minute => 60,
            Self::Hour => 24,
        }
    }

    /// How long it is kept.
    pub fn kept(self) -> Duration {
        const DAY: u64 = 24 * 3600;
        Duration::from_secs(match self {
            Self::Fine => DAY,
            Self::Minute => 7 * DAY,
            Self::Hour => 400 * DAY,
        })
    }

    /// Beginning of the block that a moment is in (both in seconds since the epoch), and which of its intervals it is.
    pub fn place(self, second: i64) -> (i64, u16) {
        let start = second.div_euclid(self.block_seconds()) * self.block_seconds();
        (start, u16::try_from((second - start) / self.seconds()).unwrap_or(0))
    }

    /// Seconds of a block.
    pub fn block_seconds(self) -> i64 {
        self.seconds() * self.per_block()
    }

    /// Blocks that begin before this second are forgotten.
    pub fn forgotten_before(self, now: Timestamp) -> i64 {
        let kept = i64::try_from(self.kept().as_secs()).unwrap_or(i64::MAX);
        now.seconds() - kept - self.block_seconds()
    }
}

/// Figures of one kind over time, for those who ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub metric: Metric,
    /// What tells it from others of its kind: a name and a value.
    pub label: Option<(&'static str, String)>,
    /// By time. An interval that nothing is known of has no point.
    pub points: Vec<(Timestamp, f64)>,
}

#[cfg(test)]
mod tests;
