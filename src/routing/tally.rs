//! What an upstream has answered: how many requests it got, and how many of them failed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Fewer requests than this say nothing.
const ENOUGH: u64 = 20;

/// Requests, and those of them that were answered with a failure of the server or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub failures: u64,
}

impl Counts {
    /// What came since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            failures: self.failures.saturating_sub(earlier.failures),
        }
    }

    /// Whether at least half of enough requests failed.
    pub fn fails(self) -> bool {
        self.requests >= ENOUGH && self.failures.saturating_mul(2) >= self.requests
    }
}

/// The counts of one upstream.
#[derive(Debug, Default)]
pub struct Tally {
    requests: AtomicU64,
    failures: AtomicU64,
    /// The counts at the last two marks.
    marks: Mutex<[Counts; 2]>,
}

impl Tally {
    /// A request came.
    pub fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A request failed.
    pub fn failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts since the upstream was made.
    pub fn counts(&self) -> Counts {
        // In this order there are never more failures than requests.
        let failures = self.failures.load(Ordering::Relaxed);
        Counts { requests: self.requests.load(Ordering::Relaxed), failures }
    }

    /// Remembers the counts of now. Called every few seconds, by one alone.
    pub fn mark(&self) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        *marks = [marks[1], self.counts()];
    }

    /// What came since the mark before the last one.
    pub fn lately(&self) -> Counts {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        self.counts().since(marks[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_enough_requests_is_a_failure() {
        for (requests, failures, fails) in
            [(0, 0, false), (19, 19, false), (20, 9, false), (20, 10, true), (1000, 499, false)]
        {
            assert_eq!(Counts { requests, failures }.fails(), fails, "{failures} of {requests}");
        }
    }

    #[test]
    fn what_came_lately_forgets_what_was_before_two_marks() {
        let tally = Tally::default();
        let ask = |count: usize| (0..count).for_each(|_| tally.request());
        ask(5);
        tally.failure();
        assert_eq!(tally.lately(), Counts { requests: 5, failures: 1 });
        tally.mark();
        ask(3);
        tally.mark();
        ask(2);
        assert_eq!(tally.lately(), Counts { requests: 5, failures: 0 });
        tally.mark();
        assert_eq!(tally.lately(), Counts { requests: 2, failures: 0 });
    }
}
