//! Sites the proxy serves from files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use orbitra::model::site_rules::SiteRules;
use orbitra::routing::table::{Route, StaticSite};

use crate::support::front::{Front, HOST, files, table};
use crate::support::wire::{Answer, Wire, ask};

fn site(root: &Path) {
    for directory in ["docs", "assets", "empty", ".git", ".well-known"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    for (name, text) in [
        ("index.html", "home"),
        ("about.html", "about"),
        ("404.html", "lost"),
        ("docs/index.html", "docs"),
        ("docs/a b.txt", "0123456789"),
        ("assets/index-BdH3_x8q.js", "plain"),
        ("assets/index-BdH3_x8q.js.br", "brotli"),
        ("assets/index-BdH3_x8q.js.gz", "gzip"),
        ("assets/index-BdH3_x8q.js.zst", "zstd"),
        (".env", "secret"),
        (".git/config", "secret"),
        (".well-known/x", "known"),
    ] {
        fs::write(root.join(name), text).unwrap();
    }
    let large: Vec<u8> = (0..1_000_000u32).map(|byte| (byte % 251) as u8).collect();
    fs::write(root.join("large.bin"), large).unwrap();
    symlink("/etc", root.join("etc")).unwrap();
    symlink("/etc/passwd", root.join("passwd")).unwrap();
    symlink(root.join("index.html"), root.join("inner.html")).unwrap();
}

async fn get(front: &Front, path: &str, fields: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n");
    ask(front.address, request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_lead_to_files_and_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    site(directory.path());
    let front = Front::start(files(directory.path()));
    for (path, status, text) in [
        ("/", 200, "home"),
        ("/index.html", 200, "home"),
        ("/?x=1", 200, "home"),
        ("/about", 200, "about"),
        ("/about.html", 200, "about"),
        ("/docs/", 200, "docs"),
        ("/docs/a%20b.txt", 200, "0123456789"),
        ("/.well-known/x", 200, "known"),
        ("/docs", 308, ""),
        ("/empty", 404, "lost"),
        ("/empty/", 404, "lost"),
        ("/nothing", 404, "lost"),
        ("/about/", 404, "lost"),
        ("/etc/passwd", 404, "lost"),
        ("/passwd", 404, "lost"),
        ("/inner.html", 404, "lost"),
        ("/.env", 404, ""),
        ("/.git/config", 404, ""),
        ("//etc/passwd", 404, ""),
        ("/docs/%2e%2e/index.html", 400, ""),
        ("/../../../../etc/passwd", 400, ""),
        ("/..%2f..%2fetc/passwd", 400, ""),
        ("/docs\\..\\x", 400, ""),
        ("/%00", 400, ""),
        ("/index.html%00.png", 400, ""),
    ] {
        let answer = get(&front, path, "").await;
        assert_eq!(answer.status, status, "{path}");
        if !text.is_empty() {
            assert_eq!(answer.text(), text, "{path}");
            assert_eq!(answer.header("x-content-type-options").unwrap(), "nosniff");
        }
        assert!(!answer.text().contains("secret") && !answer.text().contains("root:"));
    }
    let moved = get(&front, "/docs?x=1", "").await;
    assert_eq!(moved.header("location").unwrap(), "/docs/?x=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_keep_what_has_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    site(directory.path());
    let front = Front::start(files(directory.path()));
    let page = get(&front, "/", "").await;
    let etag = page.header("etag").unwrap();
    assert_eq!(page.header("content-type").unwrap(), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control").unwrap(), "public, max-age=0, must-revalidate");
    for fields in [
        format!("If-None-Match: {etag}\r\n"),
        format!("If-None-Match: \"x\", W/{etag}\r\n"),
        "If-None-Match: *\r\n".into(),
        format!("If-Modified-Since: {}\r\n", page.header("last-modified").unwrap()),
    ] {
        let kept = get(&front, "/", &fields).await;
        assert_eq!((kept.status, kept.body.len()), (304, 0), "{fields}");
        assert_eq!(kept.header("etag").unwrap(), etag);
    }
    assert_eq!(get(&front, "/", "If-None-Match: \"x\"\r\n").await.status, 200);
    fs::write(directory.path().join("index.html"), "HOME").unwrap();
    let fields = format!("If-None-Match: {etag}\r\n");
    assert_eq!(get(&front, "/", &fields).await.text(), "HOME");
    let asset = get(&front, "/assets/index-BdH3_x8q.js", "").await;
    assert_eq!(asset.header("cache-control").unwrap(), "public, max-age=31536000, immutable");
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_siblings_go_to_those_who_take_them() {
    let directory = tempfile::tempdir().unwrap();
    site(directory.path());
    let front = Front::start(files(directory.path()));
    for (accept, encoding, text) in [
        ("", None, "plain"),
        ("Accept-Encoding: identity\r\n", None, "plain"),
        ("Accept-Encoding: gzip\r\n", Some("gzip"), "gzip"),
        ("Accept-Encoding: gzip, deflate, br, zstd\r\n", Some("br"), "brotli"),
        ("Accept-Encoding: gzip, zstd\r\n", Some("zstd"), "zstd"),
        ("Accept-Encoding: br;q=0, gzip;q=0.5\r\n", Some("gzip"), "gzip"),
    ] {
        let answer = get(&front, "/assets/index-BdH3_x8q.js", accept).await;
        assert_eq!(answer.text(), text, "{accept}");
        assert_eq!(answer.header("content-encoding").as_deref(), encoding);
        assert_eq!(answer.header("vary").unwrap(), "accept-encoding");
        assert_eq!(answer.header("content-type").unwrap(), "text/javascript; charset=utf-8");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_range_is_served() {
    let directory = tempfile::tempdir().unwrap();
    site(directory.path());
    let front = Front::start(files(directory.path()));
    let path = "/docs/a%20b.txt";
    let etag = get(&front, path, "").await.header("etag").unwrap();
    let many = format!("Range: bytes={}\r\n", vec!["0-"; 1300].join(","));
    for (fields, status, text, range) in [
        ("Range: bytes=2-4\r\n".to_owned(), 206, "234", Some("bytes 2-4/10")),
        ("Range: bytes=-2\r\n".into(), 206, "89", Some("bytes 8-9/10")),
        ("Range: bytes=20-\r\n".into(), 416, "", Some("bytes */10")),
        (many, 200, "0123456789", None),
        (format!("Range: bytes=2-4\r\nIf-Range: {etag}\r\n"), 206, "234", Some("bytes 2-4/10")),
        ("Range: bytes=2-4\r\nIf-Range: \"x\"\r\n".into(), 200, "0123456789", None),
    ] {
        let answer = get(&front, path, &fields).await;
        let shown: String = fields.chars().take(60).collect();
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{shown}");
        assert_eq!(answer.header("content-range").as_deref(), range, "{shown}");
    }
    let whole = fs::read(directory.path().join("large.bin")).unwrap();
    let mut wire = Wire::connect(front.address).await;
    assert_eq!(wire.get(HOST, "/large.bin").await.unwrap().body, whole);
    wire.send(format!(
        "GET /large.bin HTTP/1.1\r\nHost: {HOST}\r\nRange: bytes=70000-899999\r\n\r\n"
    ))
    .await;
    let part = wire.answer(false).await.unwrap();
    assert_eq!(part.body, whole[70_000..900_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_only_read() {
    let directory = tempfile::tempdir().unwrap();
    site(directory.path());
    let front = Front::start(files(directory.path()));
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n");
        let answer = ask(front.address, request).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow").unwrap(), "GET, HEAD");
    }
    let request = format!("HEAD /large.bin HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let answer = ask(front.address, request).await;
    assert_eq!(answer.header("content-length").unwrap(), "1000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_page_application_routes_in_the_browser() {
    let directory = tempfile::tempdir().unwrap();
    site(directory.path());
    let front = Front::start(files(directory.path()));
    front.routes.publish(table(Route::Static(Arc::new(StaticSite {
        root: directory.path().to_owned(),
        single_page: true,
        rules: Default::default(),
    }))));
    assert_eq!(get(&front, "/users/7", "").await.text(), "home");
    assert_eq!(get(&front, "/missing.js", "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_the_site() {
    let directory = tempfile::tempdir().unwrap();
    site(directory.path());
    for name in ["_redirects", "_headers"] {
        fs::write(directory.path().join(name), "/x /y").unwrap();
    }
    let front = Front::start(files(directory.path()));
    let redirects = "/old/* /docs/:splat 302\n/about /elsewhere\n/index.html / 301!\n/app/* /about.html 200\n\
                     /gone /docs/ 404\n/out https://example.org/x\n/up /../../etc/passwd 200\n/etc/* /etc/:splat 200";
    let headers =
        "/*\n  X-Frame-Options: DENY\n/docs/*\n  Cache-Control: no-store\n  X-Two: a\n  X-Two: b";
    let (rules, warnings) = SiteRules::parse(redirects, headers);
    assert!(warnings.is_empty(), "{warnings:?}");
    front.routes.publish(table(Route::Static(Arc::new(StaticSite {
        root: directory.path().to_owned(),
        single_page: false,
        rules,
    }))));
    for (path, status, location, text) in [
        ("/old/a%20b.txt?x=1", 302, "/docs/a%20b.txt?x=1", ""),
        ("/about", 200, "", "about"),
        ("/index.html", 301, "/", ""),
        ("/app/users/7", 200, "", "about"),
        ("/gone", 404, "", "docs"),
        ("/out", 301, "https://example.org/x", ""),
        ("/up", 400, "", ""),
        ("/etc/passwd", 404, "", "lost"),
        ("/nothing", 404, "", "lost"),
        ("/_redirects", 404, "", ""),
        ("/_headers", 404, "", ""),
    ] {
        let answer = get(&front, path, "").await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("location").unwrap_or_default(), location, "{path}");
        assert!(text.is_empty() || answer.text() == text, "{path}: {}", answer.text());
        assert!(!answer.text().contains("root:"));
    }
    let docs = get(&front, "/docs/", "").await;
    assert_eq!(docs.header("cache-control").unwrap(), "no-store");
    assert_eq!(docs.header("x-frame-options").unwrap(), "DENY");
    let kept = format!("If-None-Match: {}\r\n", docs.header("etag").unwrap());
    assert_eq!(get(&front, "/docs/", &kept).await.status, 304);
    assert_eq!(
        get(&front, "/", "").await.header("cache-control").unwrap(),
        "public, max-age=0, must-revalidate"
    );
}
