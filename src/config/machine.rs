//! The machine Orbitra runs on, as the operating system describes it.

use std::net::{IpAddr, UdpSocket};
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
        let disk = disk(data);
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory("MemTotal"),
            memory_available_bytes: memory("MemAvailable"),
            disk_bytes: disk.map(|disk| disk.bytes),
            disk_available_bytes: disk.map(|disk| disk.available),
        }
    }
}

/// A file system.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    pub bytes: u64,
    /// What is left for Orbitra's own account.
    pub available: u64,
}

/// The file system that a path is on; `None` when there is no such path.
pub fn disk(path: &Path) -> Option<Disk> {
    let disk = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Some(Disk { bytes: bytes(disk.f_blocks), available: bytes(disk.f_bavail) })
}

/// Bytes that are left for Orbitra's own account on the fullest file system of these paths; `None` when none is known.
pub fn least_free_disk(paths: impl Iterator<Item = PathBuf>) -> Option<u64> {
    paths.filter_map(|path| disk(&path)).map(|disk| disk.available).min()
}

/// Bytes in a line of the kernel's memory table.
pub fn memory(line: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let value = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))?;
    let kib: u64 = value.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// The addresses this machine sends from to the world, where the world can send to them as well: not behind a router
/// that translates addresses.
pub fn public_addresses() -> Vec<IpAddr> {
    // Nothing is sent: the system says which address it would use.
    let ways = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let address = |(from, to): (&str, &str)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        socket.local_addr().ok().map(|address| address.ip()).filter(|ip| is_public(*ip))
    };
    ways.into_iter().filter_map(address).collect()
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || shared)
        }
        // Global unicast.
        IpAddr::V6(ip) => ip.segments()[0] & 0xe000 == 0x2000,
    }
}
