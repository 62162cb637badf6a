//! A part of a file as a body, read while it is sent.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use tokio::task::JoinHandle;

use crate::proxy::body::BodyError;

/// One read, in bytes.
const CHUNK: u64 = 64 * 1024;

/// Bytes of a file that are still to be sent.
#[derive(Debug)]
pub struct FileBody {
    state: State,
    left: u64,
}

#[derive(Debug)]
enum State {
    /// The file, and where to begin when that was not done yet.
    Idle(File, Option<u64>),
    Reading(JoinHandle<io::Result<(File, Bytes)>>),
    Ended,
}

impl FileBody {
    /// `length` bytes from `first` on.
    pub fn new(file: File, first: u64, length: u64) -> Self {
        Self { state: State::Idle(file, Some(first)), left: length }
    }

    /// Bytes that were not sent yet.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next chunk. The file is read on a thread for blocking work, a chunk at a time and
    /// only when the client has taken the one before.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if matches!(self.state, State::Idle(..))
            && let State::Idle(file, first) = std::mem::replace(&mut self.state, State::Ended)
        {
            let length = self.left.min(CHUNK);
            self.state =
                State::Reading(tokio::task::spawn_blocking(move || read(file, first, length)));
        }
        let State::Reading(reading) = &mut self.state else {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::Other).into())));
        };
        let read = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other);
        self.state = State::Ended;
        let (file, bytes) = match read.and_then(|read| read) {
            Ok(read) => read,
            Err(error) => return Poll::Ready(Some(Err(error.into()))),
        };
        self.left -= bytes.len() as u64;
        self.state = State::Idle(file, None);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

/// Reads exactly `length` bytes; a file that became shorter is an error.
fn read(mut file: File, first: Option<u64>, length: u64) -> io::Result<(File, Bytes)> {
    if let Some(first) = first.filter(|first| *first > 0) {
        file.seek(SeekFrom::Start(first))?;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    (&mut file).take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((file, bytes.into()))
}
