//! What the kernel wrote down about a process that is no more.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

/// The kernel's log, one record a read (Linux, Documentation/ABI/testing/dev-kmsg). Root may read it, others mostly not.
const LOG: &str = "/dev/kmsg";
/// Records that are read at most: the log is a ring of some thousands.
const RECORDS: usize = 100_000;
/// Longest record.
const RECORD_BYTES: usize = 8 * 1024;

/// Whether the kernel says that it killed this process for lack of memory. `false` where its log cannot be read.
pub fn killed_for_memory(pid: u32) -> bool {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let Ok(mut log) = OpenOptions::new().read(true).custom_flags(flags).open(LOG) else {
        return false;
    };
    let (mut record, mut said) = (vec![0; RECORD_BYTES], false);
    for _ in 0..RECORDS {
        match log.read(&mut record) {
            Ok(0) => break,
            Ok(length) => said |= names(&String::from_utf8_lossy(&record[..length]), pid),
            // Records that were overwritten while they were read.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(_) => break,
        }
    }
    said
}

/// `… out of memory: Killed process 4711 (orbitra) total-vm:…`
fn names(record: &str, pid: u32) -> bool {
    let Some((before, after)) = record.split_once("Killed process ") else { return false };
    let digits = after.split(|c: char| !c.is_ascii_digit()).next();
    before.to_ascii_lowercase().contains("out of memory")
        && digits.and_then(|digits| digits.parse().ok()) == Some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_killed_process_is_found_in_both_forms() {
        let group =
            "3,901,77,-;Memory cgroup out of memory: Killed process 4711 (orbitra) total-vm:9kB";
        let machine =
            "3,902,78,-;Out of memory: Killed process 4711 (orbitra), UID 0, total-vm:9kB";
        assert!(names(group, 4711) && names(machine, 4711));
        assert!(!names(group, 471) && !names(group, 47_110));
        assert!(!names("6,1,1,-;init: Killed process 4711 (x)", 4711));
        assert!(!names("3,1,1,-;Out of memory: Killed process ", 0));
        assert!(!names("", 1));
    }
}
