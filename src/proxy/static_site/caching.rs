//! What tells a client how long a file is good, and whether it still has the newest.

use std::time::{Duration, SystemTime};

use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::find::Opened;

/// Kept, but asked about every time.
pub const REVALIDATE: HeaderValue = HeaderValue::from_static("public, max-age=0, must-revalidate");
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Directories into which build tools put files whose names change with their content.
const HASHED: [&str; 10] =
    ["_app", "_astro", "_nuxt", "assets", "build", "chunks", "css", "immutable", "js", "media"];

/// What identifies one version of a file.
#[derive(Debug)]
pub struct Validators {
    /// Strong.
    pub etag: HeaderValue,
    /// An HTTP date.
    pub modified: HeaderValue,
}

impl Validators {
    /// Those of an opened file. Every encoding has its own.
    pub fn of(opened: &Opened) -> Self {
        let since = opened.changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let etag = format!(
            "\"{:x}-{:x}{}\"",
            opened.length,
            since.as_nanos(),
            opened.encoding.map_or("", |encoding| match encoding {
                "br" => "-br",
                "zstd" => "-zst",
                _ => "-gz",
            }),
        );
        Self {
            etag: HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\"")),
            modified: http_date(since),
        }
    }

    /// Whether the client's copy is this version (RFC 9110 section 13.2.2).
    pub fn client_has_it(&self, request: &HeaderMap) -> bool {
        let mut tags = request.get_all(IF_NONE_MATCH).iter().peekable();
        if tags.peek().is_some() {
            return tags
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .map(str::trim)
                // A comparison for this purpose takes weak tags as well.
                .any(|tag| tag == "*" || tag.trim_start_matches("W/") == self.etag);
        }
        // Only the very date we gave: a client's own date says nothing about the version.
        request.get(IF_MODIFIED_SINCE) == Some(&self.modified)
    }

    /// Whether a range may be served: the client has the rest of this very version, or does not
    /// ask (RFC 9110 section 13.1.5). A date has whole seconds only and does not identify.
    pub fn allow_range(&self, request: &HeaderMap) -> bool {
        request.get(IF_RANGE).is_none_or(|validator| *validator == self.etag)
    }
}

fn http_date(since: Duration) -> HeaderValue {
    Timestamp::from_second(i64::try_from(since.as_secs()).unwrap_or(0))
        .ok()
        .and_then(|time| DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok())
        .and_then(|date| HeaderValue::try_from(date).ok())
        .unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

/// How long a file may be used without asking.
pub fn policy(directory: &str, name: &str) -> HeaderValue {
    if is_hashed(directory, name) { IMMUTABLE } else { REVALIDATE }
}

/// Whether a name holds a hash of the content: `name-<hash>.ext` or `name.<hash>.ext`. A wrong
/// yes makes visitors keep an old file for a year, so it is a no where in doubt.
pub fn is_hashed(directory: &str, name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    let asset = matches!(
        extension,
        "js" | "mjs"
            | "css"
            | "map"
            | "wasm"
            | "woff"
            | "woff2"
            | "ttf"
            | "otf"
            | "png"
            | "jpg"
            | "jpeg"
            | "gif"
            | "svg"
            | "webp"
            | "avif"
            | "ico"
            | "mp4"
            | "webm"
    );
    if !asset {
        return false;
    }
    if stem.rsplit(['-', '.', '_']).next().is_some_and(is_hexadecimal) {
        return true;
    }
    // A base64 hash may itself hold hyphens and is not longer than needed.
    let base64 = stem.len() > 9
        && stem.is_char_boundary(stem.len() - 9)
        && stem[stem.len() - 9..].starts_with(['-', '.'])
        && is_base64(&stem[stem.len() - 8..]);
    base64 && HASHED.contains(&directory)
}

/// Not a number, not a word: letters and digits both.
fn is_hexadecimal(text: &str) -> bool {
    text.len() >= 8
        && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Not a word: an upper-case letter or a digit after the first character.
fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && text.bytes().skip(1).any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && !text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The media type of a name's extension; text is said to be UTF-8.
pub fn content_type(name: &str) -> HeaderValue {
    let guess = mime_guess::from_path(name).first_raw();
    let text = match guess {
        Some(guess) if guess.starts_with("text/") => format!("{guess}; charset=utf-8"),
        Some(guess) => return HeaderValue::from_static(guess),
        None if name.ends_with(".webmanifest") => "application/manifest+json".to_owned(),
        None => return HeaderValue::from_static("application/octet-stream"),
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashed_assets_are_immutable() {
        for (directory, name, immutable) in [
            ("assets", "index-BdH3_x8q.js", true),
            ("assets", "index-B-d3_x8q.css", true),
            ("", "main.8f3a2b1c.css", true),
            ("media", "logo.5d41402abc4b2a76b9719d911017c592.svg", true),
            ("assets", "app-component.js", false),
            ("", "index-BdH3_x8q.js", false),
            ("assets", "report-20240115.js", false),
            ("assets", "logo-20240115.png", false),
            ("", "index-8f3a2b1c.html", false),
            ("", "paper-8f3a2b1c.pdf", false),
            ("assets", "é3456789é.js", false),
            ("", "deadbeef", false),
        ] {
            assert_eq!(is_hashed(directory, name), immutable, "{directory}/{name}");
        }
    }

    #[test]
    fn text_is_utf_8() {
        assert_eq!(content_type("a.html"), "text/html; charset=utf-8");
        assert_eq!(content_type("a.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("a.png"), "image/png");
        assert_eq!(content_type("a"), "application/octet-stream");
    }
}
