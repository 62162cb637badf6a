//! Closes the network of one step before its program runs.
//!
//! The engine runs all steps on its default bridge, and no other network can be chosen for a build. But each has a
//! network namespace of its own, which the engine fills while the step's first process, still the runtime's own
//! program, waits. So that process is stopped until the namespace has rules that keep the step away.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::cgroup;
use super::route_rules::{self, Rule};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_micros(200);
/// How long the engine may take from a step's group to its network.
const WAIT: Duration = Duration::from_secs(60);
/// How long it may take from the one family of addresses to the other.
const SECOND_FAMILY: Duration = Duration::from_millis(500);

/// How the runtime calls its own program.
const RUNTIME: &str = "runc:[";

/// Whether the program was already running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    InTime,
    Late,
}

/// Closes the network of the step that has this group, and does what else is to be done before its program runs. Blocks;
/// this thread stays in the step's namespace and is to be ended.
///
/// # Errors
/// Orbitra may not enter the namespace or not set rules, or the step shares this machine's network.
pub fn close(group: &Path, rules: &[Rule], also: impl FnOnce()) -> io::Result<Closed> {
    let begin = Instant::now();
    if !enter(group, begin)? {
        return Ok(Closed::InTime);
    }
    // The engine needs the way to its gateway while it sets it: the rules come after that, and the program after them.
    let mut stopped = None;
    loop {
        let complete = has_way_out(begin);
        if stopped.is_none() && (complete || has_interface()) {
            stopped = Some(Stopped::all_of(group));
        }
        if complete || has_program(group) {
            break;
        }
        if !group.exists() {
            return Ok(Closed::InTime);
        }
        if begin.elapsed() > WAIT {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(PAUSE);
    }
    accept_answers()?;
    add(rules)?;
    // A step that asked for no network has nothing to be kept from.
    let late = has_program(group) && has_interface();
    also();
    Ok(if late { Closed::Late } else { Closed::InTime })
}

/// Goes into the network namespace of the group's processes; false when the group is gone before it has one.
fn enter(group: &Path, begin: Instant) -> io::Result<bool> {
    let own = fs::metadata("/proc/thread-self/ns/net")?.ino();
    while begin.elapsed() < WAIT {
        for pid in cgroup::processes(group) {
            // It may have ended.
            let Ok(namespace) = File::open(format!("/proc/{pid}/ns/net")) else { continue };
            if namespace.metadata()?.ino() != own {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                return Ok(true);
            }
            if runs_program(pid) {
                return Err(io::Error::other("a step runs in this machine's own network"));
            }
        }
        if !group.exists() {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Processes that wait; they go on when it is dropped.
struct Stopped(Vec<OwnedFd>);

impl Stopped {
    fn all_of(group: &Path) -> Self {
        let mut stopped = Vec::new();
        for pid in cgroup::processes(group) {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let Some(process) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
            else {
                continue;
            };
            if pidfd_send_signal(&process, Signal::STOP).is_ok() {
                stopped.push(process);
            }
        }
        Self(stopped)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for process in &self.0 {
            // It may have been killed meanwhile.
            let _ = pidfd_send_signal(process, Signal::CONT);
        }
    }
}

/// A file about the network of this thread's namespace.
fn network_file(name: &str) -> String {
    fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
}

/// Whether there is more than the interface to itself.
fn has_interface() -> bool {
    network_file("dev").lines().skip(2).any(|line| !line.trim_start().starts_with("lo:"))
}

/// Whether the step's network is complete: there is a default route, and one of IPv6 when there are such addresses.
fn has_way_out(begin: Instant) -> bool {
    let (v4, v6) = (network_file("route"), network_file("ipv6_route"));
    let addresses = network_file("if_inet6");
    match (is_routed(&v4, "00000000", 1), is_routed(&v6, &"0".repeat(32), 0)) {
        (true, true) => true,
        (true, false) => !has_global(&addresses) || begin.elapsed() > SECOND_FAMILY,
        (false, v6) => v6 && begin.elapsed() > SECOND_FAMILY,
    }
}

/// Whether a table of the kernel has a route of an interface of the step to this destination.
fn is_routed(table: &str, destination: &str, column: usize) -> bool {
    table.lines().any(|line| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let interface = if column == 0 { words.last() } else { words.first() };
        words.get(column) == Some(&destination) && interface.is_some_and(|name| *name != "lo")
    })
}

/// Whether a list of IPv6 addresses has one that is not only good on the link.
fn has_global(list: &str) -> bool {
    list.lines().any(|line| line.split_ascii_whitespace().nth(3) == Some("00"))
}

fn add(rules: &[Rule]) -> io::Result<()> {
    let has_v6 = Path::new("/proc/thread-self/net/if_inet6").exists();
    let known: Vec<_> =
        rules.iter().copied().filter(|rule| has_v6 || rule.to.address().is_ipv4()).collect();
    route_rules::add(&known)
}

/// Lets the gateway's questions for the step's hardware address be answered although nothing may be sent to the gateway
/// itself: a filter that wants a way back for every packet would drop them.
fn accept_answers() -> io::Result<()> {
    for entry in fs::read_dir("/proc/sys/net/ipv4/conf")? {
        let file = entry?.path().join("rp_filter");
        if fs::read_to_string(&file)?.trim() != "0" {
            fs::write(&file, "0")?;
        }
    }
    Ok(())
}

/// Whether a process of the group is the step's own program.
fn has_program(group: &Path) -> bool {
    cgroup::processes(group).into_iter().any(runs_program)
}

/// Whether a process is no longer the runtime's own program that becomes the step: it has the step's files as its root,
/// and another name.
pub fn runs_program(pid: u32) -> bool {
    let (theirs, ours) = (fs::metadata(format!("/proc/{pid}/root")), fs::metadata("/"));
    let (Ok(theirs), Ok(ours)) = (theirs, ours) else { return false };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    (theirs.dev(), theirs.ino()) != (ours.dev(), ours.ino()) && !name.starts_with(RUNTIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_route_is_told_from_others() {
        let v4 = "Iface\tDestination\tGateway \tFlags\neth0\t00000000\t010011AC\t0003\n\
                  eth0\t000011AC\t00000000\t0001\n";
        assert!(is_routed(v4, "00000000", 1));
        assert!(!is_routed(&v4.replace("eth0\t00000000", "eth0\t0000000A"), "00000000", 1));
        let zero = "0".repeat(32);
        let v6 = |name: &str| format!("{zero} 00 {zero} 00 {zero} 00000400 1 0 00200200 {name}\n");
        assert!(is_routed(&v6("    eth0"), &zero, 0));
        // What the kernel shows in every namespace: there is no route.
        assert!(!is_routed(&v6("      lo"), &zero, 0));
        assert!(has_global("fd000000000000000000000000000002 04 40 00 80     eth0\n"));
        assert!(!has_global("fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n"));
    }
}
