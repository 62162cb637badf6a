//! One JSON line a request, collected per thread and written in batches by a thread of its own,
//! so that a slow disk never holds a request up.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::header::{HOST, HeaderName, USER_AGENT};
use http::{Request, StatusCode};

use super::client::Client;
use super::core::Core;
use super::reference::Reference;
use crate::model::log_line::HttpLine;
use crate::model::timestamp::Timestamp;
use crate::routing::requests::{self, Application};

/// A batch goes to the writer when it is this long, or at the next tick.
const BATCH: usize = 64 * 1024;
/// Batches that wait for the disk; when there are more, the newest are lost.
const WAITING: usize = 64;
/// Longer values are cut, in bytes.
const LONGEST: usize = 2048;

/// The way to the thread that writes the file.
#[derive(Clone, Debug)]
pub struct LogWriter {
    batches: SyncSender<Vec<u8>>,
}

impl LogWriter {
    /// Opens `access.log` in `directory`, which is made when missing. The thread ends when the
    /// last clone is gone.
    ///
    /// # Errors
    ///
    /// The directory, the file or the thread cannot be had.
    pub fn start(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let mut file: File =
            OpenOptions::new().create(true).append(true).open(directory.join("access.log"))?;
        let (batches, waiting) = sync_channel::<Vec<u8>>(WAITING);
        std::thread::Builder::new().name("access-log".into()).spawn(move || {
            for batch in waiting {
                if let Err(error) = file.write_all(&batch) {
                    tracing::warn!(%error, "the access log cannot be written");
                }
            }
        })?;
        Ok(Self { batches })
    }
}

/// One thread's lines.
#[derive(Debug)]
pub struct AccessLog {
    writer: Option<LogWriter>,
    batch: RefCell<Vec<u8>>,
}

impl AccessLog {
    /// Collects lines for a writer; without one there are none.
    pub fn new(writer: Option<LogWriter>) -> Self {
        Self { writer, batch: RefCell::default() }
    }

    /// Hands the lines collected so far to the writer.
    pub fn flush(&self) {
        let Some(writer) = &self.writer else { return };
        let mut batch = self.batch.borrow_mut();
        if !batch.is_empty() {
            // A full queue means a disk that does not keep up; traffic goes on.
            let _ = writer.batches.try_send(std::mem::take(&mut batch));
        }
    }

    fn push(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let full = {
            let mut batch = self.batch.borrow_mut();
            write(&mut batch);
            batch.len() >= BATCH
        };
        if full {
            self.flush();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}

/// What is known of a request; becomes a line when its answer has ended.
#[derive(Debug)]
pub struct Line {
    core: Rc<Core>,
    client: Rc<Client>,
    reference: Reference,
    started: Instant,
    /// The line's first part, ready; empty when there is no access log.
    request: Vec<u8>,
    /// Whose runtime log the request is listed in too, with method and path.
    listed: Option<(Arc<Application>, String, String)>,
    status: u16,
    bytes: u64,
}

impl Line {
    /// Notes a request; `None` when there is no log.
    pub fn begin<B>(
        core: &Rc<Core>,
        client: &Rc<Client>,
        request: &Request<B>,
        (reference, started): (Reference, Instant),
    ) -> Option<Box<Self>> {
        core.log.writer.as_ref()?;
        let field = |name: HeaderName| {
            request.headers().get(name).map_or(&b""[..], |value| value.as_bytes())
        };
        let mut text = Vec::with_capacity(256);
        string(&mut text, "method", request.method().as_str().as_bytes());
        string(&mut text, "host", field(HOST));
        // Without the query: that is where tokens travel.
        string(&mut text, "path", request.uri().path().as_bytes());
        string(&mut text, "agent", field(USER_AGENT));
        Some(Box::new(Self {
            core: Rc::clone(core),
            client: Rc::clone(client),
            reference,
            started,
            request: text,
            listed: None,
            status: 0,
            bytes: 0,
        }))
    }

    /// Lists the request in its application's runtime log too, as long as there are not too many.
    pub fn list<B>(
        line: Option<Box<Self>>,
        application: &Arc<Application>,
        core: &Rc<Core>,
        client: &Rc<Client>,
        request: &Request<B>,
        (reference, started): (Reference, Instant),
    ) -> Option<Box<Self>> {
        let second = u32::try_from(now().as_secs()).unwrap_or(u32::MAX);
        if !application.lists(second) {
            return line;
        }
        let mut line = line.unwrap_or_else(|| {
            Box::new(Self {
                core: Rc::clone(core),
                client: Rc::clone(client),
                reference,
                started,
                request: Vec::new(),
                listed: None,
                status: 0,
                bytes: 0,
            })
        });
        let path = request.uri().path().chars().take(LONGEST).collect();
        let method = request.method().to_string();
        line.listed = Some((Arc::clone(application), method, path));
        Some(line)
    }

    /// Notes the answer's status.
    pub fn answered(mut self: Box<Self>, status: StatusCode) -> Box<Self> {
        self.status = status.as_u16();
        self
    }

    /// Counts bytes of the answer's body.
    pub fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl Drop for Line {
    /// Writes the line: also for answers that were cut short.
    fn drop(&mut self) {
        let (time, elapsed) = (now().as_millis(), self.started.elapsed());
        if let Some((application, method, path)) = self.listed.take() {
            let http = HttpLine {
                method,
                path,
                status: self.status,
                duration_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
                bytes: self.bytes,
                ip: self.client.visitor().to_string(),
                request_id: self.reference.as_str().to_owned(),
            };
            let ts = Timestamp(i64::try_from(time).unwrap_or(i64::MAX));
            self.core.routes.requests().send(requests::Request { application, ts, http });
        }
        if self.request.is_empty() {
            return;
        }
        let micros = elapsed.as_micros();
        self.core.log.push(|batch| {
            // Writing to memory does not fail.
            let _ = write!(batch, "{{\"time\":{time},\"request\":\"");
            batch.extend_from_slice(self.reference.as_str().as_bytes());
            batch.extend_from_slice(b"\",\"peer\":\"");
            self.client.tell(|[_, address, _]| batch.extend_from_slice(address.as_bytes()));
            batch.extend_from_slice(b"\",");
            batch.extend_from_slice(&self.request);
            let _ = writeln!(
                batch,
                "\"status\":{},\"bytes\":{},\"micros\":{micros}}}",
                self.status, self.bytes
            );
        });
    }
}

/// The time since the Unix epoch.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `"name":"value",` with what JSON does not allow as escapes; bytes beyond ASCII are `?`.
fn string(line: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in ["\"", name, "\":\""] {
        line.extend_from_slice(part.as_bytes());
    }
    let value = &value[..value.len().min(LONGEST)];
    if value.iter().all(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\')) {
        line.extend_from_slice(value);
        return line.extend_from_slice(b"\",");
    }
    for byte in value {
        match *byte {
            b'"' | b'\\' => line.extend([b'\\', *byte]),
            0x20..=0x7e => line.push(*byte),
            _ => line.push(b'?'),
        }
    }
    line.extend_from_slice(b"\",");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_string() {
        let mut line = Vec::new();
        string(&mut line, "agent", b"a\"b\\c\nd\xff");
        assert_eq!(line, b"\"agent\":\"a\\\"b\\\\c?d?\",");
    }
}
