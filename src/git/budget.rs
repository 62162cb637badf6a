//! What all the fetches of one deployment together may take: the repository, its submodules, its large files.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::libgit::Limits;
use super::{FetchError, TreeError};

/// Counts what was taken.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: u64,
    received: AtomicU64,
    entries: usize,
    counted: AtomicUsize,
    submodules: AtomicUsize,
}

/// Most submodules of one commit, those of submodules included.
const MOST_SUBMODULES: usize = 64;

impl Budget {
    pub fn new(limits: &Limits) -> Self {
        Self {
            bytes: limits.received_bytes,
            received: AtomicU64::new(0),
            entries: limits.entries,
            counted: AtomicUsize::new(0),
            submodules: AtomicUsize::new(0),
        }
    }

    /// Counts bytes that came from a server.
    pub fn take(&self, bytes: usize) -> Result<(), FetchError> {
        let before = self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        if before + bytes as u64 > self.bytes {
            return Err(self.exceeded());
        }
        Ok(())
    }

    /// Whether so many bytes are within the limit at all.
    pub fn fits(&self, bytes: u64) -> Result<(), FetchError> {
        if bytes > self.bytes { Err(self.exceeded()) } else { Ok(()) }
    }

    /// Counts files and directories.
    pub fn count_entries(&self, entries: usize) -> Result<(), FetchError> {
        if self.counted.fetch_add(entries, Ordering::Relaxed) + entries > self.entries {
            return Err(FetchError::Failed(TreeError::TooMany(self.entries).to_string()));
        }
        Ok(())
    }

    /// Counts a submodule.
    pub fn enter_submodule(&self) -> Result<(), FetchError> {
        if self.submodules.fetch_add(1, Ordering::Relaxed) >= MOST_SUBMODULES {
            return Err(FetchError::Failed(format!(
                "The repository has more than {MOST_SUBMODULES} submodules."
            )));
        }
        Ok(())
    }

    fn exceeded(&self) -> FetchError {
        FetchError::TooLarge { limit_megabytes: self.bytes / (1024 * 1024) }
    }
}

/// What one conversation with a server may take.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub budget: Arc<Budget>,
    /// Longest silence.
    pub idle: Duration,
}
