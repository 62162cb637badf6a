//! The terms a request asks for in its headers: `If-Match` (RFC 9110 §13.1.1) and `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header).

use axum::extract::FromRequestParts;
use http::header::IF_MATCH;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use serde_json::{Map, Value};

use super::guards::Caller;
use crate::app::terms::{IfMatch, Repeatable, Settled, Terms};
use crate::crypto::token;
use crate::model::problems::Problems;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a request asks for, apart from its body.
#[derive(Clone, Debug)]
pub struct Asked {
    method: Method,
    path: String,
    query: String,
    if_match: Option<IfMatch>,
    /// The key; `Some(None)` when one was sent that cannot be used.
    key: Option<Option<String>>,
}

impl Asked {
    /// Reads the headers.
    pub fn read(parts: &Parts) -> Self {
        Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            if_match: if_match(&parts.headers),
            key: idempotency_key(&parts.headers),
        }
    }

    /// Whether the request may be repeated, and what it asks for matters.
    pub fn may_be_repeated(&self) -> bool {
        self.method == Method::POST && self.key.is_some()
    }

    /// The terms of a change that can be repeated by its nature.
    pub fn terms<T>(&self) -> Terms<T> {
        Terms::none().matching(self.if_match.clone())
    }

    /// The terms of a POST. `payload` is the hash of its body, `answer` what it is answered with.
    pub fn once<T>(
        &self,
        caller: &Caller,
        payload: [u8; 32],
        problems: &mut Problems,
        answer: impl Fn(&T) -> Settled + Send + Sync + 'static,
    ) -> Terms<T> {
        let key = match &self.key {
            None => return self.terms(),
            Some(None) => {
                let message = "1 to 255 printable ASCII characters, without blanks at the ends.";
                problems.invalid("Idempotency-Key", "format", message);
                return self.terms();
            }
            Some(Some(key)) => key,
        };
        let account = &caller.0.user_id;
        let request = Repeatable {
            slot: token::hash(&format!("{account}\n{} {}\n{key}", self.method, self.path)),
            fingerprint: token::hash(&format!("{}\n{}", token::hex(&payload), self.query)),
        };
        Terms::once(request, answer).matching(self.if_match.clone())
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::read(parts))
    }
}

/// The revisions of the entity tags; a tag that is none of ours matches nothing.
fn if_match(headers: &HeaderMap) -> Option<IfMatch> {
    let mut sent = headers.get_all(IF_MATCH).iter().peekable();
    sent.peek()?;
    let text: Vec<_> = sent.map(|value| value.to_str().unwrap_or_default()).collect();
    let text = text.join(",");
    if text.trim() == "*" {
        return Some(IfMatch::Any);
    }
    let revision = |tag: &str| {
        let inner = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
        inner.split('-').next()?.parse().ok()
    };
    Some(IfMatch::Revisions(text.split(',').filter_map(revision).collect()))
}

/// A bare token or a quoted string (RFC 8941 §3.3.3).
fn idempotency_key(headers: &HeaderMap) -> Option<Option<String>> {
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    let value = sent.next()?;
    if sent.next().is_some() {
        return Some(None);
    }
    let Ok(text) = value.to_str() else { return Some(None) };
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let key = quoted.filter(|_| text.len() > 1).unwrap_or(text);
    let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let fits = (1..=255).contains(&key.len()) && printable && key.trim() == key;
    Some(fits.then(|| key.to_owned()))
}

/// SHA-256 of an object, whatever the order of its keys was.
pub fn payload_hash(object: &Map<String, Value>) -> [u8; 32] {
    let mut text = String::new();
    canonical_object(object, &mut text);
    token::hash(&text)
}

fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => canonical_object(object, text),
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

fn canonical_object(object: &Map<String, Value>, text: &mut String) {
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| key.as_str());
    text.push('{');
    for (key, value) in entries {
        text.push_str(&Value::from(key.as_str()).to_string());
        text.push(':');
        canonical(value, text);
        text.push(',');
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str) -> Option<Option<String>> {
        let mut headers = HeaderMap::new();
        headers.insert(IDEMPOTENCY_KEY, value.parse().expect("a header"));
        idempotency_key(&headers)
    }

    #[test]
    fn keys_are_bare_or_quoted() {
        assert_eq!(key("abc"), Some(Some("abc".to_owned())));
        assert_eq!(key("\"a b\""), Some(Some("a b".to_owned())));
        assert_eq!(key(&"x".repeat(255)), Some(Some("x".repeat(255))));
        for bad in ["", "\"\"", "\" a\"", "a\tb", &"x".repeat(256)] {
            assert_eq!(key(bad), Some(None), "{bad:?}");
        }
        assert_eq!(idempotency_key(&HeaderMap::new()), None);
    }

    #[test]
    fn tags_name_revisions() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_MATCH, value.parse().expect("a header"));
            if_match(&headers)
        };
        assert_eq!(read("*"), Some(IfMatch::Any));
        assert_eq!(read("\"3-abc\", \"7\""), Some(IfMatch::Revisions(vec![3, 7])));
        // RFC 9110 §13.1.1: weak tags never match here.
        assert_eq!(read("W/\"3-abc\""), Some(IfMatch::Revisions(vec![])));
        assert_eq!(if_match(&HeaderMap::new()), None);
    }

    #[test]
    fn the_order_of_keys_does_not_count() {
        let read = |text: &str| payload_hash(&serde_json::from_str(text).expect("an object"));
        assert_eq!(
            read(r#"{"a":1,"b":{"c":[1,2],"d":null}}"#),
            read(r#"{"b":{"d":null,"c":[1,2]},"a":1}"#)
        );
        assert_ne!(read(r#"{"a":[1,2]}"#), read(r#"{"a":[2,1]}"#));
        assert_ne!(read(r#"{"a":1}"#), read(r#"{"a":"1"}"#));
    }
}
