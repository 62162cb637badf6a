//! The unpacked bytes of an uploaded archive, counted, bounded, and written out as they come.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};

use flate2::bufread::MultiGzDecoder;

use super::tarball::{MOST_BYTES, TarballError};

/// How many times larger than itself an archive may be unpacked. Deflate can reach 1,032.
const RATIO: u64 = 200;
/// What may be unpacked at any ratio.
const RATIO_FREE: u64 = 64 * 1024 * 1024;
/// The unit a tar is made of, in bytes.
pub(super) const BLOCK: usize = 512;

/// The unpacked bytes, counted.
pub(super) struct Input<'a> {
    stream: MultiGzDecoder<BufReader<File>>,
    space: Option<&'a File>,
    stop: &'a dyn Fn() -> bool,
    packed: u64,
    /// Bytes that came so far: where the next one is.
    pub at: u64,
}

impl<'a> Input<'a> {
    /// Reads a gzip archive of the file's size; what is unpacked goes into `space` too.
    pub fn new(
        file: File,
        space: Option<&'a File>,
        stop: &'a dyn Fn() -> bool,
    ) -> io::Result<Self> {
        let packed = file.metadata()?.len();
        let stream = MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, file));
        Ok(Self { stream, space, stop, packed, at: 0 })
    }

    /// Whether the caller wants it to end.
    pub fn stopped(&self) -> bool {
        (self.stop)()
    }
}

impl Input<'_> {
    /// The next bytes; none at the end.
    pub fn some(&mut self, buffer: &mut [u8]) -> Result<usize, TarballError> {
        let count = self.stream.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::UnexpectedEof => TarballError::refused(
                "format",
                "The body is not a whole gzip archive: it is damaged, cut off or something else.",
            ),
            _ => TarballError::Disk(error),
        })?;
        self.at += count as u64;
        if self.at > MOST_BYTES {
            return Err(TarballError::refused("out_of_range", "It unpacks to more than 2 GiB."));
        }
        if self.at > RATIO_FREE && self.at > self.packed.saturating_mul(RATIO) {
            let message = format!("It unpacks to more than {RATIO} times its own size.");
            return Err(TarballError::refused("out_of_range", message));
        }
        if let Some(mut space) = self.space {
            space.write_all(&buffer[..count]).map_err(TarballError::Disk)?;
        }
        Ok(count)
    }

    /// Fills a block; `false` at the end of the archive.
    pub fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, TarballError> {
        let mut filled = 0;
        while filled < BLOCK {
            match self.some(&mut block[filled..])? {
                0 if filled == 0 => return Ok(false),
                0 => return Err(cut_off()),
                count => filled += count,
            }
        }
        Ok(true)
    }

    /// Passes over content and what fills its last block, and gives it to `keep`.
    pub fn content(&mut self, size: u64, mut keep: impl FnMut(&[u8])) -> Result<(), TarballError> {
        let mut left = size.next_multiple_of(BLOCK as u64);
        let mut wanted = size;
        let mut buffer = [0; 64 * 1024];
        while left > 0 {
            if self.stopped() {
                return Err(TarballError::Stopped);
            }
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let count = self.some(&mut buffer[..most])?;
            if count == 0 {
                return Err(cut_off());
            }
            let own = usize::try_from(wanted).unwrap_or(usize::MAX).min(count);
            keep(&buffer[..own]);
            wanted -= own as u64;
            left -= count as u64;
        }
        Ok(())
    }
}

fn cut_off() -> TarballError {
    TarballError::refused("format", "The tar archive is cut off.")
}
