//! Holds the steps of one build: in a control group of its own, and away from this machine's networks.
//!
//! The engine's build request hands no limits on: BuildKit runs every step of every build side by side in groups
//! without any. So each build gives its steps an entry of `/etc/hosts` that no other has, and as soon as a step of
//! it appears its network is closed and its processes are moved into the build's own group. The entry's address is no
//! part of what BuildKit looks its cache up by.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::setpriority_process;

use super::build::BuildLimits;
use super::build_bundle::{self, Bundle};
use super::build_fence::{self, Closed};
use super::cgroup::{self, Group};
use super::{build_network, build_steps};
use crate::model::network::Network;

/// Name of the entry. The same for every build, because the name is part of what the cache is looked up by.
pub const HOST: &str = "orbitra-build";
/// Pause between two looks. The engine takes several times as long from a step's group to its program.
const PAUSE: Duration = Duration::from_millis(2);
/// Before whatever else wants the processor: a look that comes late is a step that ran unheld.
const PRIORITY: i32 = -20;
/// Looks between two searches for where the engine keeps the groups of steps.
const SEARCH: u32 = 500;
/// How often processes that are being started meanwhile are looked for in one look.
const ROUNDS: usize = 50;
/// Bytes of a hosts file that are read.
const HOSTS_BYTES: u64 = 16 * 1024;

/// How a build's steps are held.
#[derive(Clone, Debug)]
pub struct Hold {
    /// What the entry of this build's steps points at.
    pub marker: Ipv4Addr,
    pub limits: BuildLimits,
    /// Private networks that steps may reach.
    pub open: Vec<Network>,
    /// Directory the engine keeps everything in; without it no step's network can be closed.
    pub storage: Option<PathBuf>,
}

/// The guard of one build. Dropping it kills what is left of the build's steps.
pub struct BuildGuard {
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    group: Group,
    hold: Hold,
    own: Vec<IpAddr>,
    stop: AtomicBool,
    adopted: AtomicUsize,
    late: AtomicUsize,
    /// Why a step's network could not be closed.
    open: Mutex<Option<String>>,
}

impl BuildGuard {
    /// Begins to watch for steps. The group is named after the instance, which has one process at a time, and `number`.
    ///
    /// # Errors
    /// Orbitra cannot make control groups here.
    pub fn begin(instance: &str, number: u64, hold: Hold) -> io::Result<Self> {
        let root = PathBuf::from(cgroup::ROOT);
        let (prefix, own) = (format!("{instance}-"), format!("{}-", std::process::id()));
        cgroup::sweep(&root, &prefix, &own);
        let group = Group::create(&root, &format!("{prefix}{own}{number}"), hold.limits)?;
        let shared = Arc::new(Shared {
            root,
            group,
            hold,
            own: build_network::own_addresses(),
            stop: AtomicBool::new(false),
            adopted: AtomicUsize::new(0),
            late: AtomicUsize::new(0),
            open: Mutex::default(),
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

    /// How many steps were ended because they ran before their network was closed.
    pub fn late(&self) -> usize {
        self.shared.late.load(Ordering::SeqCst)
    }

    /// Why a step reaches this machine's networks, if one does. Said once.
    pub fn take_open(&self) -> Option<String> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for BuildGuard {
    fn drop(&mut self) {
        // The watching thread has the last reference and removes the group, away from whoever waits for the build.
        self.shared.stop.store(true, Ordering::SeqCst);
    }
}

/// What is known of a step's group.
#[derive(Clone)]
enum Step {
    /// With whether its network was dealt with.
    Ours(Arc<AtomicBool>),
    Foreign,
}

impl Shared {
    fn watch(self: Arc<Self>) {
        // Of this thread and of those it starts. Where it is not allowed, no limit can be set either.
        let _ = setpriority_process(None, PRIORITY);
        let mut known: HashMap<PathBuf, Step> = HashMap::new();
        let (mut parents, mut looks) = (Vec::new(), 0_u32);
        while !self.stop.load(Ordering::SeqCst) {
            if looks.is_multiple_of(SEARCH) || parents.is_empty() {
                parents = build_steps::parents(&self.root);
            }
            looks = looks.wrapping_add(1);
            let mut seen = Vec::new();
            for parent in &parents {
                for directory in build_steps::groups(parent) {
                    seen.push(directory.clone());
                    let step = match known.get(&directory) {
                        Some(step) => step.clone(),
                        None => match self.recognise(&directory) {
                            Some(step) => {
                                known.insert(directory.clone(), step.clone());
                                step
                            }
                            None => continue,
                        },
                    };
                    if matches!(&step, Step::Ours(closed) if closed.load(Ordering::SeqCst)) {
                        self.adopt_all(&directory);
                    }
                }
            }
            known.retain(|directory, _| seen.contains(directory));
            std::thread::sleep(PAUSE);
        }
    }

    /// Whose step it is; `None` while it is being set up. The network of one of ours is being closed from then on.
    fn recognise(self: &Arc<Self>, directory: &Path) -> Option<Step> {
        let name = build_steps::name(directory)?;
        let bundle = self.hold.storage.as_deref().and_then(|at| Bundle::read(at, name));
        let ours = match &bundle {
            Some(bundle) => bundle.is_of(HOST, self.hold.marker),
            None => self.is_ours_by_its_files(directory)?,
        };
        if !ours {
            return Some(Step::Foreign);
        }
        self.adopted.fetch_add(1, Ordering::SeqCst);
        let closed = Arc::new(AtomicBool::new(false));
        match bundle {
            Some(bundle) => self.close(directory, &bundle, closed.clone()),
            None => self.stays_open(&closed, "the engine's description of it is not here"),
        }
        Some(Step::Ours(closed))
    }

    /// Whether a step whose description is not to be had is one of ours; `None` while it is being set up.
    fn is_ours_by_its_files(&self, directory: &Path) -> Option<bool> {
        let pid = cgroup::processes(directory).into_iter().next()?;
        if !build_fence::runs_program(pid) {
            // The engine's own program that becomes the step.
            return None;
        }
        let path = PathBuf::from(format!("/proc/{pid}/root/etc/hosts"));
        let hosts = build_bundle::small_file(&path, HOSTS_BYTES).unwrap_or_default();
        Some(build_bundle::names(&hosts, HOST, self.hold.marker))
    }

    /// Closes the network of a step, in a thread that ends in the step's namespace.
    fn close(self: &Arc<Self>, directory: &Path, bundle: &Bundle, closed: Arc<AtomicBool>) {
        let rules = build_network::rules(&self.hold.open, &bundle.resolvers(), &self.own);
        let (shared, directory, done) = (self.clone(), directory.to_owned(), closed.clone());
        let thread = std::thread::Builder::new().name("build-fence".to_owned());
        let begun = thread.spawn(move || {
            match build_fence::close(&directory, &rules, || shared.adopt_all(&directory)) {
                Ok(Closed::InTime) => {}
                Ok(Closed::Late) => {
                    shared.late.fetch_add(1, Ordering::SeqCst);
                    shared.group.kill();
                }
                Err(error) => shared.stays_open(&done, &error.to_string()),
            }
            done.store(true, Ordering::SeqCst);
        });
        if let Err(error) = begun {
            self.stays_open(&closed, &error.to_string());
        }
    }

    fn stays_open(&self, closed: &AtomicBool, reason: &str) {
        closed.store(true, Ordering::SeqCst);
        tracing::warn!(reason, "the network of a build's step could not be closed");
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

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
}
