//! How many streams each key holds open: one that opens them without end would hold memory without end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::ApiError;
use crate::model::ids::KeyId;

/// Most streams of one key at the same time.
pub const PER_KEY: usize = 5;

/// Counts open streams. Clones share the count.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<KeyId, usize>>>);

/// One open stream; dropping it gives its place back.
pub struct Place {
    streams: Streams,
    key: KeyId,
}

impl Streams {
    fn with<T>(&self, look: impl FnOnce(&mut HashMap<KeyId, usize>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a place.
    ///
    /// # Errors
    /// The key holds as many as it may.
    pub fn take(&self, key: &KeyId) -> Result<Place, ApiError> {
        self.with(|open| {
            let count = open.entry(key.clone()).or_default();
            if *count >= PER_KEY {
                return Err(ApiError::too_many_streams(PER_KEY));
            }
            *count += 1;
            Ok(Place { streams: self.clone(), key: key.clone() })
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
