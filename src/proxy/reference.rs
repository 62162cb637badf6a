//! The random reference of a request: `X-Request-Id`, and what an error page shows.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

use http::HeaderValue;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Makes references. They must not collide; they need not be secret, so a fast generator will do.
#[derive(Debug)]
pub struct References {
    state: Cell<u128>,
}

impl Default for References {
    fn default() -> Self {
        let word = || u128::from(RandomState::new().build_hasher().finish());
        // An odd number, as the generator wants it.
        Self { state: Cell::new(word() << 64 | word() | 1) }
    }
}

impl References {
    /// A 64-bit number (multiplicative congruential generator, upper half of the state).
    pub fn number(&self) -> u64 {
        const MULTIPLIER: u128 = 0xda94_2042_e4dd_58b5;
        let next = self.state.get().wrapping_mul(MULTIPLIER);
        self.state.set(next);
        (next >> 64) as u64
    }

    /// `req_` and 16 characters (80 bits), the form of the control plane's request identifiers.
    pub fn next(&self) -> Reference {
        let mut bits = u128::from(self.number()) << 64 | u128::from(self.number());
        let mut text = *b"req_0000000000000000";
        for slot in &mut text[4..] {
            *slot = ALPHABET[(bits >> 123) as usize];
            bits <<= 5;
        }
        Reference(text)
    }
}

/// One reference.
#[derive(Clone, Copy, Debug)]
pub struct Reference([u8; 20]);

impl Reference {
    /// The reference as text.
    pub fn as_str(&self) -> &str {
        // Built from ASCII only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The reference as a header value.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or(HeaderValue::from_static("req_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_the_form_of_request_ids_and_differ() {
        let references = References::default();
        let first = references.next();
        assert!(crate::model::ids::RequestId::parse(first.as_str()).is_some());
        assert_ne!(first.as_str(), references.next().as_str());
        assert_eq!(first.header(), first.as_str());
    }
}
