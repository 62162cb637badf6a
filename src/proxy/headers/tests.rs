use std::rc::Rc;

use super::*;
use crate::proxy::reference::References;
use crate::proxy::ticker::Ticker;

static OWN: HeaderValue = HeaderValue::from_static("1.1 orbitra-one");

fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn forwarded(fields: &[(&'static str, &'static str)]) -> Result<HeaderMap, Problem> {
    let ticker = Rc::new(Ticker::default());
    let client = Client::new(([192, 0, 2, 7], 5000).into(), ticker.watch());
    let mut headers = map(fields);
    let added = to_upstream(&mut headers, &client, References::default().next(), &OWN)?;
    let mut text = Vec::new();
    for (name, value) in &headers {
        text.extend_from_slice(
            &[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat(),
        );
    }
    let host = headers.get(HOST).map_or(&b""[..], HeaderValue::as_bytes).to_vec();
    added.write(&mut text, &host);
    added.insert(&mut headers);
    let mut inserted: Vec<String> = Vec::new();
    for (name, value) in &headers {
        inserted.push(format!("{name}: {}", value.to_str().unwrap()));
    }
    let text = String::from_utf8(text).unwrap();
    let mut written: Vec<&str> = text.lines().collect();
    inserted.sort();
    written.sort();
    if headers.contains_key(HOST) {
        assert_eq!(written, inserted, "both ways say the same");
    }
    Ok(headers)
}

#[test]
fn only_one_framing_is_plain() {
    for (fields, plain) in [
        (&[][..], true),
        (&[("content-length", "1")], true),
        (&[("transfer-encoding", "chunked")], true),
        (&[("transfer-encoding", "Chunked")], true),
        (&[("transfer-encoding", "chunked, chunked")], false),
        (&[("transfer-encoding", "gzip, chunked")], false),
        (&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], false),
        (&[("transfer-encoding", "chunked"), ("content-length", "1")], false),
        (&[("content-length", "1"), ("content-length", "1")], false),
    ] {
        assert_eq!(framing_is_plain(&map(fields)), plain, "{fields:?}");
    }
}

#[test]
fn hop_by_hop_fields_stay_and_the_proxys_own_survive() {
    let headers = forwarded(&[
        ("host", "app.example.com"),
        ("content-length", "3"),
        ("connection", "X-Forwarded-For, X-Forwarded-Proto, Host, Content-Length, Cookie, X-One"),
        ("connection", "X-Two"),
        ("x-one", "1"),
        ("x-two", "2"),
        ("cookie", "a=b"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip, Trailers"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQ"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("x-real-ip", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("x-request-id", "spoofed"),
        ("x-orbitra-user", "admin"),
        ("x-webauth-user", "admin"),
        ("x-kept", "yes"),
    ])
    .unwrap();
    let get = |name: &str| {
        headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect::<Vec<_>>()
            .join("|")
    };
    for gone in [
        "connection",
        "x-one",
        "x-two",
        "cookie",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "http2-settings",
        "forwarded",
        "x-orbitra-user",
        "x-webauth-user",
    ] {
        assert_eq!(get(gone), "", "{gone}");
    }
    for (name, value) in [
        ("host", "app.example.com"),
        ("content-length", "3"),
        ("te", "trailers"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-proto", "http"),
        ("x-real-ip", "192.0.2.7"),
        ("x-kept", "yes"),
        ("via", "1.1 orbitra-one"),
    ] {
        assert_eq!(get(name), value, "{name}");
    }
    assert!(get("x-request-id").starts_with("req_"));
}

#[test]
fn a_request_that_was_here_is_a_loop() {
    let looped = forwarded(&[("via", "1.1 other, 1.1 orbitra-one")]);
    assert_eq!(looped.unwrap_err(), Problem::Loop);
    assert!(forwarded(&[("via", "1.1 other")]).is_ok());
    let long = forwarded(&[("via", "1 a,1 b,1 c,1 d,1 e,1 f,1 g,1 h,1 i,1 j,1 k")]);
    assert_eq!(long.unwrap_err(), Problem::Loop);
}

#[test]
fn answers_lose_internal_fields() {
    let mut headers = map(&[
        ("connection", "x-hop, close"),
        ("x-hop", "1"),
        ("x-orbitra-node", "3"),
        ("transfer-encoding", "chunked"),
        ("set-cookie", "a=b"),
        ("x-request-id", "theirs"),
    ]);
    to_client(StatusCode::OK, &mut headers, References::default().next()).unwrap();
    assert_eq!(headers.len(), 2);
    assert!(headers.contains_key("set-cookie"));
    assert_ne!(headers[X_REQUEST_ID], "theirs");
}
