//! Where WebSocket frames end in a stream of bytes (RFC 6455 section 5.2). Nothing else is read.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// Follows the frames that go to a client.
#[derive(Debug, Default)]
pub struct Frames {
    /// The head of the current frame, as far as it has come.
    head: [u8; 10],
    have: usize,
    /// Bytes of the current frame still to come, once its head is known.
    left: u64,
    /// Bytes may have been written that are not yet counted.
    writing: bool,
}

impl Frames {
    /// Writes the next bytes of the stream. When this is dropped half-way, no border is known
    /// any more.
    pub async fn write(
        &mut self,
        to: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
    ) -> io::Result<()> {
        self.writing = true;
        to.write_all(bytes).await?;
        self.feed(bytes);
        self.writing = false;
        Ok(())
    }

    /// Takes the next bytes of the stream.
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skip = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= skip as u64;
                bytes = &bytes[skip..];
                continue;
            }
            self.head[self.have] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            if let Some(left) = self.payload() {
                self.left = left;
                self.have = 0;
            }
        }
    }

    /// Whether the next byte would start a frame.
    pub fn at_border(&self) -> bool {
        !self.writing && self.have == 0 && self.left == 0
    }

    /// What follows the head, once the head is whole.
    fn payload(&self) -> Option<u64> {
        if self.have < 2 {
            return None;
        }
        // Servers do not mask, but one that does is followed all the same.
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        let (bytes, short) = match self.head[1] & 0x7f {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, u64::from(short)),
        };
        if self.have < 2 + bytes {
            return None;
        }
        let long = self.head[2..2 + bytes]
            .iter()
            .fold(0u64, |length, byte| length << 8 | u64::from(*byte));
        Some(long.saturating_add(short).saturating_add(mask))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_found_whatever_the_parts() {
        let mut stream = vec![0x81, 0x02, b'h', b'i', 0x89, 0x00];
        stream.extend([0x82, 126, 0x01, 0x00]);
        stream.extend([7; 256]);
        stream.extend([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        stream.extend([7; 65536]);
        let borders = [0, 4, 6, 6 + 4 + 256, stream.len()];
        let mut frames = Frames::default();
        for (index, byte) in stream.iter().enumerate() {
            assert_eq!(frames.at_border(), borders.contains(&index), "{index}");
            frames.feed(std::slice::from_ref(byte));
        }
        assert!(frames.at_border());
        let mut whole = Frames::default();
        whole.feed(&stream);
        assert!(whole.at_border());
        whole.feed(&[0x81]);
        assert!(!whole.at_border());
    }
}
