//! How many streams each session holds open: one that opens them without end would hold memory without end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::PageError;

/// Most streams of one kind of one session at the same time.
const PER_SESSION: usize = 8;

/// What a stream is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Live,
    Log,
}

type Key = (Kind, [u8; 32]);

/// Counts open streams. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<HashMap<Key, usize>>>);

/// One open stream; dropping it gives its place back.
#[derive(Debug)]
pub struct Place {
    streams: Streams,
    key: Key,
}

impl Streams {
    fn with<T>(&self, look: impl FnOnce(&mut HashMap<Key, usize>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a place for a session.
    ///
    /// # Errors
    /// 429 when it holds as many as it may.
    pub fn take(&self, kind: Kind, session: [u8; 32]) -> Result<Place, PageError> {
        let key = (kind, session);
        self.with(|open| {
            let count = open.entry(key).or_default();
            if *count >= PER_SESSION {
                return Err(PageError::too_many_streams());
            }
            *count += 1;
            Ok(Place { streams: self.clone(), key })
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.with(|open| {
            if let Some(count) = open.get_mut(&self.key) {
                *count -= 1;
                if *count == 0 {
                    open.remove(&self.key);
                }
            }
        });
    }
}
