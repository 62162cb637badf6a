//! Tokens that are shown once and stored as a hash.

use ring::digest::{SHA256, digest};

use super::random;
use crate::model::api_key::{KeyKind, format_key};

/// A new API key with 178 random bits.
pub fn new_key(kind: KeyKind) -> String {
    format_key(kind, random::below::<30>(62))
}

/// SHA-256; enough for tokens of more than 128 random bits, which cannot be guessed.
pub fn hash(token: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    out
}

/// A code people type, such as `K7QF-2M9X-4TZD`: 60 random bits without letters that look alike.
pub fn new_setup_code() -> String {
    const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let letters: String = random::below::<12>(32)
        .iter()
        .map(|value| char::from(ALPHABET[usize::from(*value)]))
        .collect();
    format!("{}-{}-{}", &letters[..4], &letters[4..8], &letters[8..])
}

/// 32 random bytes as lower-case hexadecimal digits: session and form tokens.
pub fn new_opaque() -> String {
    hex(&random::bytes::<32>())
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares in constant time.
pub fn same(a: &str, b: &str) -> bool {
    hash(a) == hash(b)
}

/// Reads hexadecimal digits.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
