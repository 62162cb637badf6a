//! The content of an answer as it comes in (RFC 9112 sections 6 and 7).

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Frame, SizeHint};
use memchr::memchr;

use super::Error;

/// The longest line before a chunk, with its extensions, in bytes.
const LONGEST_LINE: usize = 4 * 1024;
/// All trailers, in bytes.
const LONGEST_TRAILERS: usize = 16 * 1024;
const MOST_TRAILERS: usize = 100;

/// How much of an answer's content is still to come.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// None, or it has ended.
    Nothing,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunk),
    /// All that comes before the connection ends.
    UntilClose,
}

/// Where in chunked content the next byte is.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

/// What the input gives.
#[derive(Debug)]
pub enum Step {
    Frame(Frame<Bytes>),
    /// More bytes are needed.
    More,
    /// The content has ended.
    End,
}

impl Content {
    /// Chunks, before the first one.
    pub fn chunked() -> Self {
        Self::Chunked(Chunk::Size)
    }

    /// Whether nothing more comes, as far as that is known without reading.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Nothing | Self::Length(0))
    }

    /// How much is still to come.
    pub fn size_hint(&self) -> SizeHint {
        match self {
            Self::Nothing => SizeHint::with_exact(0),
            Self::Length(left) => SizeHint::with_exact(*left),
            Self::Chunked(_) | Self::UntilClose => SizeHint::default(),
        }
    }

    /// Bytes that are wanted, where that is known.
    pub fn wanted(&self) -> Option<u64> {
        match self {
            Self::Length(left) | Self::Chunked(Chunk::Data(left)) => Some(*left),
            _ => None,
        }
    }

    /// The connection has ended.
    ///
    /// # Errors
    ///
    /// That is not the end of the content.
    pub fn close(&mut self) -> Result<(), Error> {
        match self {
            Self::UntilClose => *self = Self::Nothing,
            Self::Nothing | Self::Length(0) => {}
            Self::Length(_) | Self::Chunked(_) => return Err(Error::Broken),
        }
        Ok(())
    }

    /// Takes the next part off the input.
    ///
    /// # Errors
    ///
    /// Chunks that are not written as they must be.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Step, Error> {
        loop {
            match self {
                Self::Nothing | Self::Length(0) => return Ok(Step::End),
                _ if input.is_empty() => return Ok(Step::More),
                Self::UntilClose => return Ok(data(input.split().freeze())),
                Self::Length(left) => return Ok(data(take(input, left))),
                Self::Chunked(chunk) => match chunk {
                    Chunk::Size => {
                        let Some(size) = size(input)? else { return Ok(Step::More) };
                        *chunk = if size == 0 { Chunk::Trailers } else { Chunk::Data(size) };
                    }
                    Chunk::Data(left) => {
                        let taken = take(input, left);
                        if *left == 0 {
                            *chunk = Chunk::DataEnd;
                        }
                        return Ok(data(taken));
                    }
                    Chunk::DataEnd if input.len() < 2 => return Ok(Step::More),
                    Chunk::DataEnd => {
                        if &input.split_to(2)[..] != b"\r\n" {
                            return Err(Error::Malformed);
                        }
                        *chunk = Chunk::Size;
                    }
                    Chunk::Trailers => {
                        let Some(trailers) = trailers(input)? else { return Ok(Step::More) };
                        *self = Self::Nothing;
                        if !trailers.is_empty() {
                            return Ok(Step::Frame(Frame::trailers(trailers)));
                        }
                    }
                },
            }
        }
    }
}

fn data(bytes: Bytes) -> Step {
    Step::Frame(Frame::data(bytes))
}

fn take(input: &mut BytesMut, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= length as u64;
    input.split_to(length).freeze()
}

/// `chunk-size [ chunk-ext ] CRLF`. Blanks after the size are passed over: some programs pad it.
fn size(input: &mut BytesMut) -> Result<Option<u64>, Error> {
    let Some(end) = memchr(b'\n', input) else {
        return if input.len() > LONGEST_LINE { Err(Error::Malformed) } else { Ok(None) };
    };
    let line = input.split_to(end + 1);
    let line = line.strip_suffix(b"\r\n").ok_or(Error::Malformed)?;
    let end = memchr(b';', line).unwrap_or(line.len());
    let digits = line[..end].trim_ascii_end();
    if !(1..=16).contains(&digits.len()) || line.len() > LONGEST_LINE {
        return Err(Error::Malformed);
    }
    let digit =
        |size: u64, digit: &u8| Some(size << 4 | u64::from(char::from(*digit).to_digit(16)?));
    digits.iter().try_fold(0, digit).map(Some).ok_or(Error::Malformed)
}

/// `trailer-section CRLF`.
fn trailers(input: &mut BytesMut) -> Result<Option<HeaderMap>, Error> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_TRAILERS];
    match httparse::parse_headers(input, &mut fields).map_err(|_| Error::Malformed)? {
        httparse::Status::Partial if input.len() > LONGEST_TRAILERS => Err(Error::Malformed),
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete((length, fields)) => {
            let mut trailers = HeaderMap::new();
            for field in fields {
                let name = HeaderName::from_bytes(field.name.as_bytes());
                let value = HeaderValue::from_bytes(field.value);
                trailers.append(
                    name.map_err(|_| Error::Malformed)?,
                    value.map_err(|_| Error::Malformed)?,
                );
            }
            if length > LONGEST_TRAILERS {
                return Err(Error::Malformed);
            }
            let _ = input.split_to(length);
            Ok(Some(trailers))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All content, its trailers, and what stays in the input; the bytes come so many at a time.
    fn read(mut content: Content, text: &[u8], at_a_time: usize) -> Result<String, Error> {
        let (mut input, mut all, mut trailers) = (BytesMut::new(), Vec::new(), String::new());
        let mut parts = text.chunks(at_a_time);
        loop {
            match content.next(&mut input)? {
                Step::More => match parts.next() {
                    Some(part) => input.extend_from_slice(part),
                    None => {
                        content.close()?;
                    }
                },
                Step::Frame(frame) => match frame.into_data() {
                    Ok(data) => all.extend_from_slice(&data),
                    Err(frame) => trailers = format!("{:?}", frame.into_trailers().unwrap()),
                },
                Step::End => {
                    let rest: Vec<u8> = [&input[..], &parts.collect::<Vec<_>>().concat()].concat();
                    let [all, rest] = [all, rest].map(|text| String::from_utf8(text).unwrap());
                    return Ok(format!("{all}|{trailers}|{rest}"));
                }
            }
        }
    }

    #[test]
    fn content_ends_where_it_says() {
        for at_a_time in [1, 2, 3, 7, 1000] {
            let chunks = |text: &str| read(Content::chunked(), text.as_bytes(), at_a_time).unwrap();
            assert_eq!(chunks("3\r\nabc\r\n0\r\n\r\nnext"), "abc||next");
            assert_eq!(chunks("003;a=\"b\"\r\nabc\r\n1  \r\nd\r\n0;x\r\n\r\n"), "abcd||");
            let fields = "{\"x-a\": \"1\", \"x-b\": \"\"}";
            assert_eq!(chunks("0\r\nX-A: 1\r\nX-B:\r\n\r\nHTTP"), format!("|{fields}|HTTP"));
            assert_eq!(read(Content::Length(3), b"abcd", at_a_time).unwrap(), "abc||d");
            assert_eq!(read(Content::UntilClose, b"abcd", at_a_time).unwrap(), "abcd||");
            assert_eq!(read(Content::Nothing, b"abcd", at_a_time).unwrap(), "||abcd");
        }
    }

    #[test]
    fn content_that_is_cut_or_not_clear_is_none() {
        for text in
            ["", "3", "3\r\n", "3\r\nab", "3\r\nabc\r\n", "3\r\nabc\r\n0\r\n", "0\r\nX-A: 1\r\n"]
        {
            for at_a_time in [1, 1000] {
                let cut = read(Content::chunked(), text.as_bytes(), at_a_time);
                assert!(matches!(cut, Err(Error::Broken)), "{text:?}");
            }
        }
        assert!(matches!(read(Content::Length(3), b"ab", 1), Err(Error::Broken)));
        let long = format!("1;{}\r\n", "a".repeat(LONGEST_LINE));
        let many = format!("0\r\n{}\r\n", "a: b\r\n".repeat(MOST_TRAILERS + 1));
        let huge = format!("0\r\na: {}\r\n\r\n", "b".repeat(LONGEST_TRAILERS));
        for text in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\na\r\n",
            "0x1\r\na\r\n",
            " 1\r\na\r\n",
            "1\na\r\n",
            "10000000000000000\r\n",
            "1\r\nab\r\n",
            "1\r\na\n\n0\r\n\r\n",
            "0\r\n folded\r\n\r\n",
            "0\r\nbad name: 1\r\n\r\n",
            &long,
            &many,
            &huge,
        ] {
            for at_a_time in [1, 100_000] {
                let found = read(Content::chunked(), text.as_bytes(), at_a_time);
                assert!(matches!(found, Err(Error::Malformed)), "{text:?}: {found:?}");
            }
        }
    }
}
