//! Sizes for people.

use std::borrow::Borrow;

/// `0 MB`, `0.4 MB`, `12 MB`, `1.5 GB`: a thousand thousand bytes are a megabyte, as disks are sold.
pub fn size(bytes: impl Borrow<u64>) -> String {
    let bytes = *bytes.borrow();
    const MB: f64 = 1e6;
    let megabytes = bytes as f64 / MB;
    match megabytes {
        _ if bytes == 0 => "0 MB".to_owned(),
        small if small < 0.05 => "under 0.1 MB".to_owned(),
        some if some < 9.95 => format!("{some:.1} MB"),
        many if many < 999.5 => format!("{many:.0} MB"),
        more => format!("{:.1} GB", more / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (bytes, text) in [
            (0, "0 MB"),
            (1, "under 0.1 MB"),
            (412_000, "0.4 MB"),
            (9_949_999, "9.9 MB"),
            (12_400_000, "12 MB"),
            (999_400_000, "999 MB"),
            (999_600_000, "1.0 GB"),
            (81_234_567_890, "81.2 GB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }
}
