//! Lines chosen by what they are.

use std::collections::VecDeque;
use std::io;

use super::read::{LogPage, Order};
use super::segment::{self, Lines};
use super::stream::{Progress, Stream};
use crate::model::ids::DeploymentId;
use crate::model::log_line::{LogLevel, LogLine, LogSource};
use crate::model::timestamp::Timestamp;

/// Bytes that one page looks through at most, so that a search for what is not there ends.
const SEARCHED_BYTES: u64 = 64 * 1024 * 1024;

/// Which lines are wanted. What is empty does not choose.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only lines with a number below this one.
    pub before_seq: Option<u64>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub sources: Vec<LogSource>,
    pub levels: Vec<LogLevel>,
    /// A part of the message, without regard to case.
    pub text: Option<String>,
    /// Lowest and highest status; lines without a request have none.
    pub statuses: Option<(u16, u16)>,
    pub deployment: Option<DeploymentId>,
    pub instance: Option<String>,
}

impl Selection {
    /// Whether a line is wanted.
    pub fn takes(&self, line: &LogLine) -> bool {
        let among = |status: u16| self.statuses.is_none_or(|(l, h)| (l..=h).contains(&status));
        self.before_seq.is_none_or(|before| line.seq < before)
            && self.since.is_none_or(|since| line.ts >= since)
            && self.until.is_none_or(|until| line.ts < until)
            && (self.sources.is_empty() || self.sources.contains(&line.source))
            && (self.levels.is_empty() || self.levels.contains(&line.level))
            && self.statuses.is_none_or(|_| line.http.as_ref().is_some_and(|h| among(h.status)))
            && self.deployment.as_ref().is_none_or(|id| line.deployment_id.as_ref() == Some(id))
            && self.instance.as_ref().is_none_or(|one| line.instance.as_ref() == Some(one))
            && self.text.as_ref().is_none_or(|text| contains(&line.message, text))
    }
}

/// Whether `text` is in `message`, without regard to case.
fn contains(message: &str, text: &str) -> bool {
    message.to_lowercase().contains(&text.to_lowercase())
}

/// Up to `limit` wanted lines with a number above `after`: the oldest ones in order, or the newest ones, newest first.
/// `next_after_seq` is the last line that was looked at, wanted or not, so that a search goes on where it stopped.
pub fn page(
    stream: &Stream,
    wanted: &Selection,
    after: u64,
    limit: usize,
    order: Order,
) -> io::Result<LogPage> {
    let progress = *stream.watch().borrow();
    let mut segments = segments(stream, progress, wanted, after)?;
    match order {
        Order::Ascending => oldest(stream, progress, wanted, after, limit, &segments),
        Order::Descending => {
            segments.reverse();
            newest(stream, progress, wanted, after, limit, &segments)
        }
    }
}

/// Segments that can hold wanted lines, oldest first.
fn segments(
    stream: &Stream,
    progress: Progress,
    wanted: &Selection,
    after: u64,
) -> io::Result<Vec<u64>> {
    let mut all = segment::list(&stream.directory)?;
    all.retain(|first| *first <= progress.segment);
    if let Some(before) = wanted.before_seq {
        all.retain(|first| *first < before);
    }
    let mut from = all.partition_point(|first| *first <= after + 1).saturating_sub(1);
    if let Some(since) = wanted.since {
        // Lines are in the order of their time: what begins before the next segment's first line is too old.
        while from + 1 < all.len() {
            match first_moment(stream, progress, all[from + 1])? {
                Some(begun) if begun < since => from += 1,
                _ => break,
            }
        }
    }
    Ok(all.split_off(from.min(all.len())))
}

fn first_moment(stream: &Stream, progress: Progress, first: u64) -> io::Result<Option<Timestamp>> {
    let Some(mut lines) = open(stream, progress, first)? else { return Ok(None) };
    Ok(lines.next_line()?.and_then(parse).map(|line| line.ts))
}

/// The lines of a segment; `None` when it made room for newer ones meanwhile.
fn open(stream: &Stream, progress: Progress, first: u64) -> io::Result<Option<Lines>> {
    let end = if first == progress.segment { progress.bytes } else { u64::MAX };
    match Lines::open(&stream.directory, first, 0, end) {
        Ok(lines) => Ok(Some(lines)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(line: &[u8]) -> Option<LogLine> {
    segment::number(line).and_then(|_| serde_json::from_slice(line).ok())
}

fn oldest(
    stream: &Stream,
    progress: Progress,
    wanted: &Selection,
    after: u64,
    limit: usize,
    segments: &[u64],
) -> io::Result<LogPage> {
    let (mut found, mut seen, mut searched) = (Vec::new(), after, 0);
    'all: for first in segments {
        let Some(mut lines) = open(stream, progress, *first)? else { continue };
        while let Some(bytes) = lines.next_line()? {
            searched += bytes.len() as u64;
            let Some(line) = parse(bytes).filter(|line| line.seq > after) else { continue };
            seen = line.seq;
            if wanted.takes(&line) {
                found.push(line);
            }
            if found.len() == limit || searched >= SEARCHED_BYTES {
                break 'all;
            }
        }
    }
    let complete = progress.finished && seen >= progress.last_seq;
    Ok(LogPage { lines: found, next_after_seq: seen, complete })
}

fn newest(
    stream: &Stream,
    progress: Progress,
    wanted: &Selection,
    after: u64,
    limit: usize,
    segments: &[u64],
) -> io::Result<LogPage> {
    let (mut found, mut searched) = (Vec::new(), 0);
    for first in segments {
        let Some(mut lines) = open(stream, progress, *first)? else { continue };
        let mut here = VecDeque::new();
        while let Some(bytes) = lines.next_line()? {
            searched += bytes.len() as u64;
            let Some(line) = parse(bytes).filter(|line| line.seq > after) else { continue };
            if wanted.takes(&line) {
                if here.len() == limit - found.len() {
                    here.pop_front();
                }
                here.push_back(line);
            }
        }
        found.extend(here.into_iter().rev());
        if found.len() == limit || searched >= SEARCHED_BYTES {
            break;
        }
    }
    let next_after_seq = progress.last_seq.max(after);
    Ok(LogPage { lines: found, next_after_seq, complete: progress.finished })
}
