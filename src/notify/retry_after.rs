//! `Retry-After`: seconds or a date (RFC 9110 §10.2.3).

use std::time::Duration;

use crate::model::timestamp::Timestamp;

/// The longest that is waited because a receiver asks for it.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long to wait from now on; a day at most. `None` when it says nothing that can be read.
pub(super) fn parse(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().map_or(LONGEST, Duration::from_secs).min(LONGEST));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    Some(Duration::from_millis(Timestamp(date).millis_since(now)).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        let now = Timestamp::parse("2026-01-20T16:30:00Z").expect("a moment");
        let seconds = |text| parse(text, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Tue, 20 Jan 2026 16:32:00 GMT"), Some(120));
        assert_eq!(seconds("Tue, 20 Jan 2026 16:00:00 GMT"), Some(0));
        assert_eq!(seconds("99999999999999999999999"), Some(86_400));
        assert_eq!(seconds("Tue, 20 Jan 2099 16:32:00 GMT"), Some(86_400));
        for bad in ["", "soon", "-1", "1.5", "2026-01-20"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
