//! All logs of one data directory.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::stream::BoxStream;

use super::follow;
use super::name::LogName;
use super::read::{self, LogPage, Order};
use super::redact::Redactor;
use super::retention::{self, Retention};
use super::segment;
use super::selection::{self, Selection};
use super::stream::Stream;
use super::writer::LogWriter;
use crate::model::log_line::LogLine;

/// The logs below one directory. Cheap to clone.
#[derive(Clone)]
pub struct LogStore {
    shared: Arc<Shared>,
}

struct Shared {
    directory: PathBuf,
    retention: Retention,
    /// Logs in use. One log must never be open twice, or two writers would number lines alike.
    open: Mutex<HashMap<LogName, Weak<Stream>>>,
}

impl LogStore {
    /// Opens the store and creates its directory (mode 0700).
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(directory: impl Into<PathBuf>, retention: Retention) -> io::Result<Self> {
        let directory = directory.into();
        segment::create_directory(&directory)?;
        let open = Mutex::new(HashMap::new());
        Ok(Self { shared: Arc::new(Shared { directory, retention, open }) })
    }

    /// A writer at the end of this log. Several writers of one log may exist; their lines share one numbering.
    ///
    /// # Errors
    /// What is on disk of this log cannot be read.
    pub async fn writer(&self, name: LogName, redactor: Redactor) -> io::Result<LogWriter> {
        Ok(LogWriter::new(self.stream(name).await?, redactor))
    }

    /// Up to `limit` lines with a number above `after_seq`. [`Order::Descending`] gives the newest ones, newest first.
    /// A log that does not exist is empty and not complete.
    ///
    /// # Errors
    /// A file of the log cannot be read.
    pub async fn read(
        &self,
        name: LogName,
        after_seq: u64,
        limit: usize,
        order: Order,
    ) -> io::Result<LogPage> {
        let stream = self.stream(name).await?;
        blocking(move || read::page(&stream, after_seq, limit, order)).await
    }

    /// Up to `limit` lines of this kind with a number above `after_seq`, as [`LogStore::read`]. A page looks through a
    /// bounded part of the log; `next_after_seq` is where it stopped.
    ///
    /// # Errors
    /// A file of the log cannot be read.
    pub async fn select(
        &self,
        name: LogName,
        wanted: Selection,
        after_seq: u64,
        limit: usize,
        order: Order,
    ) -> io::Result<LogPage> {
        let stream = self.stream(name).await?;
        blocking(move || selection::page(&stream, &wanted, after_seq, limit, order)).await
    }

    /// Number of the newest line; 0 when there is none.
    ///
    /// # Errors
    /// A file of the log cannot be read.
    pub async fn last_seq(&self, name: LogName) -> io::Result<u64> {
        Ok(self.stream(name).await?.watch().borrow().last_seq)
    }

    /// Deletes what is too old of all runtime logs.
    ///
    /// # Errors
    /// A file cannot be deleted.
    pub async fn delete_old(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        blocking(move || retention::delete_older(&shared.directory, shared.retention.age)).await
    }

    /// Every line with a number above `after_seq`, once each, as it comes; ends when the log is
    /// finished or removed. A log that does not exist yet is waited for.
    pub fn follow(&self, name: LogName, after_seq: u64) -> BoxStream<'static, LogLine> {
        follow::lines(self.clone(), name, after_seq)
    }

    /// Marks a log as complete: no line comes after this.
    ///
    /// # Errors
    /// The mark cannot be written.
    pub async fn finish(&self, name: LogName) -> io::Result<()> {
        let stream = self.stream(name).await?;
        blocking(move || stream.finish()).await
    }

    /// Deletes a log; absent is success.
    ///
    /// # Errors
    /// A file cannot be deleted.
    pub async fn remove(&self, name: LogName) -> io::Result<()> {
        let stream = self.stream(name.clone()).await?;
        let store = self.clone();
        blocking(move || {
            // Ends its readers and stops its writers from making the files again.
            stream.discard();
            store.lock().remove(&name);
            match fs::remove_dir_all(&stream.directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Writes out what is still buffered; for the end of the process.
    pub async fn flush(&self) {
        let streams: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        let written = blocking(move || streams.iter().try_for_each(|stream| stream.flush())).await;
        if let Err(error) = written {
            tracing::error!(%error, "log lines were lost");
        }
    }

    /// The open log of this name.
    pub(super) async fn stream(&self, name: LogName) -> io::Result<Arc<Stream>> {
        if let Some(stream) = self.lock().get(&name).and_then(Weak::upgrade) {
            return Ok(stream);
        }
        let store = self.clone();
        blocking(move || {
            let mut open = store.lock();
            if let Some(stream) = open.get(&name).and_then(Weak::upgrade) {
                return Ok(stream);
            }
            let directory = store.shared.directory.join(name.path());
            let kept = store.shared.retention.segments(&name);
            let stream = Arc::new(Stream::open(name.clone(), directory, kept)?);
            open.retain(|_, stream| stream.strong_count() > 0);
            open.insert(name, Arc::downgrade(&stream));
            Ok(stream)
        })
        .await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<LogName, Weak<Stream>>> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs file work where it may wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
