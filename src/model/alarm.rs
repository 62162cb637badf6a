//! What is told of the server itself: once when it begins, and not again until it was over.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::deployment::words;
use super::timestamp::Timestamp;

words!(
    /// What can be wrong, by the event that tells of it.
    Alarm { DiskLow = "system.disk.low", EngineDown = "system.engine.down" });

/// Looks in a row at the engine that count: one that is restarted is away for a moment.
pub const LOOKS: u32 = 3;

/// Whether a disk with this much left is too full. Between the floor and a quarter above it nothing changes, so that a
/// disk at its floor is told of once.
pub fn is_low(free: u64, floor: u64, before: bool) -> bool {
    if before { free < floor.saturating_add(floor / 4) } else { free < floor }
}

/// Looks at something that may be away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Streak {
    /// What the last look saw, and how many in a row saw the same.
    there: bool,
    looks: u32,
    /// The first of them.
    since: Option<Timestamp>,
}

impl Streak {
    /// Takes in a look. Answers whether it is there, once enough looks have said so, and since when.
    pub fn look(&mut self, there: bool, now: Timestamp) -> Option<(bool, Timestamp)> {
        if self.since.is_none() || self.there != there {
            *self = Self { there, looks: 0, since: Some(now) };
        }
        self.looks = self.looks.saturating_add(1);
        (self.looks >= LOOKS).then_some((there, self.since.unwrap_or(now)))
    }
}

/// The data of `system.disk.low`.
pub fn disk_low(free: u64, floor: u64) -> Value {
    json!({ "free_bytes": free, "floor_bytes": floor })
}

/// The data of `system.engine.down`.
pub fn engine_down(since: Timestamp) -> Value {
    json!({ "since": since })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_low_until_there_is_clearly_more() {
        let mut low = false;
        let mut said = Vec::new();
        for free in [101, 100, 99, 100, 110, 124, 125, 110, 100, 99] {
            low = is_low(free, 100, low);
            said.push(low);
        }
        assert_eq!(said, [false, false, true, true, true, true, false, false, false, true]);
        assert!(!is_low(0, 0, false) && !is_low(0, 0, true));
        assert!(is_low(u64::MAX - 1, u64::MAX, true));
    }

    #[test]
    fn a_look_alone_says_nothing() {
        let mut streak = Streak::default();
        let mut said = Vec::new();
        let looks = [true, true, true, false, false, true, false, false, false, false, true];
        for (at, there) in looks.into_iter().enumerate() {
            let at = Timestamp(i64::try_from(at).unwrap());
            said.push(streak.look(there, at).map(|(there, since)| (there, since.0)));
        }
        let there = Some((true, 0));
        let away = Some((false, 6));
        assert_eq!(said[..6], [None, None, there, None, None, None]);
        assert_eq!(said[6..], [None, None, away, away, None]);
    }
}
