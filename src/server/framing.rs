//! A second look at the requests of a connection.
//!
//! The HTTP library forgives a request with both `Transfer-Encoding` and `Content-Length`, or with
//! the same length twice, and hides it. Two programs that read such a request differently are what
//! request smuggling is made of, so the bytes are followed here as they come in, and a request of
//! this kind is refused (RFC 9112 section 6.3).

use memchr::memchr;

/// The longest head, in bytes. Line ends count.
const MAX_HEAD: usize = 64 * 1024;
/// As much of a line as is kept until it is whole; no line of interest is longer.
const LONGEST_LINE: usize = 128;

/// What is wrong with a request's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is not certain where the request ends.
    Length,
    /// The head is too long.
    TooLong,
}

/// Where in a connection's input the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Between two requests.
    Between,
    /// In a head.
    Head,
    /// In content.
    Content,
    /// Not followed any more: the connection is no longer HTTP, or will not stay open.
    Off,
}

/// A chunk of chunked content does not begin as it must (RFC 9112 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidChunk;

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub struct Framing {
    state: State,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    head: Head,
    /// Heads that are complete.
    heads: u64,
    doubt: Option<(u64, Doubt)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Content(u64),
    ChunkSize,
    Chunk(u64),
    Trailers,
    Off,
}

/// What was seen of the current head.
#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    has_request_line: bool,
    lengths: u32,
    length: u64,
    codings: u32,
}

impl Framing {
    /// The doubt about the request with this number, counted from 0.
    pub fn doubt(&self, request: u64) -> Option<Doubt> {
        self.doubt.filter(|(number, _)| *number == request).map(|(_, doubt)| doubt)
    }

    /// Where the next byte is.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Head if self.head.bytes == 0 => Phase::Between,
            State::Head => Phase::Head,
            State::Off => Phase::Off,
            _ => Phase::Content,
        }
    }

    /// Stops following: what comes next is not HTTP.
    pub fn stop(&mut self) {
        self.state = State::Off;
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// A chunk whose length is not plain; the connection is of no more use.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), InvalidChunk> {
        while !bytes.is_empty() {
            match self.state {
                State::Off => return Ok(()),
                State::Content(left) | State::Chunk(left) => {
                    let skip = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[skip..];
                    self.skipped(left - skip as u64);
                }
                State::Head | State::ChunkSize | State::Trailers => {
                    let Some(end) = memchr(b'\n', bytes) else {
                        self.head.bytes += bytes.len();
                        self.keep(bytes);
                        return Ok(());
                    };
                    let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
                    self.head.bytes += end + 1;
                    bytes = rest;
                    if self.partial.is_empty() {
                        self.line(line)?;
                    } else {
                        self.keep(line);
                        let mut whole = std::mem::take(&mut self.partial);
                        self.line(&whole)?;
                        whole.clear();
                        self.partial = whole;
                    }
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE - self.partial.len();
        self.partial.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }

    fn skipped(&mut self, left: u64) {
        self.state = match (self.state, left) {
            (State::Content(_), 0) => State::Head,
            (State::Chunk(_), 0) => State::ChunkSize,
            (State::Content(_), left) => State::Content(left),
            (_, left) => State::Chunk(left),
        };
        if left == 0 {
            self.head = Head::default();
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), InvalidChunk> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.state {
            State::Head if line.is_empty() && !self.head.has_request_line => {
                // Empty lines before a request are ignored (RFC 9112 section 2.2).
                self.head = Head::default();
            }
            State::Head if line.is_empty() => self.end_of_head(),
            State::Head if !self.head.has_request_line => self.head.has_request_line = true,
            State::Head => self.field(line),
            State::ChunkSize => {
                // The two bytes after a chunk are a line end.
                self.state = match chunk_size(line).ok_or(InvalidChunk)? {
                    0 => State::Trailers,
                    size => State::Chunk(size.saturating_add(2)),
                };
            }
            State::Trailers if line.is_empty() => {
                self.head = Head::default();
                self.state = State::Head;
            }
            State::Trailers | State::Content(_) | State::Chunk(_) | State::Off => {}
        }
        Ok(())
    }

    fn field(&mut self, line: &[u8]) {
        let named = |name: &[u8]| {
            line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        match line[0] | 0x20 {
            b'c' if named(b"content-length:") => {
                self.head.lengths += 1;
                let digits = line[b"content-length:".len()..].trim_ascii();
                match std::str::from_utf8(digits).map(str::parse) {
                    Ok(Ok(length)) => self.head.length = length,
                    // The library refuses the request.
                    _ => self.state = State::Off,
                }
            }
            b't' if named(b"transfer-encoding:") => self.head.codings += 1,
            _ => {}
        }
    }

    fn end_of_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        let doubt = if head.lengths > 1 || head.codings > 1 || head.lengths + head.codings > 1 {
            Some(Doubt::Length)
        } else if head.bytes > MAX_HEAD {
            Some(Doubt::TooLong)
        } else {
            None
        };
        self.state = match doubt {
            Some(doubt) => {
                self.doubt = Some((self.heads, doubt));
                State::Off
            }
            None if head.codings > 0 => State::ChunkSize,
            None if head.length > 0 => State::Content(head.length),
            None => State::Head,
        };
        self.heads += 1;
    }
}

/// `chunk-size [ chunk-ext ]`. Blanks after the size, which the library forgives, are not taken.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|byte| *byte == b';');
    let digits = &line[..end.unwrap_or(line.len())];
    if !(1..=16).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0u64, |size, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(size << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests;
