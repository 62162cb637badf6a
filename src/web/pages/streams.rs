//! How many streams each session holds open: one that opens them without end would hold memory without end.
//!
//! A browser that leaves a page tells nobody; its stream is noticed as gone only when something is sent. So a new stream
//! is never refused: the oldest one of the session ends.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Most streams of one kind of one session at the same time.
const PER_SESSION: usize = 8;

/// What a stream is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Live,
    Log,
}

type Key = (Kind, [u8; 32]);

/// Of each session its streams with a number and what ends them, oldest first.
type Open = HashMap<Key, VecDeque<(u64, CancellationToken)>>;

/// The open streams of every session, oldest first. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<Open>>);

/// One open stream; dropping it gives its place back.
#[derive(Debug)]
pub struct Place {
    streams: Streams,
    key: Key,
    number: u64,
    ended: CancellationToken,
}

impl Streams {
    fn with<T>(&self, look: impl FnOnce(&mut Open) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a place for a session, the oldest one's when there is none left.
    pub fn take(&self, kind: Kind, session: [u8; 32]) -> Place {
        let key = (kind, session);
        self.with(|open| {
            let streams = open.entry(key).or_default();
            if streams.len() >= PER_SESSION
                && let Some((_, oldest)) = streams.pop_front()
            {
                oldest.cancel();
            }
            let number = streams.back().map_or(0, |(number, _)| number + 1);
            let ended = CancellationToken::new();
            streams.push_back((number, ended.clone()));
            Place { streams: self.clone(), key, number, ended }
        })
    }
}

impl Place {
    /// Waits until a newer stream has taken this place.
    pub async fn taken(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.with(|open| {
            if let Some(streams) = open.get_mut(&self.key) {
                streams.retain(|(number, _)| *number != self.number);
                if streams.is_empty() {
                    open.remove(&self.key);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_stream_of_a_session_makes_room() {
        let streams = Streams::default();
        let mut mine: Vec<_> =
            (0..PER_SESSION).map(|_| streams.take(Kind::Live, [1; 32])).collect();
        let other = streams.take(Kind::Live, [2; 32]);
        assert!(mine.iter().all(|place| !place.ended.is_cancelled()));
        let newest = streams.take(Kind::Live, [1; 32]);
        mine[0].taken().await;
        assert!(mine[1..].iter().chain([&newest, &other]).all(|place| !place.ended.is_cancelled()));
        // A place that was given back is free.
        mine.drain(..2);
        mine.push(streams.take(Kind::Live, [1; 32]));
        assert!(mine.iter().all(|place| !place.ended.is_cancelled()));
        drop((mine, newest, other));
        assert!(streams.with(|open| open.is_empty()));
    }
}
