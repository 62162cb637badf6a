//! How long requests took, as counts between fixed bounds: histograms can be added, percentiles cannot.

/// Upper ends of the buckets, in microseconds; what is beyond is in one more.
pub const BUCKETS: [u64; 14] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000,
];
/// How many counts a histogram has.
pub const SLOTS: usize = BUCKETS.len() + 1;

/// The slot of a duration in microseconds.
pub fn slot(micros: u64) -> usize {
    BUCKETS.iter().position(|end| micros <= *end).unwrap_or(BUCKETS.len())
}

/// How long so many hundredths took at most, in microseconds; between two ends of a bucket as if they were spread
/// evenly, and beyond the last end that end. `None` when nothing was counted.
pub fn percentile(counts: &[u64; SLOTS], hundredths: u64) -> Option<u64> {
    let all = counts.iter().fold(0u64, |all, count| all.saturating_add(*count));
    let wanted = all.saturating_mul(hundredths).div_ceil(100).max(1);
    let mut before = 0u64;
    for (index, count) in counts.iter().enumerate() {
        if before.saturating_add(*count) >= wanted {
            let least = if index == 0 { 0 } else { BUCKETS[index - 1] };
            let most = BUCKETS.get(index).copied().unwrap_or(least);
            return Some(least + (most - least).saturating_mul(wanted - before) / count);
        }
        before = before.saturating_add(*count);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_in_their_bucket() {
        let mut counts = [0; SLOTS];
        assert_eq!(percentile(&counts, 50), None);
        counts[slot(600)] = 300;
        counts[slot(400_000_000)] = 3;
        assert!(percentile(&counts, 50).is_some_and(|micros| micros < 1000));
        assert_eq!(percentile(&counts, 100), Some(30_000_000));
        assert_eq!((slot(0), slot(1000), slot(1001)), (0, 0, 1));
        counts[0] = u64::MAX;
        assert!(percentile(&counts, 99).is_some());
    }
}
