//! What a fetch may take.

use std::time::Duration;

/// What a fetch may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes received from all servers for one commit: objects, submodules, Git LFS files.
    pub received_bytes: u64,
    /// Longest silence of the server.
    pub idle: Duration,
    /// Largest single file of a commit, in bytes; a file is unpacked in memory.
    pub file_bytes: u64,
    /// Most entries (files, directories, links) of one commit.
    pub entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            received_bytes: 512 * 1024 * 1024,
            idle: Duration::from_secs(30),
            file_bytes: 128 * 1024 * 1024,
            entries: 100_000,
        }
    }
}
