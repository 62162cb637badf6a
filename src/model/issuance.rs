//! When a certificate is asked for: not before it is needed, and never more often than the authority likes.

use std::time::Duration;

use super::timestamp::Timestamp;

/// New names of one registered domain in a week. The usual authority's limit is 50.
pub const BUDGET: u32 = 40;
/// The same for names of single deployments and branches, which leave some for those that stay.
pub const BUDGET_OF_PREVIEWS: u32 = 25;
/// The same with renewals, which the authority does not count.
pub const BUDGET_WITH_RENEWALS: u32 = 48;
/// The time the budget is for.
pub const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// Days before its end at which people are told of a certificate that was not renewed.
pub const WARNINGS: [u32; 2] = [21, 7];

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Whether a certificate is to be renewed: a third of its life is left.
pub fn is_due(not_before: Timestamp, not_after: Timestamp, now: Timestamp) -> bool {
    let life = not_after.millis_since(not_before);
    not_after.millis_since(now) <= life / 3
}

/// How long to wait after so many failures in a row; `random` spreads those that failed together.
pub fn pause(failures: u32, random: u16) -> Duration {
    let base = match failures {
        0 | 1 => 5 * MINUTE,
        2 => 15 * MINUTE,
        3 => HOUR,
        4 => 4 * HOUR,
        5 => 12 * HOUR,
        _ => 24 * HOUR,
    };
    // Up to a fifth more.
    Duration::from_secs(base + base * u64::from(random) / (5 * u64::from(u16::MAX)))
}

/// What the authority counts names by. Two labels, which may be fewer than it takes, so that nobody's budget is
/// overdrawn: all of `co.uk` has one.
pub fn registered(host: &str) -> &str {
    let mut dots = host.rmatch_indices('.').map(|(at, _)| at);
    dots.nth(1).map_or(host, |at| &host[at + 1..])
}

/// The last warning that is due, in days.
pub fn warning(not_after: Timestamp, now: Timestamp) -> Option<u32> {
    let left = not_after.millis_since(now);
    WARNINGS.into_iter().rev().find(|days| left <= u64::from(*days) * 24 * HOUR * 1000)
}

/// A record that says who may sign for a name (CAA, RFC 8659 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Who does not know the tag may not sign.
    pub critical: bool,
    /// In lower case.
    pub tag: String,
    pub value: String,
}

/// Whether these records let the authority with this name sign. Without any that is about signing, all may.
pub fn permits(permissions: &[Permission], authority: &str, is_wildcard: bool) -> bool {
    let known = ["issue", "issuewild", "iodef"];
    if permissions.iter().any(|one| one.critical && !known.contains(&one.tag.as_str())) {
        return false;
    }
    let is_there = |tag: &str| permissions.iter().any(|one| one.tag == tag);
    let tag = if is_wildcard && is_there("issuewild") { "issuewild" } else { "issue" };
    let who = |one: &Permission| {
        let (name, _) = one.value.split_once(';').unwrap_or((&one.value, ""));
        name.trim().eq_ignore_ascii_case(authority)
    };
    !is_there(tag) || permissions.iter().any(|one| one.tag == tag && who(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600 * 1000;

    #[test]
    fn a_third_of_its_life_is_left() {
        let due = |day| is_due(Timestamp(0), Timestamp(90 * DAY), Timestamp(day * DAY));
        assert!(!due(0) && !due(59) && due(60) && due(89) && due(100));
    }

    #[test]
    fn warnings_come_twice() {
        let days = |left: i64| warning(Timestamp(100 * DAY), Timestamp((100 - left) * DAY));
        assert_eq!(
            [days(30), days(21), days(8), days(7), days(-1)],
            [None, Some(21), Some(21), Some(7), Some(7)]
        );
    }

    #[test]
    fn pauses_grow_and_are_spread() {
        assert_eq!(pause(1, 0).as_secs(), 300);
        assert_eq!(pause(1, u16::MAX).as_secs(), 360);
        assert_eq!(pause(100, 0).as_secs(), 86_400);
        assert!((1..7).all(|n| pause(n, u16::MAX) < pause(n + 1, 0) || n == 6));
    }

    #[test]
    fn the_owner_of_a_name_says_who_may_sign() {
        let record = |(critical, tag, value): &(bool, &str, &str)| Permission {
            critical: *critical,
            tag: (*tag).to_owned(),
            value: (*value).to_owned(),
        };
        let ours = "letsencrypt.org";
        for (records, name, wildcard) in [
            (&[][..], true, true),
            (&[(false, "issue", "letsencrypt.org")], true, true),
            (&[(false, "issue", "letsencrypt.org; validationmethods=dns-01")], true, true),
            (&[(false, "issue", "other.example"), (false, "issue", "LetsEncrypt.org")], true, true),
            (&[(false, "issue", "other.example")], false, false),
            (&[(false, "issue", ";")], false, false),
            (&[(false, "issuewild", ";")], true, false),
            (&[(false, "issue", ";"), (false, "issuewild", "letsencrypt.org")], false, true),
            (&[(false, "iodef", "mailto:a@example.org")], true, true),
            (&[(false, "later", "x")], true, true),
            (&[(true, "later", "x")], false, false),
        ] {
            let records: Vec<_> = records.iter().map(record).collect();
            assert_eq!(permits(&records, ours, false), name, "{records:?}");
            assert_eq!(permits(&records, ours, true), wildcard, "{records:?}");
        }
    }

    #[test]
    fn names_share_a_budget() {
        for (host, domain) in
            [("a.b.example.org", "example.org"), ("example.org", "example.org"), ("x", "x")]
        {
            assert_eq!(registered(host), domain);
        }
    }
}
