//! Entity tags and `If-None-Match` (RFC 9110 §8.8.3, §13.1.2).

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::crypto::token;

/// What the tag of an encoded body ends with: another representation has another tag.
const SUFFIXES: [(&str, &str); 2] = [("gzip", "-gzip"), ("br", "-br")];

/// Bytes of the hash that go into a tag; 64 bits tell the versions of one resource apart.
const TAG_BYTES: usize = 8;

/// The tag of what an answer holds, until it is known whether the method has one. Without quotes.
#[derive(Clone, Debug)]
pub struct Tag(String);

impl Tag {
    /// The tag of a body: a hash, and before it the revision of the object when it has one.
    pub fn new(body: &str, revision: Option<i64>) -> Self {
        let hash = token::hex(&token::hash(body)[..TAG_BYTES]);
        Self(match revision {
            Some(revision) => format!("{revision}-{hash}"),
            None => hash,
        })
    }

    fn header(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("\"{}\"", self.0)).ok()
    }
}

/// Puts the tag on answers to GET and HEAD, and answers 304 to who has them already.
pub async fn answer(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = values(request.headers(), IF_NONE_MATCH);
    let mut response = next.run(request).await;
    let Some(tag) = response.extensions_mut().remove::<Tag>() else { return response };
    if !reads || response.status() != StatusCode::OK {
        return response;
    }
    match known.as_deref().and_then(|known| matching(known, &tag.0)) {
        Some(tag) => {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Body::empty();
            response.headers_mut().remove(CONTENT_TYPE);
            response.headers_mut().remove(CONTENT_LENGTH);
            set(&mut response, ETAG, HeaderValue::try_from(tag).ok());
            set(&mut response, VARY, Some(HeaderValue::from_static("accept-encoding")));
        }
        None => set(&mut response, ETAG, tag.header()),
    }
    response
}

/// Gives the tag of an encoded body its suffix. Lies outside the layer that encodes.
pub async fn tag_encoded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let suffix = response
        .headers()
        .get(CONTENT_ENCODING)
        .and_then(|coding| SUFFIXES.iter().find(|(name, _)| coding.as_bytes() == name.as_bytes()));
    let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()?.strip_suffix('"'));
    if let (Some((_, suffix)), Some(tag)) = (suffix, tag) {
        let tag = HeaderValue::try_from(format!("{tag}{suffix}\"")).ok();
        set(&mut response, ETAG, tag);
    }
    response
}

fn set(response: &mut Response, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        response.headers_mut().insert(name, value);
    }
}

/// Every value of a header that lists entity tags, as one list.
fn values(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let values: Vec<_> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The strong form of the first listed tag that means this one; `*` means every tag.
fn matching(list: &str, tag: &str) -> Option<String> {
    if list.trim() == "*" {
        return Some(format!("\"{tag}\""));
    }
    opaque_tags(list).find(|listed| plain(listed) == tag).map(|listed| format!("\"{listed}\""))
}

/// The tags of a list without quotes and weakness marks. A tag may hold a comma, so quotes are what counts.
pub fn opaque_tags(list: &str) -> impl Iterator<Item = &str> {
    list.split('"').skip(1).step_by(2)
}

/// A tag as it is without an encoding.
pub fn plain(tag: &str) -> &str {
    SUFFIXES.iter().find_map(|(_, suffix)| tag.strip_suffix(suffix)).unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let means = |list: &str| matching(list, "7-0a");
        assert_eq!(means("*").as_deref(), Some("\"7-0a\""));
        assert_eq!(means("\"7-0a\"").as_deref(), Some("\"7-0a\""));
        assert_eq!(means("W/\"7-0a\"").as_deref(), Some("\"7-0a\""));
        assert_eq!(means("\"x,\" , \"7-0a-gzip\"").as_deref(), Some("\"7-0a-gzip\""));
        for other in ["", "7-0a", "\"7-0b\"", "\"7-0a-zip\"", "\"*\"", "\"7-0a"] {
            assert!(means(other).is_none() || other == "\"7-0a", "{other}");
        }
    }

    #[test]
    fn the_revision_stands_before_the_hash() {
        assert!(Tag::new("{}", Some(7)).0.starts_with("7-"));
        assert_eq!(Tag::new("{}", None).0.len(), 2 * TAG_BYTES);
        assert_ne!(Tag::new("{}", None).0, Tag::new("[]", None).0);
    }
}
