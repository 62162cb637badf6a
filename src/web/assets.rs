//! The files of `static/`, in the binary. Their URLs carry one hash over all of them, so that modules and style sheets
//! may refer to each other by relative names and everything can be cached for ever.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "static"]
struct Static;

/// Bytes in the three forms they are sent in.
pub(super) struct File {
    content_type: &'static str,
    plain: Bytes,
    gzip: Bytes,
    brotli: Bytes,
}

static BUILD: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<Cow<'static, str>> = Static::iter().collect();
    names.sort();
    let hash = names.iter().fold(FNV_START, |hash, name| {
        let content = Static::get(name).map(|file| file.data).unwrap_or_default();
        fnv(fnv(hash, name.as_bytes()), &content)
    });
    format!("{:012x}", hash & 0xffff_ffff_ffff)
});

static FILES: LazyLock<HashMap<String, File>> = LazyLock::new(|| {
    Static::iter()
        .filter_map(|name| {
            let plain = Static::get(&name)?.data.into_owned();
            Some((name.to_string(), File::new(content_type(&name), plain)))
        })
        .collect()
});

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a. It names a build and protects nothing, so it need not be a cryptographic hash.
fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

impl File {
    /// Compresses them.
    pub(super) fn new(content_type: &'static str, plain: Vec<u8>) -> Self {
        Self {
            content_type,
            gzip: gzip(&plain).unwrap_or_default().into(),
            brotli: brotli(&plain).unwrap_or_default().into(),
            plain: plain.into(),
        }
    }

    /// The smallest form the browser takes.
    fn body(&self, accepted: &str) -> (Option<&'static str>, Bytes) {
        if accepts(accepted, "br") && !self.brotli.is_empty() {
            (Some("br"), self.brotli.clone())
        } else if accepts(accepted, "gzip") && !self.gzip.is_empty() {
            (Some("gzip"), self.gzip.clone())
        } else {
            (None, self.plain.clone())
        }
    }

    /// The answer to a request with these headers, and how its body is encoded.
    pub(super) fn answer(
        &self,
        headers: &HeaderMap,
        caching: &'static str,
    ) -> (Option<&'static str>, Response) {
        let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
        let (encoding, body) = self.body(accepted.unwrap_or_default());
        let mut response = body.into_response();
        let mut set = |name: HeaderName, value: &'static str| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        };
        set(CONTENT_TYPE, self.content_type);
        set(CACHE_CONTROL, caching);
        set(VARY, "accept-encoding");
        set(HeaderName::from_static("x-content-type-options"), "nosniff");
        if let Some(encoding) = encoding {
            set(CONTENT_ENCODING, encoding);
        }
        (encoding, response)
    }
}

/// Twelve hexadecimal digits that change whenever a file of `static/` does.
pub fn build() -> &'static str {
    &BUILD
}

/// The URL path of an embedded file: `path("app.css")` is `/assets/0123456789ab/app.css`.
pub fn path(name: &str) -> String {
    format!("/assets/{}/{name}", build())
}

/// Compresses every file now rather than for the first visitor.
pub fn prepare() {
    LazyLock::force(&FILES);
}

/// `GET /assets/{build}/{*file}`.
pub async fn serve(
    Path((asked_build, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    // A tab opened before an upgrade asks with the old build: it gets the file of today, but may not keep it.
    let caching =
        if asked_build == build() { "public, max-age=31536000, immutable" } else { "no-cache" };
    respond(&name, caching, &headers)
}

/// `GET /favicon.ico`, which browsers ask for wherever they are.
pub async fn favicon(headers: HeaderMap) -> Response {
    respond("favicon.svg", "public, max-age=86400", &headers)
}

fn respond(name: &str, caching: &'static str, headers: &HeaderMap) -> Response {
    let Some(file) = FILES.get(name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    file.answer(headers, caching).1
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

/// Whether an `Accept-Encoding` value allows this coding.
fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding))
            && !parts.any(|parameter| {
                parameter.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0))
            })
    })
}

fn gzip(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain)?;
    encoder.finish()
}

fn brotli(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        // 11 saves 3 % more and takes ten times as long.
        quality: 9,
        // 64 KiB is more than any of the files; the usual 4 MiB would cost megabytes for good.
        lgwin: 16,
        size_hint: plain.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*plain, &mut compressed, &parameters)?;
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(build: &str, name: &str, accepted: &'static str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        serve(Path((build.to_owned(), name.to_owned())), headers).await
    }

    fn header(response: &Response, name: HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn a_file_is_compressed_and_kept_for_ever() {
        let response = get(build(), "app.css", "gzip, deflate, br").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(&response, CONTENT_ENCODING), "br");
        assert_eq!(header(&response, CONTENT_TYPE), "text/css; charset=utf-8");
        assert!(header(&response, CACHE_CONTROL).contains("immutable"));
        assert_eq!(build().len(), 12);
    }

    #[tokio::test]
    async fn a_page_from_before_an_upgrade_still_gets_its_files() {
        let response = get("000000000000", "app.js", "br;q=0, gzip;q=0.5").await;
        assert_eq!(header(&response, CONTENT_ENCODING), "gzip");
        assert_eq!(header(&response, CACHE_CONTROL), "no-cache");
    }

    #[tokio::test]
    async fn unknown_files_and_other_folders_are_not_found() {
        for name in ["nothing.js", "../Cargo.toml", ""] {
            assert_eq!(get(build(), name, "").await.status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
}
