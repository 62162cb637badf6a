//! Following a log while it grows.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;

use super::name::LogName;
use super::read::{self, Cursor};
use super::store::{LogStore, blocking};
use super::stream::{Progress, Stream};
use crate::model::log_line::LogLine;

/// Lines read at once; with lines of at most 16 KiB this bounds what one reader holds.
const BATCH: usize = 128;

/// All lines after `after`, see [`LogStore::follow`].
pub fn lines(store: LogStore, name: LogName, after: u64) -> BoxStream<'static, LogLine> {
    let opened = async move {
        match store.stream(name).await {
            Ok(stream) => Some(Follower {
                progress: stream.watch(),
                stream,
                cursor: Cursor::after(after),
                batch: VecDeque::new(),
            }),
            Err(error) => {
                tracing::warn!(%error, "a log cannot be followed");
                None
            }
        }
    };
    stream::once(opened)
        .filter_map(std::future::ready)
        .flat_map(|follower| stream::unfold(follower, Follower::next))
        .boxed()
}

struct Follower {
    stream: Arc<Stream>,
    progress: watch::Receiver<Progress>,
    cursor: Cursor,
    batch: VecDeque<LogLine>,
}

impl Follower {
    async fn next(mut self) -> Option<(LogLine, Self)> {
        loop {
            if let Some(line) = self.batch.pop_front() {
                return Some((line, self));
            }
            let progress = *self.progress.borrow_and_update();
            if self.cursor.after < progress.last_seq {
                if let Err(error) = self.read(progress).await {
                    tracing::warn!(%error, "a log cannot be followed any longer");
                    return None;
                }
            } else if progress.finished {
                return None;
            } else {
                self.progress.changed().await.ok()?;
            }
        }
    }

    async fn read(&mut self, progress: Progress) -> io::Result<()> {
        let stream = Arc::clone(&self.stream);
        let mut cursor = self.cursor;
        let (found, mut cursor) = blocking(move || {
            let found = read::scan(&stream, progress, &mut cursor, BATCH)?;
            Ok((found, cursor))
        })
        .await?;
        if found.is_empty() {
            // The lines in between are gone (made room, or never reached the disk).
            cursor.after = progress.last_seq;
        }
        self.cursor = cursor;
        self.batch = found.into();
        Ok(())
    }
}
