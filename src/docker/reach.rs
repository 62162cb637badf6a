//! Whether this machine has a bridge to an address.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// Whether one of this machine's bridges leads to this address. Of other kinds of interfaces none does to a container.
pub fn has_bridge_to(address: IpAddr) -> bool {
    let IpAddr::V4(address) = address else { return true };
    let table = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let is_bridge = |name: &str| Path::new("/sys/class/net").join(name).join("bridge").exists();
    interfaces(&table, address).any(is_bridge)
}

/// Interfaces that lead to an address without a gateway, from a text of the form of `/proc/net/route`.
fn interfaces(table: &str, address: Ipv4Addr) -> impl Iterator<Item = &str> {
    // The kernel writes addresses as words in the byte order of the machine.
    let word = |text: &str| {
        let word = u32::from_str_radix(text, 16).ok()?;
        Some(u32::from(Ipv4Addr::from(word.to_ne_bytes())))
    };
    table.lines().skip(1).filter_map(move |line| {
        let columns: Vec<_> = line.split_ascii_whitespace().collect();
        let [name, destination, gateway, _, _, _, _, mask, ..] = columns[..] else { return None };
        let (destination, gateway, mask) = (word(destination)?, word(gateway)?, word(mask)?);
        let leads = mask != 0 && gateway == 0 && u32::from(address) & mask == destination;
        leads.then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn only_what_leads_there_itself_counts() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
             eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
             br-1\t00000B0A\t00000000\t0001\t0\t0\t0\tC0FFFFFF\t0\t0\t0\n\
             vpn\t0000000A\t010011AC\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n";
        let to = |address: [u8; 4]| interfaces(table, address.into()).collect::<Vec<_>>();
        assert_eq!(to([172, 17, 0, 2]), ["docker0"]);
        assert_eq!(to([10, 11, 0, 5]), ["br-1"]);
        assert_eq!(to([10, 11, 0, 65]), <[&str; 0]>::default(), "the next network");
        assert_eq!(to([192, 0, 2, 9]), <[&str; 0]>::default(), "by way of the gateway");
        assert_eq!(interfaces("", Ipv4Addr::LOCALHOST).count(), 0);
    }
}
