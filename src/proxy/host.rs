//! The host a request is for (RFC 9112 section 3.2).

use std::borrow::Cow;

use http::header::HOST;
use http::{Request, Version};

/// The request names no host, several, or none that could exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHost;

/// The host name in the form of the route table's keys: lower case, without port and trailing
/// dot. An IPv6 address keeps its brackets. An HTTP/1.0 request without `Host` gives `""`.
///
/// # Errors
///
/// No `Host` in HTTP/1.1, more than one, or a value that is not `host [":" port]`. A target in
/// absolute form replaces the field's value, but the field must be right all the same.
pub fn of<B>(request: &Request<B>) -> Result<Cow<'_, str>, InvalidHost> {
    let mut values = request.headers().get_all(HOST).iter();
    let field = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| InvalidHost)?,
        (None, None) if request.version() == Version::HTTP_10 => "",
        // One that is on its way to an application that speaks HTTP/2.
        (None, None) if request.version() == Version::HTTP_2 => {
            request.uri().authority().ok_or(InvalidHost)?.as_str()
        }
        _ => return Err(InvalidHost),
    };
    let absent = field.is_empty() && request.version() == Version::HTTP_10;
    match request.uri().authority() {
        None if absent => Ok(Cow::Borrowed("")),
        None => normalise(field),
        Some(authority) => {
            if !absent {
                normalise(field)?;
            }
            normalise(authority.as_str())
        }
    }
}

/// `host [":" port]` as a key of the route table.
fn normalise(authority: &str) -> Result<Cow<'_, str>, InvalidHost> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']').ok_or(InvalidHost)? + 1;
        let (host, rest) = authority.split_at(end);
        let inner = &host[1..end - 1];
        if inner.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(InvalidHost);
        }
        match rest.strip_prefix(':') {
            Some(port) => (host, port),
            None if rest.is_empty() => (host, ""),
            None => return Err(InvalidHost),
        }
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        let host = host.strip_suffix('.').unwrap_or(host);
        if !is_name(host) {
            return Err(InvalidHost);
        }
        (host, port)
    };
    if port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidHost);
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Ok(Cow::Owned(host.to_ascii_lowercase()))
    } else {
        Ok(Cow::Borrowed(host))
    }
}

/// Letters, digits, hyphens and underscores between single dots, or an IPv4 address, which has
/// the same form. Nothing else can be routed, so percent-encoded names are not accepted.
fn is_name(host: &str) -> bool {
    (1..=253).contains(&host.len())
        && !host.starts_with('.')
        && !host.contains("..")
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests;
