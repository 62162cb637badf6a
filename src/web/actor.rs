//! Who asks: the address at the other end of the connection and the key that was sent.

use std::net::{IpAddr, Ipv4Addr};

use http::header::{AUTHORIZATION, USER_AGENT};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::app::AppError;
use crate::model::actor::Origin;
use crate::model::ids::RequestId;

pub use crate::model::peer::PeerAddr;

/// The address a request came from; this machine's own when no socket was involved.
pub fn peer_ip(extensions: &Extensions) -> IpAddr {
    extensions
        .get::<PeerAddr>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip().to_canonical())
}

/// Where a request came from, for the audit log.
pub fn origin(extensions: &Extensions, headers: &HeaderMap) -> Origin {
    let text = |name: &HeaderName, most: usize| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.chars().take(most).collect::<String>())
    };
    Origin {
        ip: Some(peer_ip(extensions)),
        user_agent: text(&USER_AGENT, 256),
        request_id: extensions.get::<RequestId>().cloned(),
        client_request_id: client_request_id(headers)
            .and_then(|id| id.to_str().ok().map(str::to_owned)),
    }
}

/// The header a client names its request by, and a server its answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id a client gave its request; anything but a short plain word is dropped.
pub fn client_request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(REQUEST_ID)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let fits = (1..=128).contains(&value.len()) && value.as_bytes().iter().all(plain);
    fits.then(|| value.clone())
}

/// The API key of a request: `Authorization: Bearer <key>` or the bare key. Nowhere else is looked:
/// keys in URLs end up in logs, and a cookie would make every site a caller.
///
/// # Errors
/// There is no such header, or something else stands in it.
pub fn api_key(headers: &HeaderMap) -> Result<&str, AppError> {
    let invalid = |message| AppError::Unauthorized { reason: "invalid_key", message };
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = sent.next() else {
        return Err(AppError::Unauthorized {
            reason: "missing_credentials",
            message: "An API key is needed. Send it as `Authorization: Bearer <key>`.",
        });
    };
    if sent.next().is_some() {
        return Err(invalid("There is more than one Authorization header."));
    }
    let text = value.to_str().map_err(|_| invalid("This API key is not valid."))?.trim();
    match text.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(key.trim_start()),
        Some(_) => {
            Err(invalid("This way of signing in is not known. Use `Authorization: Bearer <key>`."))
        }
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().expect("a header"));
        }
        match api_key(&headers) {
            Ok(key) => Ok(key.to_owned()),
            Err(AppError::Unauthorized { reason, .. }) => Err(reason),
            Err(_) => Err("another error"),
        }
    }

    #[test]
    fn keys_come_with_a_scheme_or_alone() {
        assert_eq!(read(&["Bearer orbu_x"]).as_deref(), Ok("orbu_x"));
        assert_eq!(read(&["bEARER  orbu_x"]).as_deref(), Ok("orbu_x"));
        assert_eq!(read(&["orbu_x"]).as_deref(), Ok("orbu_x"));
        assert_eq!(read(&[]), Err("missing_credentials"));
        assert_eq!(read(&["Basic b3JidV94Og=="]), Err("invalid_key"));
        assert_eq!(read(&["Bearer a", "Bearer b"]), Err("invalid_key"));
    }
}
