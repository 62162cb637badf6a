//! Pages of a log.

use std::io;

use super::segment::{self, Lines};
use super::stream::{Progress, Stream};
use crate::model::log_line::LogLine;

/// Which end of a log a page begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// A part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    pub lines: Vec<LogLine>,
    /// Number to ask from for what comes after this page.
    pub next_after_seq: u64,
    /// The log is finished and nothing comes after this page.
    pub complete: bool,
}

/// Where a reader is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    /// Number of the last line read.
    pub after: u64,
    /// Segment and byte to go on at; 0 when the segment must be looked up first.
    segment: u64,
    offset: u64,
}

impl Cursor {
    /// A reader that has read up to this line.
    pub fn after(after: u64) -> Self {
        Self { after, ..Self::default() }
    }
}

/// Reads one page.
pub fn page(stream: &Stream, after: u64, limit: usize, order: Order) -> io::Result<LogPage> {
    let progress = *stream.watch().borrow();
    let newest = progress.last_seq;
    let from = match order {
        Order::Ascending => after,
        Order::Descending => after.max(newest.saturating_sub(limit as u64)),
    };
    let mut lines = scan(stream, progress, &mut Cursor::after(from), limit)?;
    let next_after_seq = lines.last().map_or(after, |line| line.seq);
    if order == Order::Descending {
        lines.reverse();
    }
    Ok(LogPage { lines, next_after_seq, complete: progress.finished && next_after_seq >= newest })
}

/// Reads up to `limit` lines and moves the cursor behind them.
pub fn scan(
    stream: &Stream,
    progress: Progress,
    cursor: &mut Cursor,
    limit: usize,
) -> io::Result<Vec<LogLine>> {
    let mut found = Vec::new();
    if cursor.after >= progress.last_seq || limit == 0 {
        return Ok(found);
    }
    let segments = segment::list(&stream.directory)?;
    let wanted = cursor.segment.max(cursor.after + 1);
    let start = segments.partition_point(|first| *first <= wanted).saturating_sub(1);
    for &first in &segments[start..] {
        if first > progress.segment {
            break;
        }
        let end = if first == progress.segment { progress.bytes } else { u64::MAX };
        let offset = if first == cursor.segment { cursor.offset } else { 0 };
        let mut lines = match Lines::open(&stream.directory, first, offset, end) {
            Ok(lines) => lines,
            // Made room for newer ones meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        while let Some(line) = lines.next_line()? {
            let parsed = segment::number(line)
                .filter(|seq| *seq > cursor.after)
                .and_then(|_| serde_json::from_slice::<LogLine>(line).ok());
            (cursor.segment, cursor.offset) = (first, lines.offset);
            if let Some(line) = parsed {
                cursor.after = line.seq;
                found.push(line);
                if found.len() == limit {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}
