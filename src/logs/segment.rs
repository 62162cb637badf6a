//! The files of one log.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A segment that has reached this size is closed and the next one begun.
pub const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

/// How much of a segment's end is read to find out where it stands.
const TAIL_BYTES: u64 = 64 * 1024;

/// The last line of a finished log.
pub const END: &[u8] = b"{\"end\":true}\n";

/// Creates the directory and its parents, readable by the owner only.
pub fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The file of the segment whose first line has this number.
pub fn path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:08}.ndjson"))
}

/// Opens a segment for appending after its first `bytes`, readable by the owner only.
pub fn open(directory: &Path, first: u64, bytes: u64) -> io::Result<File> {
    let file =
        OpenOptions::new().create(true).append(true).mode(0o600).open(path(directory, first))?;
    file.set_len(bytes)?;
    Ok(file)
}

/// First line numbers of the segments that exist, in order. An absent directory has none.
pub fn list(directory: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let first: Option<u64> = name
            .to_str()
            .and_then(|name| name.strip_suffix(".ndjson"))
            .and_then(|number| number.parse().ok());
        found.extend(first);
    }
    found.sort_unstable();
    Ok(found)
}

/// The number a stored line begins with; `None` for the end mark and for damage.
pub fn number(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// What a log on disk consists of.
#[derive(Debug, Default)]
pub struct Found {
    /// First line number of the newest segment; `None` when there is no segment.
    pub segment: Option<u64>,
    /// Whole lines in the newest segment, in bytes.
    pub bytes: u64,
    /// All segments together, in bytes.
    pub total: u64,
    pub last_seq: u64,
    pub finished: bool,
    /// The newest segment ends in the middle of a line. It is taken away by the next write, not
    /// before, so that a log that is only read keeps saying so.
    pub cut: bool,
}

/// Reads the state of a log from its files.
pub fn recover(directory: &Path) -> io::Result<Found> {
    let segments = list(directory)?;
    let Some(&newest) = segments.last() else {
        return Ok(Found::default());
    };
    let mut found =
        Found { segment: Some(newest), last_seq: newest.saturating_sub(1), ..Found::default() };
    for first in &segments {
        found.total += fs::metadata(path(directory, *first))?.len();
    }
    let bytes = fs::metadata(path(directory, newest))?.len();
    // The end says it all, unless a single line fills it.
    if !(bytes > TAIL_BYTES && read_lines(&mut found, directory, newest, bytes - TAIL_BYTES)?) {
        read_lines(&mut found, directory, newest, 0)?;
    }
    found.cut = bytes > found.bytes;
    Ok(found)
}

/// Takes over what the lines from `offset` on say. Answers whether one of them has a number. The first line counts only
/// from the start of the segment: elsewhere it may be a part of one.
fn read_lines(found: &mut Found, directory: &Path, first: u64, offset: u64) -> io::Result<bool> {
    let mut lines = Lines::open(directory, first, offset, u64::MAX)?;
    if offset > 0 {
        lines.next_line()?;
    }
    let mut numbered = false;
    while let Some(line) = lines.next_line()? {
        match number(line) {
            Some(seq) => (found.last_seq, numbered) = (seq, true),
            None => found.finished |= line == END,
        }
        found.bytes = lines.offset;
    }
    Ok(numbered)
}

/// Whole lines of a segment, from a byte offset on.
pub struct Lines {
    reader: io::Take<BufReader<File>>,
    line: Vec<u8>,
    /// Where the next line begins.
    pub offset: u64,
}

impl Lines {
    /// Reads from `offset` to `end`, which must both be line borders.
    pub fn open(directory: &Path, first: u64, offset: u64, end: u64) -> io::Result<Self> {
        let mut file = File::open(path(directory, first))?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            reader: BufReader::new(file).take(end.saturating_sub(offset)),
            line: Vec::new(),
            offset,
        })
    }

    /// The next line with its line end; `None` at the end, and for a line that has no end.
    pub fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        self.reader.read_until(b'\n', &mut self.line)?;
        if self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        self.offset += self.line.len() as u64;
        Ok(Some(&self.line))
    }
}
