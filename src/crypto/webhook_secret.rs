//! Secrets that webhooks are signed with: `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks 1.0.0).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{digest, random};

/// What a secret begins with; no part of the key.
const PREFIX: &str = "whsec_";

/// A secret as it is shown, once.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(String);

impl WebhookSecret {
    /// 32 random bytes.
    pub fn random() -> Self {
        Self(format!("{PREFIX}{}", STANDARD.encode(random::bytes::<32>())))
    }

    /// Reads a secret somebody chose.
    pub fn parse(text: &str) -> Option<Self> {
        let key = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (24..=64).contains(&key.len()).then(|| Self(text.to_owned()))
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its end, by which people know it again: `whsec_…Hx8=`.
    pub fn hint(&self) -> String {
        format!("{PREFIX}…{}", &self.0[self.0.len() - 4..])
    }

    /// HMAC-SHA-256 of the parts with the decoded key.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        // It was read or made as base64.
        let key = STANDARD.decode(&self.0[PREFIX.len()..]).unwrap_or_default();
        digest::hmac_sha256(&key, &parts.concat())
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_hold_24_to_64_bytes() {
        let of = |bytes: usize| format!("{PREFIX}{}", STANDARD.encode(vec![7; bytes]));
        for (bytes, fits) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
            assert_eq!(WebhookSecret::parse(&of(bytes)).is_some(), fits, "{bytes}");
        }
        for bad in ["", "whsec_", "whsec", &of(32)[6..], &of(32).replace('=', ""), "whsec_é"] {
            assert!(WebhookSecret::parse(bad).is_none(), "{bad}");
        }
        let made = WebhookSecret::random();
        assert_eq!(WebhookSecret::parse(made.reveal()), Some(made.clone()));
        assert_ne!(made, WebhookSecret::random());
        assert!(made.hint().starts_with("whsec_…") && !format!("{made:?}").contains(made.reveal()));
    }
}
