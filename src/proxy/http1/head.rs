//! The head of a request as it is written, and the head of an answer as it is read.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, request};
use httparse::ParserConfig;

use super::Error;
use super::content::Content;
use crate::proxy::headers::{Added, has_token};

/// The head of an answer is never longer than this, in bytes.
const LONGEST: usize = 64 * 1024;
/// Fields of an answer's head.
const MOST_FIELDS: usize = 100;
/// Those that the proxy adds to them.
const OWN_FIELDS: usize = 2;

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    pub status: StatusCode,
    pub headers: HeaderMap,
}

impl Head {
    /// An answer with this head.
    pub fn into_response<B>(self, body: B) -> Response<B> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// An answer's head and what follows from it.
#[derive(Debug)]
pub struct Answer {
    pub head: Head,
    pub content: Content,
    /// Whether the connection stays open when the content has ended.
    pub keeps: bool,
}

/// Writes the head of a request without the empty line at its end; the target is in origin form.
pub fn write(text: &mut Vec<u8>, parts: &request::Parts, added: &Added<'_>) {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    text.extend_from_slice(parts.method.as_str().as_bytes());
    text.push(b' ');
    if !target.starts_with(['/', '*']) {
        text.push(b'/');
    }
    text.extend_from_slice(target.as_bytes());
    text.extend_from_slice(b" HTTP/1.1\r\n");
    let mut host = None;
    for (name, value) in &parts.headers {
        if name == HOST {
            host = Some(value.as_bytes());
        }
        field(text, name.as_str(), value.as_bytes());
    }
    let host = host.unwrap_or_else(|| {
        // It was on its way over HTTP/2.
        let authority = parts.uri.authority().map_or("", |authority| authority.as_str());
        field(text, HOST.as_str(), authority.as_bytes());
        authority.as_bytes()
    });
    added.write(text, host);
}

/// Writes one field.
pub fn field(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// Takes the head of an answer to a request with this method off the input; `None` while it is not complete.
///
/// # Errors
///
/// It is not HTTP, too long, or leaves it in doubt where the answer ends.
pub fn read(input: &mut BytesMut, method: &Method) -> Result<Option<Answer>, Error> {
    let mut places = [Place::default(); MOST_FIELDS];
    let Some(start) = parse(input, &mut places)? else { return Ok(None) };
    let bytes = input.split_to(start.length).freeze();
    let mut headers = HeaderMap::with_capacity(start.fields + OWN_FIELDS);
    for place in &places[..start.fields] {
        let range = |(start, end): (u32, u32)| start as usize..end as usize;
        let name = HeaderName::from_bytes(&bytes[range(place.name)]);
        let value = HeaderValue::from_maybe_shared(bytes.slice(range(place.value)));
        headers.append(name.map_err(|_| Error::Malformed)?, value.map_err(|_| Error::Malformed)?);
    }
    let (content, ends) = content(method, start.status, &headers)?;
    let keeps = start.is_11 && !ends && !has_token(&headers, &CONNECTION, "close");
    Ok(Some(Answer { head: Head { status: start.status, headers }, content, keeps }))
}

/// Where a field's name and value begin and end in the input.
#[derive(Clone, Copy, Default)]
struct Place {
    name: (u32, u32),
    value: (u32, u32),
}

struct Start {
    length: usize,
    status: StatusCode,
    is_11: bool,
    fields: usize,
}

fn parse(input: &[u8], places: &mut [Place]) -> Result<Option<Start>, Error> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default()
        .parse_response_with_uninit_headers(&mut answer, input, &mut fields)
        .map_err(|_| Error::Malformed)?;
    let httparse::Status::Complete(length) = parsed else {
        return if input.len() > LONGEST { Err(Error::Malformed) } else { Ok(None) };
    };
    // Heads are far shorter than these numbers can say.
    let within = |part: &[u8]| {
        let start = part.as_ptr().addr() - input.as_ptr().addr();
        (start as u32, (start + part.len()) as u32)
    };
    for (place, found) in places.iter_mut().zip(answer.headers.iter()) {
        // A name that is empty is refused by the parser; an empty value may lie anywhere.
        let value = if found.value.is_empty() { (0, 0) } else { within(found.value) };
        *place = Place { name: within(found.name.as_bytes()), value };
    }
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
    let (Some(status), true) = (status, length <= LONGEST) else { return Err(Error::Malformed) };
    let fields = answer.headers.len();
    Ok(Some(Start { length, status, is_11: answer.version == Some(1), fields }))
}

/// Where the answer ends (RFC 9112 section 6.3), and whether that is the end of the connection.
fn content(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<(Content, bool), Error> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let (length, coding) = (lengths.next(), codings.next());
    if lengths.next().is_some()
        || codings.next().is_some()
        || (length.is_some() && coding.is_some())
    {
        return Err(Error::Malformed);
    }
    let length =
        length.map(|length| number(length.as_bytes()).ok_or(Error::Malformed)).transpose()?;
    let chunked = match coding {
        Some(coding) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => true,
        Some(_) => return Err(Error::Malformed),
        None => false,
    };
    let without = method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(match length {
        _ if without => (Content::Nothing, false),
        Some(length) => (Content::Length(length), false),
        None if chunked => (Content::chunked(), false),
        None => (Content::UntilClose, true),
    })
}

/// `1*DIGIT`.
pub fn number(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(method: &Method, text: &str) -> Result<Option<Answer>, Error> {
        read(&mut BytesMut::from(text), method)
    }

    #[test]
    fn where_an_answer_ends_is_certain_or_it_is_refused() {
        let content = |method: &Method, text: &str| {
            let found = answer(method, &format!("{text}\r\n\r\n"));
            found.map(|found| {
                let found = found.unwrap();
                (format!("{:?}", found.content), found.keeps)
            })
        };
        for (text, wanted, keeps) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 12", "Length(12)", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: x, Close", "Length(12)", false),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 12\r\nConnection: keep-alive",
                "Length(12)",
                false,
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", "Chunked(Size)", true),
            ("HTTP/1.1 200 OK", "UntilClose", false),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 3", "Nothing", true),
            ("HTTP/1.1 304 Not Modified", "Nothing", true),
        ] {
            assert_eq!(content(&Method::GET, text).unwrap(), (wanted.to_owned(), keeps), "{text}");
        }
        let head = content(&Method::HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked");
        assert_eq!(head.unwrap(), ("Nothing".to_owned(), true));
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "HTTP/1.1 200 OK\r\nContent-Length: +1",
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 1",
            "HTTP/1.1 200 OK\r\nContent-Length: ",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999",
            "HTTP/1.1 200 OK\r\nbad name: 1",
            "HTTP/1.1 200 OK\r\n folded: 1",
            "HTTP/2 200 OK",
            "ICY 200 OK",
            "HTTP/1.1 2000 OK",
        ] {
            assert!(content(&Method::GET, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_head_is_taken_when_it_is_complete_and_the_rest_stays() {
        let text = b"HTTP/1.1 200 OK\r\nX-Empty:\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\nrest";
        let mut input = BytesMut::new();
        for byte in &text[..text.len() - 5] {
            input.extend_from_slice(&[*byte]);
            assert!(read(&mut input, &Method::GET).unwrap().is_none());
        }
        input.extend_from_slice(&text[text.len() - 5..]);
        let found = read(&mut input, &Method::GET).unwrap().unwrap();
        assert_eq!(&input[..], b"rest");
        let cookies: Vec<_> = found.head.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a", "b"]);
        assert_eq!(found.head.headers["x-empty"], "");
    }

    #[test]
    fn a_head_is_not_read_without_end() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MOST_FIELDS + 1));
        assert!(answer(&Method::GET, &many).is_err());
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(LONGEST));
        assert!(answer(&Method::GET, &long).is_err());
        assert!(answer(&Method::GET, &format!("{long}\r\n\r\n")).is_err());
    }
}
