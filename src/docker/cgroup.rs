//! Control groups of this machine, in whichever of the two versions its kernel has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::build::BuildLimits;

/// Where the kernel shows them.
pub const ROOT: &str = "/sys/fs/cgroup";

/// Microseconds over which a share of the processor is counted.
const PERIOD: u64 = 100_000;
/// Weight of all builds together beside everything else; version 1 counts from 1024, version 2 from 100.
const SHARES_V1: &str = "64";
const WEIGHT_V2: &str = "6";
/// How long processes may take to end before the group is left behind.
const END: Duration = Duration::from_secs(5);

/// A group with limits. Its processes are killed and it is removed when it is dropped.
#[derive(Debug)]
pub struct Group {
    /// One directory in version 2; in version 1 those of memory, cpu and pids.
    directories: Directories,
}

#[derive(Debug)]
enum Directories {
    V1 { memory: PathBuf, cpu: PathBuf, pids: PathBuf },
    V2(PathBuf),
}

impl Group {
    /// Makes the group `orbitra/<name>` below `root` ([`ROOT`]) with these limits.
    ///
    /// # Errors
    /// The kernel has no such controllers, or Orbitra may not make groups (it does not run as root).
    pub fn create(root: &Path, name: &str, limits: BuildLimits) -> io::Result<Self> {
        let directories = if root.join("cgroup.controllers").exists() {
            let parent = root.join("orbitra");
            make(&parent)?;
            for above in [root, &parent] {
                fs::write(above.join("cgroup.subtree_control"), "+memory +cpu +pids")?;
            }
            fs::write(parent.join("cpu.weight"), WEIGHT_V2)?;
            Directories::V2(parent.join(name))
        } else {
            let cpu = root.join("cpu/orbitra");
            make(&cpu)?;
            fs::write(cpu.join("cpu.shares"), SHARES_V1)?;
            let below = |controller: &str| root.join(controller).join("orbitra").join(name);
            Directories::V1 { memory: below("memory"), cpu: cpu.join(name), pids: below("pids") }
        };
        let group = Self { directories };
        for directory in group.all() {
            fs::create_dir_all(directory)?;
        }
        group.limit(limits)?;
        Ok(group)
    }

    fn all(&self) -> Vec<&Path> {
        match &self.directories {
            Directories::V1 { memory, cpu, pids } => vec![memory, cpu, pids],
            Directories::V2(directory) => vec![directory],
        }
    }

    fn limit(&self, limits: BuildLimits) -> io::Result<()> {
        let quota = limits.cpu_millis.map(|millis| u64::from(millis) * PERIOD / 1000);
        match &self.directories {
            Directories::V1 { memory, cpu, pids } => {
                if let Some(bytes) = limits.memory_bytes {
                    fs::write(memory.join("memory.limit_in_bytes"), bytes.to_string())?;
                    // Absent where the kernel does not count swap.
                    let swap = memory.join("memory.memsw.limit_in_bytes");
                    if swap.exists() {
                        fs::write(swap, bytes.to_string())?;
                    }
                }
                if let Some(quota) = quota {
                    fs::write(cpu.join("cpu.cfs_period_us"), PERIOD.to_string())?;
                    fs::write(cpu.join("cpu.cfs_quota_us"), quota.to_string())?;
                }
                if let Some(most) = limits.pids {
                    fs::write(pids.join("pids.max"), most.to_string())?;
                }
            }
            Directories::V2(directory) => {
                if let Some(bytes) = limits.memory_bytes {
                    fs::write(directory.join("memory.max"), bytes.to_string())?;
                    let swap = directory.join("memory.swap.max");
                    if swap.exists() {
                        fs::write(swap, "0")?;
                    }
                }
                if let Some(quota) = quota {
                    fs::write(directory.join("cpu.max"), format!("{quota} {PERIOD}"))?;
                }
                if let Some(most) = limits.pids {
                    fs::write(directory.join("pids.max"), most.to_string())?;
                }
            }
        }
        Ok(())
    }

    /// Takes a process in with all its threads; what it starts later is in the group as well.
    ///
    /// # Errors
    /// It has ended, or Orbitra may not move it.
    pub fn adopt(&self, pid: u32) -> io::Result<()> {
        for directory in self.all() {
            fs::write(directory.join("cgroup.procs"), pid.to_string())?;
        }
        Ok(())
    }

    /// How many processes were killed because the group's memory was used up.
    pub fn memory_kills(&self) -> u64 {
        let file = match &self.directories {
            Directories::V1 { memory, .. } => memory.join("memory.oom_control"),
            Directories::V2(directory) => directory.join("memory.events"),
        };
        count(&file, "oom_kill")
    }

    /// How many processes could not be started because there were too many.
    pub fn refused_processes(&self) -> u64 {
        let directory = match &self.directories {
            Directories::V1 { pids, .. } => pids,
            Directories::V2(directory) => directory,
        };
        count(&directory.join("pids.events"), "max")
    }

    /// Kills every process of the group, again and again until none is left or some time has passed.
    pub fn kill(&self) {
        let begin = Instant::now();
        // The one that a process is moved to last has them all.
        let Some(last) = self.all().last().map(|path| path.to_path_buf()) else { return };
        loop {
            let left = processes(&last);
            if left.is_empty() || begin.elapsed() > END {
                return;
            }
            left.into_iter().for_each(kill);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        for directory in self.all() {
            if let Err(error) = fs::remove_dir(directory) {
                tracing::warn!(?directory, %error, "a control group could not be removed");
            }
        }
    }
}

/// Removes groups whose name begins with `prefix` and has not `own` after it: a process that was cut off left them.
/// Those that still have processes stay.
pub fn sweep(root: &Path, prefix: &str, own: &str) {
    for parent in ["orbitra", "memory/orbitra", "cpu/orbitra", "pids/orbitra"] {
        let Ok(entries) = fs::read_dir(root.join(parent)) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            let rest = name.to_str().and_then(|name| name.strip_prefix(prefix));
            if rest.is_some_and(|rest| !rest.starts_with(own)) {
                // Only an empty group can be removed.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

/// The processes of a group.
pub fn processes(directory: &Path) -> Vec<u32> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().parse().ok()).filter(|pid| *pid != 0).collect()
}

fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// The number after a word in a table of the kernel; 0 when it is not there.
fn count(file: &Path, word: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

fn make(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
