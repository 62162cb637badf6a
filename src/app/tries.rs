//! Tries that are counted: so many in so long, then the next has to wait until the oldest is that old.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::timestamp::Timestamp;

/// Most keys that are remembered; a flood of new ones must not fill the memory.
const KEYS: usize = 10_000;

/// When tries were made, by who made them or what they were made at.
pub struct Tries<K> {
    limit: usize,
    /// Milliseconds.
    window: i64,
    made: Mutex<HashMap<K, VecDeque<Timestamp>>>,
}

impl<K: Clone + Eq + Hash> Tries<K> {
    /// At most `limit` within `window` milliseconds.
    pub(super) fn new(limit: usize, window: i64) -> Self {
        Self { limit, window, made: Mutex::default() }
    }

    fn made(&self) -> MutexGuard<'_, HashMap<K, VecDeque<Timestamp>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a try before it is checked: many at the same time are not more than many in a row.
    ///
    /// # Errors
    /// The seconds to wait, when there were too many.
    pub(super) fn begin(&self, key: K, now: Timestamp) -> Result<(), u64> {
        let mut made = self.made();
        if made.len() >= KEYS && !made.contains_key(&key) {
            self.make_room(&mut made, now);
        }
        let tries = made.entry(key).or_default();
        tries.retain(|at| now.0 - at.0 < self.window);
        if let (true, Some(oldest)) = (tries.len() >= self.limit, tries.front()) {
            let wait = (self.window - (now.0 - oldest.0)) / 1000 + 1;
            return Err(u64::try_from(wait).unwrap_or(1));
        }
        tries.push_back(now);
        Ok(())
    }

    /// Takes back a try that was a good one.
    pub(super) fn forgive(&self, key: &K, at: Timestamp) {
        let mut made = self.made();
        let Some(tries) = made.get_mut(key) else { return };
        if let Some(index) = tries.iter().rposition(|made| *made == at) {
            tries.remove(index);
        }
        if tries.is_empty() {
            made.remove(key);
        }
    }

    /// Forgets what is over, or else whoever has the fewest tries: who has many is not to be forgotten
    /// because of others.
    fn make_room(&self, made: &mut HashMap<K, VecDeque<Timestamp>>, now: Timestamp) {
        made.retain(|_, tries| tries.back().is_some_and(|last| now.0 - last.0 < self.window));
        if made.len() >= KEYS {
            let least = made.iter().min_by_key(|(_, tries)| (tries.len(), tries.back().copied()));
            if let Some(key) = least.map(|(key, _)| key.clone()) {
                made.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_try_waits_until_the_oldest_is_old() {
        let tries = Tries::new(3, 10_000);
        for at in [0, 4_000, 8_000] {
            assert_eq!(tries.begin("a", Timestamp(at)), Ok(()));
        }
        assert_eq!(tries.begin("a", Timestamp(9_000)), Err(2));
        assert_eq!(tries.begin("b", Timestamp(9_000)), Ok(()));
        assert_eq!(tries.begin("a", Timestamp(10_000)), Ok(()));
        assert_eq!(tries.begin("a", Timestamp(10_000)), Err(5));
        tries.forgive(&"a", Timestamp(10_000));
        assert_eq!(tries.begin("a", Timestamp(10_000)), Ok(()));
    }

    #[test]
    fn a_flood_of_others_does_not_make_it_forget_who_tried_often() {
        let tries = Tries::new(2, 1_000_000);
        assert_eq!(tries.begin(usize::MAX, Timestamp(0)), Ok(()));
        assert_eq!(tries.begin(usize::MAX, Timestamp(0)), Ok(()));
        for key in 0..KEYS + 500 {
            assert_eq!(tries.begin(key, Timestamp(1)), Ok(()));
        }
        assert_eq!(tries.made().len(), KEYS);
        assert!(tries.begin(usize::MAX, Timestamp(2)).is_err());
    }
}
