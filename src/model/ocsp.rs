//! What the responder of a certificate's authority says of it (OCSP): how long it is shown, and when it is asked again.

use std::time::Duration;

use super::timestamp::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// An answer is not shown any more so long before its end: a client's clock may be ahead, and a look takes a while.
const MARGIN: Duration = Duration::from_secs(2 * MINUTE);
/// How long a certificate that must be shown with an answer waits for the first one behind the certificate before it.
pub const AWAITED: Duration = Duration::from_secs(MINUTE);

/// Where a certificate stands with its responder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OcspStanding {
    /// It is good, by an answer that holds until then.
    pub good_until: Option<Timestamp>,
    /// Its authority has revoked it.
    pub revoked_at: Option<Timestamp>,
    /// Why the last question was not answered, for people.
    pub error: Option<String>,
}

/// Whether an answer that holds until then is shown to visitors.
pub fn is_shown(until: Timestamp, now: Timestamp) -> bool {
    now.plus(MARGIN) < until
}

/// How long until the responder is asked again that has answered: half of what the answer holds, and not more than a
/// day, so that a certificate that is revoked is heard of.
pub fn ask_again(until: Timestamp, now: Timestamp) -> Duration {
    let half = Duration::from_millis(until.millis_since(now) / 2);
    half.clamp(Duration::from_secs(MINUTE), Duration::from_secs(24 * HOUR))
}

/// How long to wait after so many questions in a row without an answer.
pub fn pause(failures: u32) -> Duration {
    Duration::from_secs(match failures {
        0 | 1 => MINUTE,
        2 => 5 * MINUTE,
        3 => 15 * MINUTE,
        _ => HOUR,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_renewed_well_before_its_end_and_never_shown_after_it() {
        let now = Timestamp(1_000_000_000_000);
        let hours = |hours: u64| now.plus(Duration::from_secs(hours * HOUR));
        assert_eq!(ask_again(hours(168), now), Duration::from_secs(24 * HOUR));
        assert_eq!(ask_again(hours(12), now), Duration::from_secs(6 * HOUR));
        assert_eq!(ask_again(now, now), Duration::from_secs(MINUTE));
        let minutes = |minutes: u64| now.plus(Duration::from_secs(minutes * MINUTE));
        assert!(is_shown(minutes(3), now) && !is_shown(minutes(2), now) && !is_shown(now, now));
        let pauses: Vec<_> = (0..6).map(|failures| pause(failures).as_secs() / MINUTE).collect();
        assert_eq!(pauses, [1, 1, 5, 15, 60, 60]);
    }
}
