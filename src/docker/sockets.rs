//! The sockets a container's processes listen on, read from the host: nothing inside the image is needed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// State number of a listening socket.
const LISTEN: &str = "0A";

/// Addresses and ports on which anything in the network namespace of this process listens for TCP,
/// sorted. `pid` is a process of the container as the host counts.
///
/// # Errors
/// The process has ended, or Orbitra may not look at it.
pub fn listening_ports(pid: u32) -> io::Result<Vec<(IpAddr, u16)>> {
    let mut found = parse(&std::fs::read_to_string(format!("/proc/{pid}/net/tcp"))?);
    // Absent on kernels without IPv6.
    match std::fs::read_to_string(format!("/proc/{pid}/net/tcp6")) {
        Ok(text) => found.extend(parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    found.sort_unstable();
    found.dedup();
    // The engine's name server listens in every container.
    found.retain(|(address, _)| *address != IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)));
    Ok(found)
}

/// The listening sockets in a text of the form of `/proc/net/tcp` or `/proc/net/tcp6`; lines of another form are passed over.
pub fn parse(table: &str) -> Vec<(IpAddr, u16)> {
    table.lines().filter_map(socket).collect()
}

fn socket(line: &str) -> Option<(IpAddr, u16)> {
    let mut columns = line.split_ascii_whitespace().skip(1);
    let (address, port) = columns.next()?.split_once(':')?;
    let state = columns.nth(1)?;
    if state != LISTEN {
        return None;
    }
    Some((self::address(address)?, u16::from_str_radix(port, 16).ok()?))
}

/// The kernel writes an address as 32-bit words in the byte order of the machine.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(at..at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, slot) in bytes.chunks_exact_mut(4).enumerate() {
                slot.copy_from_slice(&word(index * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}
