//! What a project sets for its visitors, and what is believed of proxies in front.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use orbitra::crypto::password;
use orbitra::model::network::Network;
use orbitra::model::proxy_settings::{Login, ProxySettings};
use orbitra::routing::policy::Policy;
use orbitra::routing::table::Route;
use orbitra::server::Options;
use tokio::io::AsyncWriteExt;

use crate::support::front::{Front, HOST, table, to};
use crate::support::toy::{Toy, ok, request};
use crate::support::wire::{Answer, Wire, ask};

/// A server whose only host has these settings.
fn front(route: Route, settings: &ProxySettings) -> Front {
    front_with(route, settings, |_| {})
}

fn front_with(route: Route, settings: &ProxySettings, change: impl FnOnce(&mut Options)) -> Front {
    let front = Front::with(route.clone(), change);
    let mut table = table(route);
    table.hosts.get_mut(HOST).unwrap().policy = Policy::of(settings).map(Arc::new);
    front.routes.publish(table);
    front
}

fn settings() -> ProxySettings {
    ProxySettings::default()
}

async fn get(address: SocketAddr, path: &str, fields: &str) -> Answer {
    ask(address, format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_let_in_or_not() {
    let toy = Toy::saying("in").await;
    let networks = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    for (allow, deny, status) in [
        (&["127.0.0.0/8"][..], &[][..], 200),
        (&["10.0.0.0/8"], &[], 403),
        (&[], &["127.0.0.1"], 403),
        (&["127.0.0.1"], &["127.0.0.0/8"], 403),
        (&[], &["10.0.0.0/8"], 200),
    ] {
        let set = ProxySettings { allow: networks(allow), deny: networks(deny), ..settings() };
        let front = front(to(toy.address), &set);
        // What a visitor says of itself is believed by nobody.
        let answer = get(front.address, "/", "X-Forwarded-For: 10.0.0.1\r\n").await;
        assert_eq!(answer.status, status, "{allow:?} {deny:?}");
    }
    assert_eq!(toy.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_maintenance_visitors_are_told_so() {
    let toy = Toy::saying("in").await;
    let front = front(to(toy.address), &ProxySettings { maintenance: true, ..settings() });
    let answer = get(front.address, "/", "Accept: text/html\r\n").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after").unwrap(), "300");
    assert!(answer.text().contains("being worked on"), "{}", answer.text());
    assert_eq!(toy.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_asked_for_and_kept_from_the_application() {
    let toy = Toy::saying("in").await;
    let hash = password::hash("correct horse").unwrap();
    let login = Some(Login { user: "guest".to_owned(), hash });
    let front = front(to(toy.address), &ProxySettings { login, ..settings() });
    let field = |text: &str| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        format!("Authorization: Basic {encoded}\r\n")
    };
    for fields in [
        String::new(),
        field("guest:wrong horse"),
        field("other:correct horse"),
        field("guest"),
        "Authorization: Basic !!!\r\n".to_owned(),
        "Authorization: Bearer abc\r\n".to_owned(),
    ] {
        let answer = get(front.address, "/", &fields).await;
        assert_eq!(answer.status, 401, "{fields}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="));
    }
    assert_eq!(toy.count(), 0);
    let right = field("guest:correct horse");
    let mut wire = Wire::connect(front.address).await;
    let begin = std::time::Instant::now();
    for _ in 0..200 {
        wire.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{right}\r\n")).await;
        assert_eq!(wire.answer(false).await.unwrap().status, 200);
    }
    // Far less than it takes to look at the password each time.
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    assert_eq!(toy.last().header("authorization"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_does_not_reach_the_application_whole() {
    let toy = Toy::saying("in").await;
    let front = front(to(toy.address), &ProxySettings { max_body_mb: Some(1), ..settings() });
    let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n");
    let declared = format!("{head}Content-Length: 1048577\r\n\r\n");
    assert_eq!(ask(front.address, declared).await.status, 413);
    // Who asks before sending it is told at once, and not to go on.
    let mut wire = Wire::connect(front.address).await;
    wire.send(format!("{head}Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n")).await;
    assert!(wire.head().await.unwrap().starts_with("HTTP/1.1 413"));
    assert_eq!(toy.count(), 0);
    let fits = format!("{head}Content-Length: 1048576\r\n\r\n{}", "x".repeat(1 << 20));
    assert_eq!(ask(front.address, fits).await.status, 200);
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
    let chunks =
        |count| format!("{head}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(count));
    assert_eq!(ask(front.address, chunks(16)).await.status, 200);
    let before = toy.count();
    let mut wire = Wire::connect(front.address).await;
    let too_much = chunks(17);
    // It may be answered before everything is sent.
    let _ = tokio::io::AsyncWriteExt::write_all(&mut wire.stream, too_much.as_bytes()).await;
    assert_eq!(wire.answer(false).await.unwrap().status, 413);
    assert_eq!(toy.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_its_own_patience() {
    let toy = Toy::answering(|seen| {
        if seen.head.contains("/slow") {
            std::thread::sleep(Duration::from_millis(2500));
        }
        ok("late")
    })
    .await;
    let set = ProxySettings { first_byte_seconds: Some(1), ..settings() };
    let front = front(to(toy.address), &set);
    assert_eq!(get(front.address, "/slow", "").await.status, 504);
    assert_eq!(get(front.address, "/", "").await.status, 200);
    let set = ProxySettings { first_byte_seconds: Some(30), ..settings() };
    let longer = front_with(to(toy.address), &set, |options| {
        options.proxy.first_byte = Duration::from_millis(500);
    });
    assert_eq!(get(longer.address, "/slow", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_its_own_patience_within_an_answer() {
    let toy = Toy::serving(|mut wire, _| async move {
        request(&mut wire).await.unwrap();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        // Nobody may be there any more.
        let _ = wire.stream.write_all(b"half").await;
    })
    .await;
    let set = ProxySettings { idle_seconds: Some(1), ..settings() };
    let cut = front(to(toy.address), &set);
    assert!(Wire::connect(cut.address).await.get(HOST, "/").await.is_err());
    let set = ProxySettings { idle_seconds: Some(30), ..settings() };
    let longer = front_with(to(toy.address), &set, |options| {
        options.proxy.upstream_body = Duration::from_millis(500);
    });
    assert_eq!(get(longer.address, "/", "").await.text(), "halfhalf");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_and_fields_are_the_proxys() {
    let toy = Toy::answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Frame-Options: ALLOW\r\n\r\nin".to_vec()
    })
    .await;
    let set = ProxySettings {
        redirects: "/old/* /new/:splat 301\n/gone https://other.test/ 302\n".to_owned(),
        headers: "/*\n  X-Frame-Options: DENY\n/api/*\n  X-Api: yes\n".to_owned(),
        ..settings()
    };
    let front = front(to(toy.address), &set);
    let answer = get(front.address, "/old/a/b?c=d", "").await;
    assert_eq!((answer.status, answer.header("location").as_deref()), (301, Some("/new/a/b?c=d")));
    let answer = get(front.address, "/gone", "").await;
    assert_eq!(answer.header("location").as_deref(), Some("https://other.test/"));
    assert_eq!(toy.count(), 0);
    let answer = get(front.address, "/api/x", "").await;
    assert_eq!(answer.header("x-frame-options").as_deref(), Some("DENY"));
    assert_eq!(answer.header("x-api").as_deref(), Some("yes"));
    assert_eq!(get(front.address, "/", "").await.header("x-api"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_where_that_is_wanted_and_of_use() {
    let text = "all work and no play ".repeat(500);
    let page = text.clone();
    let toy = Toy::answering(move |seen| {
        let path = seen.head.split(' ').nth(1).unwrap();
        let (kind, more, body) = match path {
            "/small" => ("text/html", "", "small".to_owned()),
            "/image" => ("image/png", "", page.clone()),
            "/encoded" => ("text/html", "Content-Encoding: br\r\n", page.clone()),
            "/kept" => ("text/html", "Cache-Control: no-transform\r\n", page.clone()),
            "/events" => ("text/event-stream", "", page.clone()),
            _ => ("text/html; charset=utf-8", "ETag: \"one\"\r\n", page.clone()),
        };
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    })
    .await;
    let front = front(to(toy.address), &ProxySettings { compress: true, ..settings() });
    let all = "Accept-Encoding: gzip, br, zstd\r\n";
    for path in ["/small", "/image", "/kept", "/events"] {
        let answer = get(front.address, path, all).await;
        assert_eq!(answer.header("content-encoding"), None, "{path}");
    }
    let answer = get(front.address, "/encoded", all).await;
    assert_eq!(answer.text(), text, "what is encoded already stays as it is");
    for (fields, coding) in [
        (all, "zstd"),
        ("Accept-Encoding: gzip, br\r\n", "br"),
        ("Accept-Encoding: gzip\r\n", "gzip"),
    ] {
        let answer = get(front.address, "/", fields).await;
        assert_eq!(answer.header("content-encoding").as_deref(), Some(coding));
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(answer.header("vary").as_deref(), Some("Accept-Encoding"));
        assert_eq!(answer.header("etag").as_deref(), Some("W/\"one\""));
        assert!(answer.body.len() < 1000, "{coding}: {}", answer.body.len());
        let mut plain = String::new();
        match coding {
            "zstd" => plain = String::from_utf8(zstd::decode_all(&*answer.body).unwrap()).unwrap(),
            "br" => {
                brotli::Decompressor::new(&*answer.body, 4096).read_to_string(&mut plain).unwrap();
            }
            _ => {
                flate2::read::GzDecoder::new(&*answer.body).read_to_string(&mut plain).unwrap();
            }
        }
        assert!(plain == text, "{coding}");
    }
    for fields in
        ["", "Accept-Encoding: identity\r\n", "Range: bytes=0-9\r\nAccept-Encoding: gzip\r\n"]
    {
        let answer = get(front.address, "/", fields).await;
        assert_eq!(answer.header("content-encoding"), None, "{fields}");
        assert_eq!(answer.text(), text);
    }
    // Without the setting nothing happens.
    let plain = Front::start(to(toy.address));
    assert_eq!(get(plain.address, "/", all).await.header("content-encoding"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_application_sends_does_not_wait_in_the_compressor() {
    let toy = Toy::serving(|mut wire, _| async move {
        let _ = crate::support::toy::request(&mut wire).await;
        wire.send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .await;
        wire.send("6\r\nfirst \r\n").await;
        // The second part comes once the first one has arrived.
        let _ = wire.more().await;
    })
    .await;
    let front = front(to(toy.address), &ProxySettings { compress: true, ..settings() });
    let mut wire = Wire::connect(front.address).await;
    wire.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\n\r\n")).await;
    let head = wire.head().await.unwrap();
    assert!(head.contains("gzip"), "{head}");
    let mut plain = String::new();
    loop {
        let mut bytes = Vec::new();
        let mut rest = &wire.received[..];
        while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
            let size =
                usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
            let Some(chunk) = rest.get(end + 2..end + 2 + size) else { break };
            bytes.extend_from_slice(chunk);
            rest = rest.get(end + 4 + size..).unwrap_or_default();
        }
        plain.clear();
        // It has no end yet.
        let _ = flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut plain);
        if plain == "first " {
            return;
        }
        assert!(wire.more().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_proxies_on_the_list_are_believed() {
    let toy = Toy::saying("in").await;
    let networks = ["127.0.0.0/8", "10.0.0.0/8"].map(|text| Network::parse(text).unwrap());
    let set = ProxySettings { deny: vec!["203.0.113.7".to_owned()], ..settings() };
    let front = front_with(to(toy.address), &set, |options| {
        options.proxy.trusted_proxies = networks.to_vec();
    });
    let told = async |fields: &str| {
        let answer = get(front.address, "/", fields).await;
        let seen = toy.last();
        let field = |name: &str| seen.header(name).unwrap();
        (answer.status, field("x-forwarded-for"), field("x-real-ip"), field("x-forwarded-proto"))
    };
    let is = |chain: &str, visitor: &str, scheme: &str| {
        (200, chain.to_owned(), visitor.to_owned(), scheme.to_owned())
    };
    assert_eq!(told("").await, is("127.0.0.1", "127.0.0.1", "http"));
    assert_eq!(
        told("X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n").await,
        is("198.51.100.1, 127.0.0.1", "198.51.100.1", "https")
    );
    // What the visitor wrote itself stands before what the proxies wrote.
    assert_eq!(
        told("X-Forwarded-For: 203.0.113.7, 198.51.100.1, 10.1.1.1\r\n").await,
        is("203.0.113.7, 198.51.100.1, 10.1.1.1, 127.0.0.1", "198.51.100.1", "http")
    );
    assert_eq!(
        told("X-Forwarded-For: nonsense\r\nX-Forwarded-Proto: ftp\r\n").await.2,
        "127.0.0.1"
    );
    let before = toy.count();
    let answer = get(front.address, "/", "X-Forwarded-For: 203.0.113.7\r\n").await;
    assert_eq!((answer.status, toy.count()), (403, before));
    // The control plane sees the visitor as well.
    let request = "GET /peer HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n";
    assert!(ask(front.address, request).await.text().starts_with("198.51.100.1:"));
    let plain = Front::start(to(toy.address));
    get(plain.address, "/", "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n").await;
    let seen = toy.last();
    assert_eq!(seen.header("x-forwarded-for").unwrap(), "127.0.0.1");
    assert_eq!(seen.header("x-forwarded-proto").unwrap(), "http");
}
