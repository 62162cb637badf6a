//! What a deployment has answered, counted by each thread for itself, so that a count never crosses a core.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Upper ends of the histogram's buckets, in microseconds; what is beyond is in one more.
pub const BUCKETS: [u64; 14] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000,
];
/// Threads that are counted apart; beyond them they share.
const THREADS: usize = 256;

/// The counts of one deployment.
#[derive(Debug)]
pub struct Meters(Box<[OnceLock<Box<Counts>>]>);

/// The counts of one thread.
#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    /// By the first digit of the status.
    classes: [AtomicU64; 6],
    buckets: [AtomicU64; BUCKETS.len() + 1],
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
    /// Requests by how long they took; see [`BUCKETS`].
    pub buckets: [u64; BUCKETS.len() + 1],
    /// All of them together took this long.
    pub micros: u64,
    /// Bytes of answers' bodies.
    pub bytes: u64,
}

impl Default for Meters {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self((0..cores.min(THREADS)).map(|_| OnceLock::new()).collect())
    }
}

/// A sum that hardly ever another thread writes, so that its memory stays with this core.
fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

impl Meters {
    fn of(&self, thread: usize) -> &Counts {
        self.0[thread % self.0.len()].get_or_init(Box::default)
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
        let bucket = BUCKETS.iter().position(|end| micros <= *end).unwrap_or(BUCKETS.len());
        add(&counts.buckets[bucket], 1);
        add(&counts.micros, micros);
        add(&counts.bytes, bytes);
    }

    /// The sums of now.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        let mut begun = 0u64;
        for counts in self.0.iter().filter_map(OnceLock::get) {
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
}

impl Sums {
    /// Requests that are over.
    pub fn requests(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// How long so many hundredths of the requests took at most, in microseconds; between two ends of a bucket as if
    /// they were spread evenly. `None` without requests.
    pub fn percentile(&self, hundredths: u64) -> Option<u64> {
        let all: u64 = self.buckets.iter().sum();
        let wanted = (all * hundredths).div_ceil(100).max(1);
        let mut before = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            if before + count >= wanted {
                let least = if index == 0 { 0 } else { BUCKETS[index - 1] };
                let most = BUCKETS.get(index).copied().unwrap_or(least);
                return Some(least + (most - least) * (wanted - before) / count);
            }
            before += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_over_all_threads_and_percentiles_lie_in_their_bucket() {
        let meters = Meters::default();
        assert_eq!(meters.sums().percentile(50), None);
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
        assert!(sums.percentile(50).is_some_and(|micros| micros < 1000));
        assert_eq!(sums.percentile(100), Some(30_000_000));
    }
}
