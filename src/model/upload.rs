//! Archives that were sent to be deployed.

use super::ids::{ProjectId, UploadId};
use super::timestamp::Timestamp;

/// Most bytes of an archive as it is sent.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// How long one waits to be used, in milliseconds.
pub const KEPT: i64 = 24 * 3_600_000;
/// Most uploads of a project that wait to be used.
pub const MOST_WAITING: u32 = 50;

/// An archive: a gzipped tar, checked whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub id: UploadId,
    pub project_id: ProjectId,
    /// As it was sent.
    pub size_bytes: u64,
    /// Of what was sent, in hexadecimal digits.
    pub sha256: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// Whether a deployment was made of it.
    pub consumed: bool,
}

impl Upload {
    /// Name of its file.
    pub fn file_name(id: &UploadId) -> String {
        format!("{id}.tar.gz")
    }
}
