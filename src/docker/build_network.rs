//! Where a build's steps may go: public addresses, the resolvers they were given, and what the operator opened.

use std::fs;
use std::net::{IpAddr, Ipv6Addr};

use super::route_rules::{Rule, Verdict};
use crate::model::network::Network;

/// Networks that are nobody's on the Internet: of this machine, of other containers, of what surrounds it. Clouds have
/// their metadata there; Azure's is the one with an address of its own.
const CLOSED: &[&str] = &[
    "10.0.0.0/8",
    "100.64.0.0/10",
    "168.63.129.16",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "fc00::/7",
    "fe80::/10",
];
/// Where networks translate addresses, each IPv4 network has a second name behind this.
const TRANSLATED: &str = "64:ff9b::";
/// Transport protocols and port of name resolution. A cloud's resolver may be its metadata service as well, so no other
/// port of it is opened.
const RESOLVE: [(u8, u16); 2] = [(6, 53), (17, 53)];

/// The rules of a step. `own` are this machine's addresses.
pub fn rules(open: &[Network], resolvers: &[IpAddr], own: &[IpAddr]) -> Vec<Rule> {
    let pass = |to, port| Rule { to, port, verdict: Verdict::Pass };
    let prohibit = |to| Rule { to, port: None, verdict: Verdict::Prohibit };
    let mut rules: Vec<_> = open.iter().map(|network| pass(*network, None)).collect();
    for resolver in resolvers {
        rules.extend(RESOLVE.map(|port| pass(Network::of(*resolver), Some(port))));
    }
    let mut closed = Vec::new();
    for text in CLOSED {
        closed.extend(Network::parse(text));
        if let Some((address, prefix)) = text.split_once('/')
            && !address.contains(':')
        {
            let prefix = prefix.parse::<u8>().unwrap_or(32) + 96;
            closed.extend(Network::parse(&format!("{TRANSLATED}{address}/{prefix}")));
        }
    }
    let own = own.iter().map(|address| Network::of(*address));
    let own: Vec<_> = own.filter(|own| !closed.iter().any(|known| known.covers(own))).collect();
    rules.extend(closed.into_iter().chain(own).map(prohibit));
    rules
}

/// The addresses this machine has, as seen from the network namespace of this thread. Those that only the machine
/// itself reaches are left out.
pub fn own_addresses() -> Vec<IpAddr> {
    let v4 = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let mut found: Vec<_> = v4_addresses(&v4).chain(v6_addresses(&v6)).collect();
    found.retain(|address| !address.is_loopback());
    found.sort_unstable();
    found.dedup();
    found
}

/// Addresses of the kernel's table of routes that are followed by `/32 host LOCAL`.
fn v4_addresses(table: &str) -> impl Iterator<Item = IpAddr> {
    let lines = table.lines().zip(table.lines().skip(1));
    lines.filter_map(|(line, next)| {
        let address = line.trim().strip_prefix("|-- ")?;
        next.trim().starts_with("/32 host LOCAL").then(|| address.parse().ok()).flatten()
    })
}

/// Addresses of the kernel's list of interfaces: each line begins with 32 hexadecimal digits.
fn v6_addresses(list: &str) -> impl Iterator<Item = IpAddr> {
    let digits = list.lines().filter_map(|line| line.split_ascii_whitespace().next());
    digits
        .filter_map(|digits| u128::from_str_radix(digits, 16).ok())
        .map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first rule that fits says of a packet.
    fn verdict(rules: &[Rule], to: &str, port: (u8, u16)) -> Verdict {
        let to: IpAddr = to.parse().unwrap();
        let fits = |rule: &&Rule| {
            rule.to.contains(to) && rule.port.is_none_or(|expected| expected == port)
        };
        let passes = rules.iter().filter(fits).any(|rule| rule.verdict == Verdict::Pass);
        let prohibited = rules.iter().any(|rule| fits(&rule));
        if passes || !prohibited { Verdict::Pass } else { Verdict::Prohibit }
    }

    #[test]
    fn only_public_addresses_resolvers_and_what_is_opened_are_reached() {
        let open = [Network::parse("10.7.0.0/16").unwrap()];
        let resolvers = ["169.254.169.254".parse().unwrap(), "fd00::53".parse().unwrap()];
        let own = ["203.0.113.9".parse().unwrap(), "2001:db8::9".parse().unwrap()];
        let rules = rules(&open, &resolvers, &own);
        let web = (6, 80);
        for refused in [
            "10.0.0.1",
            "172.17.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "203.0.113.9",
            "2001:db8::9",
            "fd00::1",
            "fe80::1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "fd00::53",
        ] {
            assert_eq!(verdict(&rules, refused, web), Verdict::Prohibit, "{refused}");
        }
        for fine in
            ["8.8.8.8", "172.32.0.1", "10.7.3.2", "203.0.113.8", "2606:4700::1", "64:ff9b::8.8.8.8"]
        {
            assert_eq!(verdict(&rules, fine, web), Verdict::Pass, "{fine}");
        }
        for resolver in ["169.254.169.254", "fd00::53"] {
            assert_eq!(verdict(&rules, resolver, (17, 53)), Verdict::Pass);
            assert_eq!(verdict(&rules, resolver, (6, 53)), Verdict::Pass);
        }
    }

    #[test]
    fn the_machines_addresses_are_read() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\nLocal:\n     \
            |-- 192.0.2.2\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n";
        assert_eq!(
            v4_addresses(table).collect::<Vec<_>>(),
            ["192.0.2.2".parse::<IpAddr>().unwrap()]
        );
        let list = "fd000000000000000000000000000002 04 40 00 80     eth0\nnonsense\n";
        assert_eq!(v6_addresses(list).collect::<Vec<_>>(), ["fd00::2".parse::<IpAddr>().unwrap()]);
        assert!(own_addresses().iter().all(|address| !address.is_loopback()));
    }
}
