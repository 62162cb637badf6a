//! Signatures of requests: one HMAC-SHA-256 for each live secret, in the form of `X-Orbitra-Signature` and in that of
//! Standard Webhooks 1.0.0.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::token::{hex, unhex};
use crate::crypto::webhook_secret::WebhookSecret;

/// A request's signature as `X-Orbitra-Signature` has it: `t=1705768200,v1=77ed…,v1=e7ac…`, the newest secret first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(String);

/// What is signed: the id of the event, the second in which it is sent, and the body.
pub fn signed_bytes(event_id: &str, at: i64, body: &str) -> String {
    format!("{event_id}.{at}.{body}")
}

impl Signature {
    /// Signs with every secret. `at` is the second in which it is sent.
    pub fn new(secrets: &[WebhookSecret], event_id: &str, at: i64, body: &str) -> Self {
        let prefix = format!("{event_id}.{at}.");
        let mut text = format!("t={at}");
        for secret in secrets {
            text.push_str(",v1=");
            text.push_str(&hex(&secret.sign(&[prefix.as_bytes(), body.as_bytes()])));
        }
        Self(text)
    }

    /// One that was sent.
    pub fn sent(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The value of `X-Orbitra-Signature`.
    pub fn orbitra(&self) -> &str {
        &self.0
    }

    /// The value of `webhook-timestamp`.
    pub fn at(&self) -> &str {
        self.0.strip_prefix("t=").and_then(|rest| rest.split(',').next()).unwrap_or_default()
    }

    /// The value of `webhook-signature`: the same digests in base64.
    pub fn standard(&self) -> String {
        let digests = self.0.split(',').filter_map(|part| unhex(part.strip_prefix("v1=")?));
        let all: Vec<_> = digests.map(|one| format!("v1,{}", STANDARD.encode(one))).collect();
        all.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OLD: &str = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
    const EVENT: &str = "evt_0123456789abcdef";
    const AT: i64 = 1_705_768_200;
    const BODY: &str = r#"{"event":"deployment.succeeded","timestamp":"2024-01-20T16:30:00Z","data":{"deployment_id":"dep_123abc","project_id":"prj_abc123","status":"live","url":"https://my-app-dep123.example.com","duration_ms":45000}}"#;
    const V1: &str = "77ed7bf3e6c35f6e9f182e20b56c100b472f607da498bfc671a759c4b564317f";
    const OLD_V1: &str = "e7acc55fbfa18dcbf83297c766fb96ade5cc1d40849e850c63aa4cbdadd56cec";

    fn secret(text: &str) -> WebhookSecret {
        WebhookSecret::parse(text).expect("a secret")
    }

    #[test]
    fn the_published_vectors() {
        assert_eq!(BODY.len(), 209);
        let hash = hex(&crate::crypto::digest::Sha256::of(BODY.as_bytes()));
        assert_eq!(hash, "8538fa53dc956bbdf4e68248c86a1f4110cb53ee613ecdce14cd298f54d3b8e5");
        let signed = Signature::new(&[secret(SECRET)], EVENT, AT, BODY);
        assert_eq!(signed.orbitra(), format!("t={AT},v1={V1}"));
        assert_eq!(signed.standard(), "v1,d+178+bDX26fGC4gtWwQC0cvYH2kmL/GcadZxLVkMX8=");
        assert_eq!(signed.at(), "1705768200");
    }

    #[test]
    fn during_a_rotation_both_secrets_sign() {
        let both = Signature::new(&[secret(SECRET), secret(OLD)], EVENT, AT, BODY);
        assert_eq!(both.orbitra(), format!("t={AT},v1={V1},v1={OLD_V1}"));
        assert_eq!(both.standard().split(' ').count(), 2);
    }

    #[test]
    fn the_reference_library_verifies_and_refuses_what_was_altered() {
        // It compares with the clock, so this is signed now.
        let now = jiff::Timestamp::now().as_second();
        let both = Signature::new(&[secret(SECRET), secret(OLD)], EVENT, now, BODY);
        let headers = |id: &str, at: i64, signature: &str| {
            let mut headers = http::HeaderMap::new();
            headers.insert("webhook-id", id.parse().expect("a value"));
            headers.insert("webhook-timestamp", at.to_string().parse().expect("a value"));
            headers.insert("webhook-signature", signature.parse().expect("a value"));
            headers
        };
        for text in [SECRET, OLD] {
            let judge = standardwebhooks::Webhook::new(text).expect("a secret");
            let verify = |body: &str, id: &str, at: i64, signature: &str| {
                judge.verify(body.as_bytes(), &headers(id, at, signature)).is_ok()
            };
            let standard = both.standard();
            assert!(verify(BODY, EVENT, now, &standard));
            assert!(!verify(&BODY.replace("live", "Live"), EVENT, now, &standard));
            assert!(!verify(BODY, "evt_0123456789abcdeg", now, &standard));
            assert!(!verify(BODY, EVENT, now + 1, &standard));
            assert!(!verify(BODY, EVENT, now, &standard.replace("v1,", "v1,A")));
            let old = Signature::new(&[secret(text)], EVENT, now - 400, BODY);
            assert!(!verify(BODY, EVENT, now - 400, &old.standard()), "too old");
        }
    }
}
