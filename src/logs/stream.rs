//! One open log: its number counter, its buffer and what readers may see of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::name::LogName;
use super::segment;
use super::writer::About;
use crate::model::log_line::{LogLevel, LogLine, LogSource, LogStream, NewLine};

/// A buffer of this size is written out at once.
const BUFFER_BYTES: usize = 64 * 1024;
/// A line is visible to readers after this time at the latest.
const FLUSH_AFTER: Duration = Duration::from_millis(100);
/// Room beyond the limit for the few lines that say how it ended.
const RESERVE_BYTES: u64 = 256 * 1024;

/// What of a log is on disk and may be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// First line number of the newest segment.
    pub segment: u64,
    /// Bytes of it that are whole lines.
    pub bytes: u64,
    pub last_seq: u64,
    pub finished: bool,
}

/// Shared by all writers and readers of one log.
pub struct Stream {
    pub name: LogName,
    pub directory: PathBuf,
    /// Segments kept, the oldest go first; `None` keeps all.
    kept: Option<usize>,
    state: Mutex<State>,
    progress: watch::Sender<Progress>,
}

struct State {
    file: Option<File>,
    progress: Progress,
    buffer: Vec<u8>,
    next_seq: u64,
    /// Bytes stored and buffered, all segments together.
    total: u64,
    limited: bool,
    interrupted: bool,
    flush_due: bool,
}

impl Stream {
    /// Opens a log, with what is on disk already.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn open(name: LogName, directory: PathBuf, kept: Option<usize>) -> io::Result<Self> {
        let found = segment::recover(&directory)?;
        let progress = Progress {
            segment: found.segment.unwrap_or(0),
            bytes: found.bytes,
            last_seq: found.last_seq,
            finished: found.finished,
        };
        let limited = name.limit().is_some_and(|limit| found.total >= limit);
        Ok(Self {
            name,
            directory,
            kept,
            state: Mutex::new(State {
                file: None,
                progress,
                buffer: Vec::new(),
                next_seq: found.last_seq + 1,
                total: found.total,
                limited,
                interrupted: found.cut,
                flush_due: false,
            }),
            progress: watch::Sender::new(progress),
        })
    }

    /// What may be read now, and when that changes.
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Adds a line that is already free of secrets. `important` lines go in beyond the limit too.
    pub fn append(self: &Arc<Self>, line: NewLine, about: About, important: bool) {
        let mut state = self.lock();
        if state.progress.finished {
            return;
        }
        if state.interrupted {
            state.interrupted = false;
            let mark = mark(&line, "log interrupted");
            self.push(&mut state, mark, self.own());
        }
        if let Some(limit) = self.name.limit().filter(|limit| state.total >= *limit) {
            if !state.limited {
                state.limited = true;
                let mark = mark(&line, "log limit reached");
                self.push(&mut state, mark, self.own());
            }
            if !important || state.total >= limit + RESERVE_BYTES {
                self.schedule(&mut state);
                return;
            }
        }
        self.push(&mut state, line, about);
        self.schedule(&mut state);
    }

    /// Writes everything out.
    ///
    /// # Errors
    /// The lines could not be written; they are lost, and the log stays readable.
    pub fn flush(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.flush_due = false;
        self.write_out(&mut state)
    }

    /// Marks the log as complete; later lines are dropped.
    ///
    /// # Errors
    /// The mark, or a line before it, could not be written.
    pub fn finish(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.progress.finished {
            return Ok(());
        }
        let flushed = self.write_out(&mut state);
        state.buffer.extend_from_slice(segment::END);
        let ended = self
            .write_out(&mut state)
            .and_then(|()| state.file.as_ref().map_or(Ok(()), File::sync_data));
        // Readers that follow must end even when the disk is full.
        state.progress.finished = true;
        self.progress.send_replace(state.progress);
        flushed.and(ended)
    }

    /// Ends the log without a word on disk, because its files are about to go.
    pub fn discard(&self) {
        let mut state = self.lock();
        state.buffer.clear();
        state.file = None;
        state.progress.finished = true;
        self.progress.send_replace(state.progress);
    }

    /// What the log's own lines are about.
    fn own(&self) -> About {
        About { deployment: self.name.deployment().cloned(), ..About::default() }
    }

    fn push(&self, state: &mut State, line: NewLine, about: About) {
        let line = LogLine {
            seq: state.next_seq,
            ts: line.ts,
            source: line.source,
            stream: line.stream,
            level: line.level,
            phase: line.phase,
            message: line.message,
            deployment_id: about.deployment,
            instance: about.instance,
            http: about.http,
        };
        let before = state.buffer.len();
        if serde_json::to_writer(&mut state.buffer, &line).is_err() {
            state.buffer.truncate(before);
            return;
        }
        state.buffer.push(b'\n');
        state.next_seq += 1;
        state.total += (state.buffer.len() - before) as u64;
    }

    /// Writes a full buffer at once and leaves a smaller one to a timer.
    fn schedule(self: &Arc<Self>, state: &mut State) {
        if state.buffer.is_empty() || state.flush_due && state.buffer.len() < BUFFER_BYTES {
            return;
        }
        let runtime = tokio::runtime::Handle::try_current();
        match runtime {
            Ok(runtime) if state.buffer.len() < BUFFER_BYTES => {
                state.flush_due = true;
                let stream = Arc::clone(self);
                runtime.spawn(async move {
                    tokio::time::sleep(FLUSH_AFTER).await;
                    // One write of at most 64 KiB into the page cache: shorter than handing it to another thread.
                    stream.report(stream.flush());
                });
            }
            _ => {
                let written = self.write_out(state);
                self.report(written);
            }
        }
    }

    fn report(&self, result: io::Result<()>) {
        if let Err(error) = result {
            tracing::error!(log = ?self.name, %error, "log lines were lost");
        }
    }

    fn write_out(&self, state: &mut State) -> io::Result<()> {
        if state.buffer.is_empty() {
            return Ok(());
        }
        let result = self.write_segment(state);
        let lines = state.buffer != segment::END;
        state.buffer.clear();
        if result.is_ok() {
            if lines {
                state.progress.last_seq = state.next_seq - 1;
            }
            self.progress.send_replace(state.progress);
        }
        result
    }

    fn write_segment(&self, state: &mut State) -> io::Result<()> {
        let size = state.buffer.len() as u64;
        let full = state.progress.bytes + size > segment::SEGMENT_BYTES && state.progress.bytes > 0;
        if full || state.progress.segment == 0 {
            segment::create_directory(&self.directory)?;
            let first = segment::number(&state.buffer).unwrap_or(state.next_seq);
            state.file = Some(segment::open(&self.directory, first, 0)?);
            state.progress.segment = first;
            state.progress.bytes = 0;
            self.drop_oldest()?;
        }
        let (current, bytes) = (state.progress.segment, state.progress.bytes);
        let file = match &mut state.file {
            Some(file) => file,
            none => none.insert(segment::open(&self.directory, current, bytes)?),
        };
        if let Err(error) = file.write_all(&state.buffer) {
            // Half a line must not stay before the next one.
            file.set_len(bytes)?;
            return Err(error);
        }
        state.progress.bytes += size;
        Ok(())
    }

    fn drop_oldest(&self) -> io::Result<()> {
        let Some(kept) = self.kept else {
            return Ok(());
        };
        let segments = segment::list(&self.directory)?;
        let surplus = segments.len().saturating_sub(kept);
        for first in &segments[..surplus] {
            fs::remove_file(segment::path(&self.directory, *first))?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change leaves the state whole, so a panic elsewhere does not make it unusable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line of the log itself.
fn mark(beside: &NewLine, message: &str) -> NewLine {
    NewLine {
        ts: beside.ts,
        source: LogSource::System,
        stream: LogStream::Stderr,
        level: LogLevel::Warn,
        phase: beside.phase.clone(),
        message: message.to_owned(),
    }
}
