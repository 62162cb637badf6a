//! Masking secrets before a line is stored.

use std::ops::Range;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Shorter values are not masked: they would hit ordinary words.
const SHORTEST: usize = 6;
const MASK: &str = "***";

/// Everything that RFC 3986 reserves, as URL libraries encode a component.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Knows the secret values of one log. Cheap to clone.
///
/// Masked are a value itself, its Base64 (standard and URL-safe, at any position inside a longer
/// Base64 text), its URL-encoded forms and its JSON-escaped form; of a value of several lines, each
/// line. Not masked: values under six bytes, and any other transformation (hex, reversed, split).
#[derive(Clone, Default)]
pub struct Redactor {
    search: Option<Arc<AhoCorasick>>,
}

impl Redactor {
    /// A redactor for these values.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<String> = secrets.into_iter().flat_map(forms).collect();
        forms.sort_unstable();
        forms.dedup();
        if forms.is_empty() {
            return Self::default();
        }
        match AhoCorasick::new(&forms) {
            Ok(search) => Self { search: Some(Arc::new(search)) },
            // Only with more text than an automaton's 2^31 states hold; a log must not leak then either.
            Err(error) => {
                tracing::error!(%error, "secrets cannot be masked, log lines are withheld");
                Self { search: AhoCorasick::new([""]).ok().map(Arc::new) }
            }
        }
    }

    /// A text with every secret masked.
    pub fn mask(&self, text: &str) -> String {
        self.redact(text, usize::MAX).0
    }

    /// The first `limit` bytes of `text` with every secret masked, and whether text was left out.
    /// A secret that lies across the limit is masked as a whole.
    pub(super) fn redact(&self, text: &str, limit: usize) -> (String, bool) {
        let mut clean = String::with_capacity(text.len().min(limit));
        let mut at = 0;
        for secret in self.secrets(text) {
            if secret.start >= limit {
                break;
            }
            clean.push_str(&text[at..secret.start]);
            clean.push_str(MASK);
            at = secret.end;
        }
        let mut end = limit.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let end = end.max(at);
        clean.push_str(&text[at..end]);
        (clean, end < text.len())
    }

    /// Where secrets are, in order; those that touch or overlap as one.
    fn secrets(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let Some(search) = &self.search else {
            return found;
        };
        // Ends come in order, starts do not: a later, longer match may swallow earlier ones.
        for hit in search.find_overlapping_iter(text) {
            let mut range = hit.range();
            while let Some(last) = found.last().filter(|last| last.end >= range.start) {
                range.start = range.start.min(last.start);
                found.pop();
            }
            found.push(range);
        }
        found
    }
}

/// The texts that give a value away.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for value in std::iter::once(secret).chain(secret.lines().map(str::trim)) {
        if value.len() < SHORTEST {
            continue;
        }
        let upper = utf8_percent_encode(value, COMPONENT).to_string();
        let lower = lower_case_escapes(&upper);
        forms.push(upper.replace("%20", "+"));
        forms.extend([upper, lower, value.to_owned()]);
        if let Ok(json) = serde_json::to_string(value) {
            forms.push(json[1..json.len() - 1].to_owned());
        }
        forms.extend((0..3).flat_map(|skip| base64_core(value, skip)));
    }
    // A form may have become shorter than a value may be, and no line contains a line end.
    forms.retain(|form| form.len() >= SHORTEST && !form.contains(['\n', '\r']));
    forms
}

/// What Base64 of any text contains that has the value at an offset of `skip` modulo 3: the
/// characters that depend on the value alone.
fn base64_core(value: &str, skip: usize) -> Vec<String> {
    let mut bytes = vec![0; skip];
    bytes.extend_from_slice(value.as_bytes());
    let first = (skip * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD]
        .iter()
        .map(|engine| engine.encode(&bytes))
        .filter_map(|text| text.get(first..last).map(str::to_owned))
        .collect()
}

/// `%2F` as `%2f`.
fn lower_case_escapes(encoded: &str) -> String {
    let mut escaped = 0;
    encoded
        .chars()
        .map(|character| {
            if character == '%' {
                escaped = 2;
            } else if escaped > 0 {
                escaped -= 1;
                return character.to_ascii_lowercase();
            }
            character
        })
        .collect()
}
