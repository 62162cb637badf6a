//! What a deployment has answered, counted by each thread for itself, so that a count never crosses a core.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::model::histogram::{SLOTS, slot};

/// Threads that are counted apart; beyond them they share.
const THREADS: usize = 256;

/// The counts of one deployment.
#[derive(Debug)]
pub struct Meters {
    threads: Box<[OnceLock<Box<Counts>>]>,
    /// The sums that are in the stored series. Kept here, because the counts outlive whoever stores them.
    told: Mutex<Sums>,
}

/// The counts of one thread.
#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    /// By the first digit of the status.
    classes: [AtomicU64; 6],
    buckets: [AtomicU64; SLOTS],
    micros: AtomicU64,
    bytes: AtomicU64,
}

/// The sums over all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests that are under way.
    pub in_flight: u64,
    /// Requests that are over, by the first digit of the status; the first is of those that were cut off.
    pub classes: [u64; 6],
    /// Requests by how long they took; see [`BUCKETS`](crate::model::histogram::BUCKETS).
    pub buckets: [u64; SLOTS],
    /// All of them together took this long.
    pub micros: u64,
    /// Bytes of answers' bodies.
    pub bytes: u64,
}

impl Default for Meters {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..cores.min(THREADS)).map(|_| OnceLock::new()).collect();
        Self { threads, told: Mutex::default() }
    }
}

/// A sum that hardly ever another thread writes, so that its memory stays with this core.
fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

impl Meters {
    fn of(&self, thread: usize) -> &Counts {
        self.threads[thread % self.threads.len()].get_or_init(Box::default)
    }

    /// A request has begun on this thread.
    pub fn begin(&self, thread: usize) {
        add(&self.of(thread).begun, 1);
    }

    /// It is over.
    pub fn end(&self, thread: usize, status: u16, micros: u64, bytes: u64) {
        let counts = self.of(thread);
        let class = usize::from(status / 100).min(5);
        add(&counts.classes[class], 1);
        add(&counts.buckets[slot(micros)], 1);
        add(&counts.micros, micros);
        add(&counts.bytes, bytes);
    }

    /// The sums of now.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        let mut begun = 0u64;
        for counts in self.threads.iter().filter_map(OnceLock::get) {
            let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
            for (sum, count) in sums.classes.iter_mut().zip(&counts.classes) {
                *sum += read(count);
            }
            for (sum, count) in sums.buckets.iter_mut().zip(&counts.buckets) {
                *sum += read(count);
            }
            sums.micros += read(&counts.micros);
            sums.bytes += read(&counts.bytes);
            begun += read(&counts.begun);
        }
        sums.in_flight = begun.saturating_sub(sums.requests());
        sums
    }

    /// The sums of now, and what of them is not stored yet.
    pub fn untold(&self) -> (Sums, Sums) {
        let now = self.sums();
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        (now, now.since(&told))
    }

    /// These sums are stored.
    pub fn told(&self, sums: Sums) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = sums;
    }
}

impl Sums {
    /// Requests that are over.
    pub fn requests(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// What came since `earlier`; in flight are those of now.
    fn since(&self, earlier: &Self) -> Self {
        let mut rest = *self;
        for (sum, before) in rest.classes.iter_mut().zip(earlier.classes) {
            *sum = sum.saturating_sub(before);
        }
        for (sum, before) in rest.buckets.iter_mut().zip(earlier.buckets) {
            *sum = sum.saturating_sub(before);
        }
        rest.micros = rest.micros.saturating_sub(earlier.micros);
        rest.bytes = rest.bytes.saturating_sub(earlier.bytes);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_over_all_threads() {
        let meters = Meters::default();
        for thread in 0..300 {
            meters.begin(thread);
            meters.end(thread, 200, 600, 10);
        }
        for _ in 0..3 {
            meters.begin(0);
            meters.end(0, 503, 400_000_000, 0);
        }
        meters.begin(1);
        let sums = meters.sums();
        assert_eq!((sums.requests(), sums.classes[2], sums.classes[5]), (303, 300, 3));
        assert_eq!((sums.bytes, sums.in_flight), (3000, 1));
    }

    #[test]
    fn what_was_stored_is_not_told_again() {
        let meters = Meters::default();
        meters.begin(0);
        meters.end(0, 200, 600, 10);
        let (now, untold) = meters.untold();
        assert_eq!((now, untold.requests()), (untold, 1));
        // It could not be stored: the next time it is told with what has come since.
        meters.begin(0);
        assert_eq!(meters.untold().1.requests(), 1);
        meters.told(now);
        meters.end(0, 500, 600, 10);
        let untold = meters.untold().1;
        assert_eq!((untold.requests(), untold.classes[5], untold.bytes), (1, 1, 10));
    }
}
