//! From chunks of bytes to lines.

/// Bytes of one line that are kept while its end has not come. More than a stored line may have,
/// so that a secret that lies across the cut is still seen as a whole.
const PENDING_BYTES: usize = 64 * 1024;

/// Turns the chunks of one stream into lines: one assembler for each stream of each process.
///
/// `\n` and `\r\n` end a line. A lone `\r` starts the line again, as progress bars do, so that only
/// its last state remains. What is not UTF-8 becomes U+FFFD. A line longer than 64 KiB loses its rest.
#[derive(Debug, Default)]
pub struct LineAssembler {
    pending: Vec<u8>,
    /// A `\r` was the last byte: the next one tells a line end from a line start.
    returned: bool,
}

impl LineAssembler {
    /// Takes in a chunk and gives the lines it completes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, end) = match piece.split_last() {
                Some((end @ (b'\n' | b'\r'), text)) => (text, Some(*end)),
                _ => (piece, None),
            };
            if !text.is_empty() {
                if self.returned {
                    self.returned = false;
                    self.pending.clear();
                }
                let room = PENDING_BYTES.saturating_sub(self.pending.len());
                self.pending.extend_from_slice(&text[..text.len().min(room)]);
            }
            match end {
                Some(b'\n') => lines.push(self.take()),
                Some(_) => self.returned = true,
                None => {}
            }
        }
        lines
    }

    /// The last line, when it has no end.
    pub fn finish(&mut self) -> Option<String> {
        (!self.pending.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        self.returned = false;
        let line = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        line
    }
}
