//! Git's pkt-line framing: four hexadecimal digits of length, then that many bytes less four.

use bytes::{Buf, Bytes, BytesMut};

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Data(Bytes),
    /// `0000`: the end of a list or of the answer.
    Flush,
    /// `0001`: the border between two sections of an answer.
    Delimiter,
    /// `0002`
    ResponseEnd,
}

impl Packet {
    /// A text line without its line feed; empty for frames that carry no text.
    pub fn line(&self) -> &str {
        match self {
            Self::Data(bytes) => std::str::from_utf8(bytes).unwrap_or("").trim_end_matches('\n'),
            _ => "",
        }
    }
}

/// Bytes that are no pkt-lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotPktLine;

/// Takes the first whole frame off the buffer; `None` when more bytes are needed.
pub(super) fn take(buffer: &mut BytesMut) -> Result<Option<Packet>, NotPktLine> {
    let Some(head) = buffer.get(..4) else {
        return Ok(None);
    };
    // `from_str_radix` would take a sign.
    if !head.iter().all(u8::is_ascii_hexdigit) {
        return Err(NotPktLine);
    }
    let length = std::str::from_utf8(head)
        .ok()
        .and_then(|text| usize::from_str_radix(text, 16).ok())
        .ok_or(NotPktLine)?;
    let special = match length {
        0 => Packet::Flush,
        1 => Packet::Delimiter,
        2 => Packet::ResponseEnd,
        3 => return Err(NotPktLine),
        _ if buffer.len() < length => return Ok(None),
        _ => {
            let mut frame = buffer.split_to(length);
            frame.advance(4);
            return Ok(Some(Packet::Data(frame.freeze())));
        }
    };
    buffer.advance(4);
    Ok(Some(special))
}

/// Appends a text line with its line feed.
pub(super) fn put_line(out: &mut BytesMut, text: &str) {
    out.extend_from_slice(format!("{:04x}{text}\n", text.len() + 5).as_bytes());
}

pub(super) const FLUSH: &[u8] = b"0000";
pub(super) const DELIMITER: &[u8] = b"0001";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_as_they_become_whole() {
        let mut buffer = BytesMut::new();
        put_line(&mut buffer, "want x");
        buffer.extend_from_slice(b"00010000000");
        assert_eq!(take(&mut buffer).unwrap().unwrap().line(), "want x");
        assert_eq!(take(&mut buffer), Ok(Some(Packet::Delimiter)));
        assert_eq!(take(&mut buffer), Ok(Some(Packet::Flush)));
        assert_eq!(take(&mut buffer), Ok(None));
        buffer.extend_from_slice(b"8ab");
        assert_eq!(take(&mut buffer), Ok(None));
        buffer.extend_from_slice(b"cdX");
        assert_eq!(take(&mut buffer).unwrap().unwrap().line(), "abcd");
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [&b"<htm"[..], b"0003", b"+001", b"-001", b" 001", b"zzzz"] {
            assert_eq!(take(&mut BytesMut::from(bytes)), Err(NotPktLine));
        }
    }
}
