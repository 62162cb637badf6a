//! How long runtime logs are kept.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::name::{LogName, RUNTIME};
use super::segment;

/// How much of a runtime log is kept, and how long. Build logs stay as long as their deployments.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub age: Duration,
    /// Of one project; the oldest part makes room.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 24 * 3600), bytes: 1 << 30 }
    }
}

impl Retention {
    /// Segments of a log that are kept, the oldest go first; `None` keeps all.
    pub(super) fn segments(&self, name: &LogName) -> Option<usize> {
        let segments = usize::try_from(self.bytes / segment::SEGMENT_BYTES).unwrap_or(usize::MAX);
        matches!(name, LogName::Runtime(_)).then_some(segments.max(2))
    }
}

/// Deletes the parts of runtime logs that were last written to before `age` ago. The newest part of a log stays: it may
/// be written to.
pub(super) fn delete_older(logs: &Path, age: Duration) -> io::Result<()> {
    let Some(oldest) = SystemTime::now().checked_sub(age) else { return Ok(()) };
    let directories = match fs::read_dir(logs.join(RUNTIME)) {
        Ok(directories) => directories,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for directory in directories {
        let directory = directory?.path();
        // Once every deployment had a log of its own.
        if directory.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"dep_")) {
            fs::remove_dir_all(&directory)?;
            continue;
        }
        let segments = segment::list(&directory)?;
        for first in segments.iter().take(segments.len().saturating_sub(1)) {
            let path = segment::path(&directory, *first);
            match fs::metadata(&path).and_then(|file| file.modified()) {
                Ok(written) if written < oldest => fs::remove_file(&path)?,
                // In order: what follows is newer.
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
