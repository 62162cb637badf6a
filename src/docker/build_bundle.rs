//! What the engine wrote down of a step before it runs.
//!
//! A step may mount files of its own over `/etc/hosts` and `/etc/resolv.conf`. So neither is looked for in the step: the
//! engine's description of it says whether the engine's own files are there.

use std::fs;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Bytes of a description that are read: it holds the step's variables and command.
const DESCRIPTION_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of a hosts file or a list of resolvers that are read.
const FILE_BYTES: u64 = 64 * 1024;

/// A step as the engine describes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The engine's hosts file of the step; `None` when the step has one of its own instead.
    hosts: Option<PathBuf>,
    /// The same of its list of resolvers.
    resolvers: Option<PathBuf>,
    /// The address of this machine that ends the step's list of hosts without a proxy.
    mark: Option<Ipv4Addr>,
}

#[derive(Deserialize)]
struct Description {
    #[serde(default)]
    mounts: Vec<Mount>,
    #[serde(default)]
    process: Process,
}

#[derive(Default, Deserialize)]
struct Process {
    #[serde(default)]
    env: Vec<String>,
}

#[derive(Deserialize)]
struct Mount {
    destination: String,
    #[serde(default)]
    source: String,
}

impl Bundle {
    /// Reads the description of a step. `storage` is the directory the engine keeps everything in. `None` when there is
    /// none (any more), or the engine keeps it elsewhere.
    pub fn read(storage: &Path, step: &str) -> Option<Self> {
        let executor = storage.join("buildkit/executor");
        let text = small_file(&executor.join(step).join("config.json"), DESCRIPTION_BYTES).ok()?;
        let description: Description = serde_json::from_str(&text).ok()?;
        let engines = |destination: &str, prefix: &str| {
            // Of two mounts at one place the last one is seen.
            let mount = description.mounts.iter().rfind(|m| m.destination == destination)?;
            let name = Path::new(&mount.source).strip_prefix(&executor).ok()?.to_str()?;
            let own = name.starts_with(prefix) && !name.contains('/');
            own.then(|| executor.join(name))
        };
        Some(Self {
            hosts: engines("/etc/hosts", "hosts"),
            resolvers: engines("/etc/resolv.conf", "resolv.conf"),
            mark: mark(&description.process.env),
        })
    }

    /// Whether the step belongs to the build with this entry. One that hides the engine's file is told by its variable,
    /// and one without that as well belongs to whoever asks: it cannot get out of a build's rules by hiding.
    pub fn is_of(&self, name: &str, address: Ipv4Addr) -> bool {
        let Some(path) = &self.hosts else { return self.mark.is_none_or(|mark| mark == address) };
        let text = small_file(path, FILE_BYTES).unwrap_or_default();
        names(&text, name, address)
    }

    /// The addresses the engine lets the step ask for names.
    pub fn resolvers(&self) -> Vec<IpAddr> {
        let text = self.resolvers.as_deref().and_then(|path| small_file(path, FILE_BYTES).ok());
        let text = text.unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let address = (words.next() == Some("nameserver")).then(|| words.next()).flatten()?;
            // `fe80::1%eth0` is on the link, where nothing is to be reached.
            address.parse().ok()
        });
        lines.collect()
    }
}

/// What the build put at the end of the list. The engine's variables come last, so that no Dockerfile's is taken for it.
fn mark(env: &[String]) -> Option<Ipv4Addr> {
    let hosts = env.iter().rev().find_map(|variable| variable.strip_prefix("no_proxy="))?;
    let last: Ipv4Addr = hosts.rsplit(',').next()?.parse().ok()?;
    last.is_loopback().then_some(last)
}

/// Whether a hosts file gives this name this address.
pub fn names(hosts: &str, name: &str, address: Ipv4Addr) -> bool {
    hosts.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next().and_then(|word| word.parse().ok()) == Some(address)
            && words.any(|word| word == name)
    })
}

/// Reads a file that a build might have put in the place of the engine's: no link, no pipe, not much of it.
///
/// # Errors
/// It cannot be read, or it is a link.
pub fn small_file(path: &Path, most: u64) -> io::Result<String> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.is_file() {
        file.take(most).read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: Ipv4Addr = Ipv4Addr::new(127, 3, 4, 5);

    /// A step whose mounts are these, and the engine's files.
    fn bundle(mounts: &[(&str, &str)]) -> Bundle {
        let storage = tempfile::tempdir().unwrap();
        let executor = storage.path().join("buildkit/executor");
        fs::create_dir_all(executor.join("step/rootfs")).unwrap();
        fs::write(executor.join("hosts.1"), "127.0.0.1 localhost\n127.3.4.5\tours\n").unwrap();
        fs::write(executor.join("resolv.conf"), "search x\nnameserver 10.0.0.2\nnameserver fd00::2\n# nameserver 1.1.1.1\nnameserver fe80::1%eth0\n").unwrap();
        let mounts: Vec<_> = mounts
            .iter()
            .map(|(destination, source)| {
                let source = source.replace("ENGINE", executor.to_str().unwrap());
                serde_json::json!({"destination": destination, "type": "bind", "source": source})
            })
            .collect();
        let description = serde_json::json!({"ociVersion": "1", "mounts": mounts}).to_string();
        fs::write(executor.join("step/config.json"), description).unwrap();
        let bundle = Bundle::read(storage.path(), "step").unwrap();
        // The files are needed for as long as the test reads them.
        let _ = storage.keep();
        bundle
    }

    #[test]
    fn a_step_is_recognised_by_the_engines_file() {
        let own = bundle(&[
            ("/proc", "proc"),
            ("/etc/resolv.conf", "ENGINE/resolv.conf"),
            ("/etc/hosts", "ENGINE/hosts.1"),
        ]);
        assert!(own.is_of("ours", MARKER));
        assert!(!own.is_of("theirs", MARKER));
        assert!(!own.is_of("ours", Ipv4Addr::new(127, 3, 4, 6)));
        let resolvers: Vec<IpAddr> = vec!["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()];
        assert_eq!(own.resolvers(), resolvers);
    }

    #[test]
    fn a_step_that_hides_the_engines_files_is_held_and_names_no_resolver() {
        for hidden in [
            "/var/lib/docker/overlay2/x/merged/hosts",
            "ENGINE/other/hosts.1",
            "ENGINE/../hosts.1",
            "",
        ] {
            let own = bundle(&[
                ("/etc/resolv.conf", "ENGINE/resolv.conf"),
                ("/etc/hosts", "ENGINE/hosts.1"),
                ("/etc/hosts", hidden),
                ("/etc/resolv.conf", hidden),
            ]);
            assert!(own.is_of("anything", MARKER), "{hidden}");
            assert_eq!(own.resolvers(), Vec::<IpAddr>::new(), "{hidden}");
        }
        assert!(bundle(&[]).is_of("anything", MARKER));
        assert_eq!(Bundle::read(Path::new("/nonexistent"), "step"), None);
    }

    #[test]
    fn a_step_that_hides_the_engines_file_is_told_by_the_engines_last_variable() {
        let step = |variables: &[&str]| Bundle {
            hosts: None,
            resolvers: None,
            mark: mark(&variables.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>()),
        };
        let theirs = Ipv4Addr::new(127, 3, 4, 6);
        let ours = step(&["no_proxy=127.3.4.6", "NO_PROXY=x", "no_proxy=*.local,127.3.4.5"]);
        assert!(ours.is_of("ours", MARKER));
        assert!(!ours.is_of("ours", theirs));
        // Nothing that tells it apart: everybody holds it.
        for unknown in [&["PATH=/"][..], &["no_proxy="], &["no_proxy=10.0.0.1"], &["no_proxy=a.b"]]
        {
            assert!(step(unknown).is_of("ours", MARKER), "{unknown:?}");
            assert!(step(unknown).is_of("ours", theirs), "{unknown:?}");
        }
    }

    #[test]
    fn a_hosts_file_that_is_a_link_or_a_pipe_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert!(small_file(&link, FILE_BYTES).is_err());
        assert_eq!(small_file(Path::new("/dev/zero"), FILE_BYTES).unwrap(), "");
    }
}
