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

/// When an authority wants a certificate to be renewed (RFC 9773 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Its window.
    pub from: Timestamp,
    pub to: Timestamp,
    /// The moment in it that was chosen for this certificate.
    pub at: Timestamp,
}

impl Renewal {
    /// A moment within the window, each as likely as any other, so that not everybody comes at once. `None` when the
    /// window is none.
    pub fn choose(from: Timestamp, to: Timestamp, random: u64) -> Option<Self> {
        let width = u64::try_from(to.0.checked_sub(from.0)?).ok().filter(|width| *width > 0)?;
        let offset = i64::try_from((u128::from(width) * u128::from(random)) >> 64).ok()?;
        Some(Self { from, to, at: Timestamp(from.0 + offset) })
    }
}

/// How long until the authority is asked again about a renewal, of what it says itself (RFC 9773 section 4.3).
pub fn ask_again(said: Option<Duration>) -> Duration {
    let usual = Duration::from_secs(6 * HOUR);
    said.unwrap_or(usual).clamp(Duration::from_secs(MINUTE), Duration::from_secs(24 * HOUR))
}

/// Whether a certificate is to be renewed: the authority wants it, or where it says nothing a third of its life is left.
/// A tenth is left for when the authority would wait too long.
pub fn is_due(
    not_before: Timestamp,
    not_after: Timestamp,
    wanted: Option<Renewal>,
    now: Timestamp,
) -> bool {
    let life = not_after.millis_since(not_before);
    let left = not_after.millis_since(now);
    match wanted {
        Some(renewal) => renewal.at <= now || left <= life / 10,
        None => left <= life / 3,
    }
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
        let due = |day| is_due(Timestamp(0), Timestamp(90 * DAY), None, Timestamp(day * DAY));
        assert!(!due(0) && !due(59) && due(60) && due(89) && due(100));
    }

    #[test]
    fn the_authority_says_when_and_never_too_late() {
        let at = |from: i64, to: i64| {
            Renewal::choose(Timestamp(from * DAY), Timestamp(to * DAY), 1 << 63)
        };
        let due =
            |renewal, day| is_due(Timestamp(0), Timestamp(90 * DAY), renewal, Timestamp(day * DAY));
        let middle = at(30, 32);
        assert_eq!(middle.map(|renewal| renewal.at), Some(Timestamp(31 * DAY)));
        assert!(!due(middle, 30) && due(middle, 31) && due(middle, 70));
        // It is revoked soon: a window in the past.
        assert!(due(at(-2, -1), 0));
        // A window that is far too late, and none at all.
        assert!(!due(at(100, 200), 80) && due(at(100, 200), 81));
        assert_eq!((at(5, 5), at(6, 5)), (None, None));
        let ends =
            |random| Renewal::choose(Timestamp(10), Timestamp(20), random).map(|one| one.at.0);
        assert_eq!((ends(0), ends(u64::MAX)), (Some(10), Some(19)));
        assert_eq!(Renewal::choose(Timestamp(i64::MIN), Timestamp(i64::MAX), 1), None);
    }

    #[test]
    fn the_authority_is_asked_neither_too_often_nor_too_seldom() {
        let after = |said: Option<u64>| ask_again(said.map(Duration::from_secs)).as_secs();
        assert_eq!([after(None), after(Some(0)), after(Some(7200))], [21_600, 60, 7200]);
        assert_eq!(after(Some(u64::MAX)), 86_400);
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
