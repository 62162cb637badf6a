//! What the program holds of the machine once a fault is over, beside what a fresh one holds on the same state.

use std::time::Duration;

use super::Place;
use crate::support::until::within;

/// Threads that file work and reads of the database are done in, which end when they had nothing to do for a second: a
/// few may have been busy a moment ago.
const IDLE_THREADS: usize = 4;
/// Descriptors that a fresh process has not needed yet: four readers of the database with two files each, and
/// connections to applications that are kept for the next request.
const IDLE_FILES: usize = 16;
/// Percent, and bytes of memory of its own, that may be more: a fresh one has about 14 MB, and the C library keeps a part
/// of what was freed, which after sixty deployments of an unoptimized program are 5 MB.
const IDLE_PERCENT: u64 = 5;
const IDLE_MEMORY: u64 = 16 << 20;

/// What a process holds of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub files: usize,
    pub threads: usize,
    /// Bytes of memory that are its own. Its program is not among them: of that a page counts once it was needed.
    pub memory: u64,
}

impl Held {
    /// By a process that runs.
    pub fn by(pid: u32) -> Self {
        let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let kib: u64 = own.trim().trim_end_matches(" kB").parse().unwrap();
        Self { files: count("fd"), threads: count("task"), memory: kib * 1024 }
    }

    /// Fails when it is more than a fresh process holds.
    pub fn no_more_than(&self, fresh: Self) {
        println!("{self:?}, a fresh one {fresh:?}");
        assert!(self.files <= fresh.files + IDLE_FILES, "{self:?}, a fresh one {fresh:?}");
        let most = fresh.memory + fresh.memory * IDLE_PERCENT / 100 + IDLE_MEMORY;
        assert!(self.memory <= most, "{self:?}, a fresh one {fresh:?}");
    }
}

impl Place {
    /// Waits until the program has as many threads as when it was first started, and says what it holds then.
    pub async fn rested(&self) -> Held {
        within(Duration::from_secs(60), "no more threads than at the start", async || {
            let held = Held::by(self.orbitra.pid());
            (held.threads <= self.fresh.threads + IDLE_THREADS).then_some(held)
        })
        .await
    }
}
