//! `Range` (RFC 9110 section 14.2).

/// What a range asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Ranged {
    /// Everything: no range, several (which may be ignored), or one that makes no sense.
    Whole,
    /// The bytes from `first` to `last`, both included.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte; smaller than the length.
        last: u64,
    },
    /// Bytes that do not exist.
    Unsatisfiable,
}

/// Reads a range of a file that is `length` bytes long.
pub fn parse(value: &str, length: u64) -> Ranged {
    let Some((unit, set)) = value.split_once('=') else {
        return Ranged::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Ranged::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else {
        return Ranged::Whole;
    };
    match (position(first), position(last)) {
        (Some(None), Some(Some(suffix))) => match length.min(suffix) {
            0 => Ranged::Unsatisfiable,
            suffix => Ranged::Part { first: length - suffix, last: length - 1 },
        },
        (Some(Some(first)), Some(last)) => {
            let last = last.unwrap_or(u64::MAX);
            if last < first {
                Ranged::Whole
            } else if first >= length {
                Ranged::Unsatisfiable
            } else {
                Ranged::Part { first, last: last.min(length - 1) }
            }
        }
        _ => Ranged::Whole,
    }
}

/// A number that may be left out; `None` when it is neither. One too large is the largest.
fn position(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_served_and_all_else_is_whole() {
        let part = |first, last| Ranged::Part { first, last };
        for (value, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=2-5", part(2, 5)),
            ("Bytes=2-", part(2, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-30", part(0, 9)),
            ("bytes=5-99", part(5, 9)),
            ("bytes=0-99999999999999999999999", part(0, 9)),
            ("bytes=10-", Ranged::Unsatisfiable),
            ("bytes=99999999999999999999-", Ranged::Unsatisfiable),
            ("bytes=-0", Ranged::Unsatisfiable),
            ("bytes=5-2", Ranged::Whole),
            ("bytes=0-,0-", Ranged::Whole),
            ("bytes=", Ranged::Whole),
            ("bytes=-", Ranged::Whole),
            ("bytes=a-b", Ranged::Whole),
            ("items=0-1", Ranged::Whole),
            ("0-1", Ranged::Whole),
        ] {
            assert_eq!(parse(value, 10), expected, "{value}");
        }
        assert_eq!(parse("bytes=0-", 0), Ranged::Unsatisfiable);
    }
}
