//! The machine Orbitra runs on, as the operating system describes it.

use std::path::{Path, PathBuf};

/// What there is of the machine. What cannot be found out is `None`.
#[derive(Clone, Debug)]
pub struct Machine {
    pub os: &'static str,
    pub arch: &'static str,
    pub cpus: usize,
    pub memory_bytes: Option<u64>,
    pub memory_available_bytes: Option<u64>,
    /// Of the file system with the data directory.
    pub disk_bytes: Option<u64>,
    /// What is left there for Orbitra's own account.
    pub disk_available_bytes: Option<u64>,
}

impl Machine {
    /// Looks at the machine, with the file system `data` is on. Reads files, so it may take a moment.
    pub fn look(data: &Path) -> Self {
        let disk = rustix::fs::statvfs(data).ok();
        let bytes = |blocks: u64, size: u64| blocks.saturating_mul(size);
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory("MemTotal"),
            memory_available_bytes: memory("MemAvailable"),
            disk_bytes: disk.as_ref().map(|disk| bytes(disk.f_blocks, disk.f_frsize)),
            disk_available_bytes: disk.as_ref().map(|disk| bytes(disk.f_bavail, disk.f_frsize)),
        }
    }
}

/// Bytes that are left for Orbitra's own account on the fullest file system of these paths; `None` when none is known.
pub fn least_free_disk(paths: impl Iterator<Item = PathBuf>) -> Option<u64> {
    let free = |path: PathBuf| {
        let disk = rustix::fs::statvfs(&path).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    };
    paths.filter_map(free).min()
}

/// Bytes in a line of the kernel's memory table.
pub fn memory(line: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let value = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))?;
    let kib: u64 = value.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
