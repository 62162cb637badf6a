//! The frames of an HTTP/2 connection, counted: those that ask for work and bring nothing (RFC 9113 section 10.5).
//!
//! A client that resets streams as fast as it opens them (CVE-2023-44487), or sends settings, pings, priorities, empty
//! data or continuations without end, costs time and pays nothing. The library bounds the memory of all of them and not
//! their number, so they are counted here as they come in: a connection has an allowance that fills up again slowly.

/// Bytes before the first frame (RFC 9113 section 3.4).
const PREFACE: u32 = 24;
/// Bytes of a frame's head (section 4.1).
const HEAD: usize = 9;
/// Frames without content at once, which a page that is left while everything loads does not reach.
const BURST: u32 = 2000;
/// What comes back in a tick of a quarter of a second.
const A_TICK: u32 = 50;
/// Bytes sent to the client for which it gets one back: it makes room for more by updates of its windows.
const AN_UPDATE: u32 = 512;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const END_STREAM: u8 = 0x1;

/// More frames without content than the connection may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood;

/// Follows the frames of one connection.
#[derive(Debug)]
pub struct Frames {
    /// Bytes until the next frame's head.
    skip: u32,
    head: [u8; HEAD],
    /// How much of the head has come.
    have: usize,
    allowance: u32,
    tick: u32,
    /// Bytes sent that have not earned anything yet.
    sent: u32,
}

impl Frames {
    /// A connection that begins at this tick.
    pub fn new(tick: u32) -> Self {
        Self { skip: PREFACE, head: [0; HEAD], have: 0, allowance: BURST, tick, sent: 0 }
    }

    /// Takes the next bytes; answers how many frames begin in them.
    ///
    /// # Errors
    /// The allowance is used up.
    pub fn feed(&mut self, mut bytes: &[u8], tick: u32) -> Result<usize, Flood> {
        let mut count = 0;
        let back = tick.saturating_sub(self.tick).saturating_mul(A_TICK);
        self.allowance = self.allowance.saturating_add(back).min(BURST);
        self.tick = tick;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = bytes.len().min(self.skip as usize);
                bytes = &bytes[skipped..];
                // Not more than it was.
                self.skip -= skipped as u32;
                continue;
            }
            let more = bytes.len().min(HEAD - self.have);
            self.head[self.have..self.have + more].copy_from_slice(&bytes[..more]);
            self.have += more;
            bytes = &bytes[more..];
            if self.have == HEAD {
                self.have = 0;
                self.frame()?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Counts what the client was sent, and has to make room for again.
    pub fn wrote(&mut self, bytes: usize) {
        let sent = self.sent.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.allowance = self.allowance.saturating_add(sent / AN_UPDATE).min(BURST);
        self.sent = sent % AN_UPDATE;
    }

    fn frame(&mut self) -> Result<(), Flood> {
        let [high, middle, low, kind, flags, ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.skip = length;
        let pays = match kind {
            HEADERS => true,
            // One byte may say that there are none.
            DATA => length > 1 || flags & END_STREAM != 0,
            _ => false,
        };
        if !pays {
            self.allowance = self.allowance.checked_sub(1).ok_or(Flood)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
