//! Compressing answers on their way out, for projects that want it. Never what is encoded already, a part, an event
//! stream, or small.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    ETAG, RANGE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body as HttpBody, Frame};

use super::body::{Body, BodyError};
use super::headers::has_token;

/// Smaller bodies grow or gain nothing, in bytes.
const SMALLEST: u64 = 1024;
/// Levels that keep up with a fast line.
const GZIP: u32 = 5;
const BROTLI: u32 = 4;
const BROTLI_WINDOW: u32 = 19;
const ZSTD: i32 = 3;
const BUFFER: usize = 4096;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

impl Coding {
    fn as_str(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// The best coding that a client takes; `None` also where there is nothing to encode.
pub fn wanted<B>(request: &Request<B>) -> Option<Coding> {
    let fields = request.headers();
    if *request.method() == Method::HEAD
        || fields.contains_key(RANGE)
        || request.version() < Version::HTTP_11
    {
        return None;
    }
    [Coding::Zstd, Coding::Brotli, Coding::Gzip].into_iter().find(|coding| takes(fields, coding))
}

/// Whether a client names a coding and does not refuse it with `q=0`.
fn takes(fields: &HeaderMap, coding: &Coding) -> bool {
    let items = fields.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    items.flat_map(|value| value.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let weight = weight.trim().trim_start_matches("q=");
        name.trim().eq_ignore_ascii_case(coding.as_str())
            && (weight.is_empty() || weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

/// The answer, compressed when it gains by it.
pub fn answer(response: Response<Body>, coding: Coding) -> Response<Body> {
    let fields = response.headers();
    let bodiless = matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
    );
    let small = response.body().size_hint().exact().is_some_and(|length| length < SMALLEST);
    if bodiless
        || response.status() == StatusCode::SWITCHING_PROTOCOLS
        || fields.contains_key(CONTENT_ENCODING)
        || has_token(fields, &CACHE_CONTROL, "no-transform")
        || !gains(fields)
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if small {
        return Response::from_parts(parts, body);
    }
    let Ok(encoder) = Encoder::new(coding) else { return Response::from_parts(parts, body) };
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(ACCEPT_RANGES);
    // Another sequence of bytes is the same only in what it means (RFC 9110 section 8.8.3).
    let weak = parts.headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"));
    if let Some(weak) = weak.map(|tag| [b"W/", tag.as_bytes()].concat())
        && let Ok(weak) = HeaderValue::from_bytes(&weak)
    {
        parts.headers.insert(ETAG, weak);
    }
    Response::from_parts(parts, Body::compressed(Compressed::new(body, encoder)))
}

/// Whether content of this type is text of some kind. An event stream must not wait in a compressor.
fn gains(fields: &HeaderMap) -> bool {
    let kind = fields.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "text/event-stream" || kind.starts_with("application/grpc") {
        return false;
    }
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            &*kind,
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/wasm"
                | "application/manifest+json"
                | "application/x-ndjson"
                | "font/ttf"
                | "font/otf"
        )
}

/// Turns bytes into fewer.
enum Encoder {
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD)?),
            Coding::Brotli => {
                let writer =
                    brotli::CompressorWriter::new(Vec::new(), BUFFER, BROTLI, BROTLI_WINDOW);
                Self::Brotli(Box::new(writer))
            }
            Coding::Gzip => {
                let level = flate2::Compression::new(GZIP);
                Self::Gzip(flate2::write::GzEncoder::new(Vec::new(), level))
            }
        })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Zstd(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Gzip(encoder) => encoder,
        }
    }

    /// What has come out so far.
    fn take(&mut self) -> Bytes {
        std::mem::take(match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        })
        .into()
    }

    /// The rest.
    fn finish(self) -> io::Result<Bytes> {
        Ok(match self {
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Brotli(encoder) => encoder.into_inner(),
            Self::Gzip(encoder) => encoder.finish()?,
        }
        .into())
    }
}

/// A body that is compressed while it is sent.
pub struct Compressed {
    body: Box<Body>,
    /// `None` once it is finished.
    encoder: Option<Encoder>,
    /// Whether something was written that has not come out.
    behind: bool,
    trailers: Option<HeaderMap>,
}

impl std::fmt::Debug for Compressed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Compressed")
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl Compressed {
    fn new(body: Body, encoder: Encoder) -> Self {
        Self { body: Box::new(body), encoder: Some(encoder), behind: false, trailers: None }
    }

    /// The next bytes. What the application has sent does not wait for more when there is none.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        loop {
            let Some(encoder) = &mut self.encoder else {
                return Poll::Ready(
                    self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))),
                );
            };
            match Pin::new(&mut *self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        encoder.writer().write_all(&data)?;
                        self.behind = true;
                        let out = encoder.take();
                        if !out.is_empty() {
                            return Poll::Ready(Some(Ok(Frame::data(out))));
                        }
                    }
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    let Some(encoder) = self.encoder.take() else { continue };
                    let rest = encoder.finish()?;
                    if !rest.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(rest))));
                    }
                }
                Poll::Pending if self.behind => {
                    self.behind = false;
                    encoder.writer().flush()?;
                    let out = encoder.take();
                    if !out.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(out))));
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether nothing comes any more.
    pub fn is_end(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(accept: &str) -> Request<()> {
        Request::get("/").header(ACCEPT_ENCODING, accept).body(()).unwrap()
    }

    #[test]
    fn the_best_coding_that_is_taken_is_chosen() {
        for (accept, coding) in [
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip, br", Some(Coding::Brotli)),
            ("GZIP;q=0.5", Some(Coding::Gzip)),
            ("zstd;q=0, br; q=0.0, gzip", Some(Coding::Gzip)),
            ("identity", None),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(wanted(&request(accept)), coding, "{accept}");
        }
    }
}
