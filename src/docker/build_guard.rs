//! Holds the steps of one build in a control group of its own.
//!
//! The engine's build request hands no limits on: BuildKit runs every step of every build side by side in groups
//! without any. So each build gives its steps an entry of `/etc/hosts` that no other has, and as soon as a step of
//! it appears its processes are moved into the build's own group. The entry's address is no part of what BuildKit
//! looks its cache up by.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::build::BuildLimits;
use super::cgroup::{self, Group};

/// Name of the entry. The same for every build, because the name is part of what the cache is looked up by.
pub const HOST: &str = "orbitra-build";
/// Pause between two looks; how long a step may run before it is held.
const PAUSE: Duration = Duration::from_millis(10);
/// Looks between two searches for where the engine keeps the groups of steps.
const SEARCH: u32 = 100;
/// Directories looked into in one search.
const SEARCHED: usize = 2000;
/// How often processes that are being started meanwhile are looked for in one look.
const ROUNDS: usize = 50;
/// Bytes of a hosts file that are read.
const HOSTS_BYTES: u64 = 16 * 1024;

/// The guard of one build. Dropping it kills what is left of the build's steps.
pub struct BuildGuard {
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    group: Group,
    marker: Ipv4Addr,
    stop: AtomicBool,
    adopted: AtomicUsize,
}

impl BuildGuard {
    /// Begins to watch for steps that carry `marker`. The group is named after the instance, which has one process at a
    /// time, and `number`.
    ///
    /// # Errors
    /// Orbitra cannot make control groups here.
    pub fn begin(
        instance: &str,
        number: u64,
        marker: Ipv4Addr,
        limits: BuildLimits,
    ) -> io::Result<Self> {
        let root = PathBuf::from(cgroup::ROOT);
        let (prefix, own) = (format!("{instance}-"), format!("{}-", std::process::id()));
        cgroup::sweep(&root, &prefix, &own);
        let group = Group::create(&root, &format!("{prefix}{own}{number}"), limits)?;
        let shared = Arc::new(Shared {
            root,
            group,
            marker,
            stop: AtomicBool::new(false),
            adopted: AtomicUsize::new(0),
        });
        let watching = shared.clone();
        std::thread::Builder::new()
            .name("build-guard".to_owned())
            .spawn(move || watching.watch())?;
        Ok(Self { shared })
    }

    /// How many steps were taken into the group so far.
    pub fn adopted(&self) -> usize {
        self.shared.adopted.load(Ordering::SeqCst)
    }

    /// How many processes of the build were killed for lack of memory.
    pub fn memory_kills(&self) -> u64 {
        self.shared.group.memory_kills()
    }

    /// How many processes of the build could not be started because there were too many.
    pub fn refused_processes(&self) -> u64 {
        self.shared.group.refused_processes()
    }
}

impl Drop for BuildGuard {
    fn drop(&mut self) {
        // The watching thread has the last reference and removes the group, away from whoever waits for the build.
        self.shared.stop.store(true, Ordering::SeqCst);
    }
}

/// What is known of a step's group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Ours,
    Foreign,
}

impl Shared {
    fn watch(&self) {
        let mut known: HashMap<PathBuf, Step> = HashMap::new();
        let (mut parents, mut looks) = (Vec::new(), 0_u32);
        while !self.stop.load(Ordering::SeqCst) {
            if looks.is_multiple_of(SEARCH) || parents.is_empty() {
                parents = step_parents(&self.root);
            }
            looks = looks.wrapping_add(1);
            let mut seen = Vec::new();
            for parent in &parents {
                for directory in steps(parent) {
                    seen.push(directory.clone());
                    let step = match known.get(&directory) {
                        Some(step) => *step,
                        None => match self.recognise(&directory) {
                            Some(step) => {
                                if step == Step::Ours {
                                    self.adopted.fetch_add(1, Ordering::SeqCst);
                                }
                                known.insert(directory.clone(), step);
                                step
                            }
                            None => continue,
                        },
                    };
                    if step == Step::Ours {
                        self.adopt_all(&directory);
                    }
                }
            }
            known.retain(|directory, _| seen.contains(directory));
            std::thread::sleep(PAUSE);
        }
    }

    /// Whose step it is; `None` while it is being set up.
    fn recognise(&self, directory: &Path) -> Option<Step> {
        let pid = cgroup::processes(directory).into_iter().next()?;
        let root = format!("/proc/{pid}/root");
        let (theirs, ours) = (fs::metadata(&root).ok()?, fs::metadata("/").ok()?);
        if (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino()) {
            // The engine's own program that becomes the step.
            return None;
        }
        let hosts = hosts(&Path::new(&root).join("etc/hosts")).unwrap_or_default();
        let entry = |line: &str| {
            let mut words = line.split_ascii_whitespace();
            words.next().and_then(|word| word.parse().ok()) == Some(self.marker)
                && words.any(|word| word == HOST)
        };
        Some(if hosts.lines().any(entry) { Step::Ours } else { Step::Foreign })
    }

    fn adopt_all(&self, directory: &Path) {
        for _ in 0..ROUNDS {
            let processes = cgroup::processes(directory);
            if processes.is_empty() {
                return;
            }
            for pid in processes {
                // It may have ended.
                let _ = self.group.adopt(pid);
            }
        }
    }
}

/// Reads a file that the build might have put in the place of the engine's: no link, no pipe, not much of it.
fn hosts(path: &Path) -> io::Result<String> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.is_file() {
        file.take(HOSTS_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The directories in which BuildKit makes a group for each step: `<parent>/buildkit/<step>`, or with systemd as the
/// engine's driver `system.slice:docker:<step>` somewhere near the top.
fn step_parents(root: &Path) -> Vec<PathBuf> {
    let top =
        if root.join("cgroup.controllers").exists() { root.to_owned() } else { root.join("pids") };
    let (mut found, mut looked) = (Vec::new(), 0);
    let mut level = vec![top];
    for _ in 0..4 {
        let mut next = Vec::new();
        for directory in level {
            if looked >= SEARCHED {
                return found;
            }
            looked += 1;
            let below = directories(&directory);
            let holds_steps = directory.file_name().is_some_and(|name| name == "buildkit")
                || below.iter().any(|path| is_systemd_step(path));
            if holds_steps {
                found.push(directory);
            } else {
                next.extend(below);
            }
        }
        level = next;
    }
    found
}

/// The groups of steps in such a directory.
fn steps(parent: &Path) -> Vec<PathBuf> {
    let mut found = directories(parent);
    if parent.file_name().is_none_or(|name| name != "buildkit") {
        found.retain(|path| is_systemd_step(path));
    }
    found
}

fn is_systemd_step(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.contains(".slice:docker:"))
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_where_each_driver_makes_them() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["pids/docker/buildkit/abc", "pids/docker/0123", "pids/system.slice/x"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let parents = step_parents(root.path());
        assert_eq!(parents, [root.path().join("pids/docker/buildkit")]);
        assert_eq!(steps(&parents[0]), [root.path().join("pids/docker/buildkit/abc")]);

        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cgroup.controllers"), "cpu memory pids").unwrap();
        for directory in ["system.slice/system.slice:docker:abc", "system.slice/ssh.service"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let parents = step_parents(root.path());
        assert_eq!(parents, [root.path().join("system.slice")]);
        assert_eq!(steps(&parents[0]), [parents[0].join("system.slice:docker:abc")]);
    }

    #[test]
    fn version_two_gets_its_limits_in_its_own_words() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cgroup.controllers"), "cpu memory pids").unwrap();
        let limits =
            BuildLimits { memory_bytes: Some(1024), cpu_millis: Some(1500), pids: Some(9) };
        let group = Group::create(root.path(), "b", limits).unwrap();
        let read = |file: &str| fs::read_to_string(root.path().join("orbitra").join(file)).unwrap();
        assert_eq!(read("b/memory.max"), "1024");
        assert_eq!(read("b/cpu.max"), "150000 100000");
        assert_eq!(read("b/pids.max"), "9");
        assert_eq!(read("cpu.weight"), "6");
        assert_eq!(read("cgroup.subtree_control"), "+memory +cpu +pids");
        group.adopt(4242).unwrap();
        assert_eq!(read("b/cgroup.procs"), "4242");
        fs::write(root.path().join("orbitra/b/cgroup.procs"), "").unwrap();
        fs::write(root.path().join("orbitra/b/memory.events"), "low 0\noom 2\noom_kill 1\n")
            .unwrap();
        fs::write(root.path().join("orbitra/b/pids.events"), "max 7\n").unwrap();
        assert_eq!((group.memory_kills(), group.refused_processes()), (1, 7));
    }

    #[test]
    fn a_hosts_file_that_is_a_link_or_a_pipe_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert!(hosts(&link).is_err());
        assert_eq!(hosts(Path::new("/dev/zero")).unwrap(), "");
    }
}
