//! Which header fields cross the proxy, and which it writes itself (RFC 9110 section 7.6).

use http::header::{
    CONNECTION, CONTENT_LENGTH, Entry, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::client::Client;
use super::error_page::Problem;
use super::reference::Reference;

/// The reference of a request, set by the proxy in both directions.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Tells search engines what they may do with an answer.
pub const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");
/// Whom a request came from, hop by hop.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// `http` or `https`.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");

/// More proxies than this in `Via` are a loop through others.
const MAX_HOPS: usize = 10;

/// Whether a message's framing fields leave no doubt where it ends: `Transfer-Encoding` is absent
/// or exactly `chunked`, there is one `Content-Length` at most, and not both of them.
pub fn framing_is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (codings.next(), lengths.next()) {
        (None, _) => lengths.next().is_none(),
        (Some(coding), None) => {
            codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        }
        (Some(_), Some(_)) => false,
    }
}

/// What a request's fields get on their way to an application, besides those that stay.
#[derive(Clone, Copy, Debug)]
pub struct Added<'a> {
    client: &'a Client,
    reference: Reference,
    via: &'a HeaderValue,
    /// Whether the content comes in chunks, which is told from hop to hop.
    pub chunked: bool,
    trailers: bool,
}

impl Added<'_> {
    /// Writes them below the others; `host` is what the visitor asked for.
    pub fn write(&self, text: &mut Vec<u8>, host: &[u8]) {
        let mut field = |name: &[u8], value: &[u8]| {
            for part in [name, value, b"\r\n"] {
                text.extend_from_slice(part);
            }
        };
        if self.chunked {
            field(b"transfer-encoding: ", b"chunked");
        }
        if self.trailers {
            field(b"te: ", b"trailers");
        }
        field(b"x-forwarded-host: ", host);
        self.client.tell(|[chain, address, scheme]| {
            field(b"x-forwarded-for: ", chain.as_bytes());
            field(b"x-real-ip: ", address.as_bytes());
            field(b"x-forwarded-proto: ", scheme.as_bytes());
        });
        field(b"x-request-id: ", self.reference.as_str().as_bytes());
        field(b"via: ", self.via.as_bytes());
    }

    /// Adds them to the others.
    pub fn insert(&self, headers: &mut HeaderMap) {
        if self.chunked {
            headers.insert(TRANSFER_ENCODING, CHUNKED);
        }
        if self.trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        if let Some(host) = headers.get(HOST).cloned() {
            headers.insert(X_FORWARDED_HOST, host);
        }
        self.client.tell(|[chain, address, scheme]| {
            headers.insert(X_FORWARDED_FOR, chain.clone());
            headers.insert(X_REAL_IP, address.clone());
            headers.insert(X_FORWARDED_PROTO, scheme.clone());
        });
        headers.insert(X_REQUEST_ID, self.reference.header());
        headers.append(VIA, self.via.clone());
    }
}

/// Takes from a client's fields those that do not cross. The request's framing is plain.
///
/// # Errors
///
/// `Problem::Loop` when the request has passed here before.
pub fn to_upstream<'a>(
    headers: &mut HeaderMap,
    client: &'a Client,
    reference: Reference,
    via: &'a HeaderValue,
) -> Result<Added<'a>, Problem> {
    let found = Found::scan(headers);
    if found.via && is_loop(headers, via) {
        return Err(Problem::Loop);
    }
    let chunked = found.transfer_encoding;
    let trailers = found.te && accepts_trailers(headers);
    let forwarded = found.forwarded;
    found.strip(headers);
    if forwarded {
        for name in [X_FORWARDED_HOST, X_FORWARDED_FOR, X_REAL_IP, X_FORWARDED_PROTO, X_REQUEST_ID]
        {
            headers.remove(name);
        }
    }
    Ok(Added { client, reference, via, chunked, trailers })
}

/// Turns an upstream's fields into those the client gets.
///
/// # Errors
///
/// `Problem::NoAnswer` when the answer cannot be passed on without doubt about its end.
pub fn to_client(
    status: StatusCode,
    headers: &mut HeaderMap,
    reference: Reference,
) -> Result<(), Problem> {
    if !framing_is_plain(headers) || !(200..600).contains(&status.as_u16()) {
        return Err(Problem::NoAnswer);
    }
    Found::scan(headers).strip(headers);
    headers.insert(X_REQUEST_ID, reference.header());
    Ok(())
}

/// Drops from trailers what would matter had it been a header field (RFC 9110 section 6.5.1).
pub fn clean_trailers(trailers: &mut HeaderMap) {
    for name in [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "x-request-id",
    ] {
        trailers.remove(name);
    }
    Found::scan(trailers).strip(trailers);
}

/// Whether a comma-separated field holds a token, in any case.
pub fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| tokens(value.as_bytes()))
        .any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}

fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    has_token(headers, &TE, "trailers")
}

fn is_loop(headers: &HeaderMap, own: &HeaderValue) -> bool {
    let hops = || headers.get_all(VIA).iter().flat_map(|value| tokens(value.as_bytes()));
    hops().any(|hop| hop == own.as_bytes()) || hops().count() > MAX_HOPS
}

/// Which of the fields that need work a message has: one pass, so that a message without them
/// pays for nothing else.
#[derive(Default)]
struct Found {
    connection: bool,
    te: bool,
    transfer_encoding: bool,
    via: bool,
    /// What the proxy says itself.
    forwarded: bool,
    /// Fields that never cross, whatever they hold.
    dropped: Vec<HeaderName>,
}

impl Found {
    fn scan(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "connection" => found.connection = true,
                "te" => found.te = true,
                "transfer-encoding" => found.transfer_encoding = true,
                "via" => found.via = true,
                "x-forwarded-host" | "x-forwarded-for" | "x-forwarded-proto" | "x-real-ip"
                | "x-request-id" => found.forwarded = true,
                // `Proxy` becomes `HTTP_PROXY` in CGI programs; `Expect` is answered here.
                "keep-alive" | "proxy-connection" | "upgrade" | "http2-settings" | "forwarded"
                | "proxy" | "expect" | "x-auth-user" | "x-webauth-user" => {
                    found.dropped.push(name.clone());
                }
                other if other.starts_with("x-orbitra-") => found.dropped.push(name.clone()),
                _ => {}
            }
        }
        found
    }

    /// Removes the hop-by-hop fields, those that `Connection` names, and those that never cross.
    fn strip(self, headers: &mut HeaderMap) {
        if self.connection
            && let Entry::Occupied(entry) = headers.entry(CONNECTION)
        {
            let (_, values) = entry.remove_entry_mult();
            let values: Vec<HeaderValue> = values.collect();
            for token in values.iter().flat_map(|value| tokens(value.as_bytes())) {
                match HeaderName::from_bytes(token) {
                    // The message's address and length belong to the message.
                    Ok(HOST | CONTENT_LENGTH) | Err(_) => {}
                    Ok(name) => {
                        headers.remove(name);
                    }
                }
            }
        }
        if self.te {
            headers.remove(TE);
        }
        if self.transfer_encoding {
            headers.remove(TRANSFER_ENCODING);
        }
        for name in self.dropped {
            headers.remove(name);
        }
    }
}

/// Marks a message as one that changes the protocol.
pub fn mark_upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

#[cfg(test)]
mod tests;
