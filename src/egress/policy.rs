//! Which hosts and addresses may be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use url::Host;

use crate::model::git_url::{GitUrl, GitUrlError, GitUrlRules};
use crate::model::network::Network;

/// Public addresses, and what the operator opened beyond them. Clones see a replacement at once.
#[derive(Clone, Debug, Default)]
pub struct Policy(Arc<ArcSwap<Opened>>);

/// What the operator opened.
#[derive(Debug, Default)]
struct Opened {
    networks: Vec<Network>,
    names: Vec<String>,
    /// Without the star: `.example.com`.
    suffixes: Vec<String>,
    allow_http: bool,
}

/// An entry of the allow list that is neither a network nor a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address, a network such as 10.1.0.0/16, a name nor `*.` and a name")]
pub struct PolicyError(pub String);

/// A host or address that may not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this address may not be reached from this server")]
pub struct AddressRefused;

impl Policy {
    /// Reads the operator's allow list: addresses, networks (`10.1.0.0/16`), names and `*.suffix`; entries may hold
    /// several of them with commas between. An empty list opens nothing beyond public addresses.
    pub fn parse<S: AsRef<str>>(entries: &[S], allow_http: bool) -> Result<Self, PolicyError> {
        let mut opened = Opened { allow_http, ..Opened::default() };
        let entries = entries.iter().flat_map(|entry| entry.as_ref().split(','));
        for entry in entries.map(str::trim).filter(|entry| !entry.is_empty()) {
            let refused = || PolicyError(entry.to_owned());
            if let Some(network) = Network::parse(entry) {
                opened.networks.push(network);
            } else if let Some(suffix) = entry.strip_prefix("*.") {
                opened.suffixes.push(format!(".{}", name(suffix).ok_or_else(refused)?));
            } else {
                opened.names.push(name(entry).ok_or_else(refused)?);
            }
        }
        Ok(Self(Arc::new(ArcSwap::from_pointee(opened))))
    }

    /// From now on this policy, and all its clones, say what `other` says.
    pub fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// Whether plain `http:` addresses are accepted.
    pub fn allow_http(&self) -> bool {
        self.0.load().allow_http
    }

    /// Checks a host as it stands in a URL, without resolving it. IP literals count in any spelling.
    pub fn check_host(&self, host: &str) -> Result<(), AddressRefused> {
        if let Some(address) = literal(host) {
            return self.check_address(address);
        }
        let host = host.to_ascii_lowercase();
        if self.opens_name(&host) {
            return Ok(());
        }
        let last = host.rsplit('.').next().unwrap_or("");
        let refused = host.is_empty()
            || host.ends_with('.')
            || !host.contains('.')
            || matches!(last, "localhost" | "local" | "internal" | "localdomain" | "lan" | "home" | "intranet" | "onion")
            || host.ends_with(".home.arpa")
            // The URL standard reads such a host as an IPv4 address; one that it could not read is no name either.
            || last.bytes().all(|b| b.is_ascii_digit());
        if refused { Err(AddressRefused) } else { Ok(()) }
    }

    /// Checks a port of a host: 443, 80, or one that no system service has; any port of a host the operator opened.
    pub fn check_port(&self, host: &str, port: u16) -> Result<(), AddressRefused> {
        if matches!(port, 80 | 443 | 1024..) || self.opens(host) {
            return Ok(());
        }
        Err(AddressRefused)
    }

    /// Checks a port of a host that is asked over SSH: 22, 443, or one that no system service has; any port of a
    /// host the operator opened.
    pub fn check_ssh_port(&self, host: &str, port: u16) -> Result<(), AddressRefused> {
        if port == 22 { Ok(()) } else { self.check_port(host, port) }
    }

    /// Checks a port of a host that takes mail: 25, 465, 587, or one that no system service has; any port of a host
    /// the operator opened.
    pub fn check_mail_port(&self, host: &str, port: u16) -> Result<(), AddressRefused> {
        if matches!(port, 25 | 465 | 587) { Ok(()) } else { self.check_port(host, port) }
    }

    /// Checks an address that is about to be connected to.
    pub fn check_address(&self, address: IpAddr) -> Result<(), AddressRefused> {
        let address = address.to_canonical();
        if self.0.load().networks.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        let public = match address {
            IpAddr::V4(address) => is_public_v4(address),
            IpAddr::V6(address) => is_public_v6(address),
        };
        if public { Ok(()) } else { Err(AddressRefused) }
    }

    /// Whether the operator opened this very name, at whatever address it is.
    pub(super) fn opens_name(&self, name: &str) -> bool {
        let opened = self.0.load();
        opened.names.iter().any(|known| known == name)
            || opened.suffixes.iter().any(|suffix| name.ends_with(suffix.as_str()))
    }

    /// The networks and names the operator opened.
    pub(super) fn opened(&self) -> (Vec<Network>, Vec<String>) {
        let opened = self.0.load();
        (opened.networks.clone(), opened.names.clone())
    }

    fn opens(&self, host: &str) -> bool {
        match literal(host) {
            Some(address) => {
                let opened = self.0.load();
                opened.networks.iter().any(|network| network.contains(address.to_canonical()))
            }
            None => self.opens_name(&host.to_ascii_lowercase()),
        }
    }

    /// Reads a repository's address under this policy.
    pub fn git_url(&self, text: &str) -> Result<GitUrl, GitUrlError> {
        GitUrl::parse(
            text,
            &GitUrlRules {
                allow_http: self.allow_http(),
                host_allowed: &|host, port| {
                    self.check_host(host).is_ok() && self.check_port(host, port).is_ok()
                },
                ssh_allowed: &|host, port| {
                    self.check_host(host).is_ok() && self.check_ssh_port(host, port).is_ok()
                },
            },
        )
    }
}

/// The address a host stands for in any spelling a browser or `getaddrinfo` would take: `127.1`, `0x7f000001`, `[::1]`.
fn literal(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(address);
    }
    match Host::parse(host).ok()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

fn name(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let fits = !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
    // `300.1.1.1` or `10.0.0` is a mistyped address, not a name.
    let address_like = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (fits && !address_like).then_some(text)
}

fn in_v4(address: Ipv4Addr, network: Ipv4Addr, prefix: u8) -> bool {
    let shift = 32 - u32::from(prefix);
    address.to_bits().checked_shr(shift).unwrap_or(0)
        == network.to_bits().checked_shr(shift).unwrap_or(0)
}

fn in_v6(address: Ipv6Addr, network: Ipv6Addr, prefix: u8) -> bool {
    let shift = 128 - u32::from(prefix);
    address.to_bits().checked_shr(shift).unwrap_or(0)
        == network.to_bits().checked_shr(shift).unwrap_or(0)
}

/// IPv4 networks that are not the public Internet (IANA special-purpose registry).
const SPECIAL_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|(network, prefix)| in_v4(address, *network, *prefix))
}

/// Only `2000::/3` is handed out to the Internet; of it, what tunnels to an IPv4 address or is reserved is refused whole.
const SPECIAL_V6: &[(Ipv6Addr, u8)] = &[
    // Teredo, benchmarking, ORCHID and the other protocol assignments.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Where the network translates (NAT64), public IPv4 servers are reached through this prefix.
    if in_v6(address, Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        let [.., high, low] = address.segments();
        return is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    in_v6(address, Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
        && !SPECIAL_V6.iter().any(|(network, prefix)| in_v6(address, *network, *prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &[&str] = &[
        "127.0.0.1",
        "127.1",
        "0177.0.0.1",
        "0x7f000001",
        "2130706433",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "0.0.0.0",
        "[::]",
        "[::1]",
        "::1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::1]",
        "[2002:a9fe:a9fe::]",
        "[2001:0::1]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd12::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[100::1]",
        "[2001:db8::1]",
        "[::7f00:1]",
        "169.254.169.254",
        "100.100.100.200",
        "100.64.0.1",
        "10.0.0.1",
        "172.17.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "metadata.google.internal",
        "printer.local",
        "①②⑦.0.0.1",
        "host",
        "",
        "example.com.",
        "1.2.3.4.5",
        "router.home.arpa",
    ];

    #[test]
    fn everything_but_the_public_internet_is_refused() {
        let policy = Policy::default();
        for host in REFUSED {
            assert_eq!(policy.check_host(host), Err(AddressRefused), "{host}");
        }
        for host in [
            "github.com",
            "8.8.8.8",
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "198.17.0.1",
            "[2606:4700::1111]",
            "[2a00:1450::1]",
            "[::ffff:8.8.8.8]",
            "[64:ff9b::808:808]",
            "git.example.co.uk",
        ] {
            assert_eq!(policy.check_host(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn the_operator_opens_networks_and_names() {
        let policy = Policy::parse(
            &["127.0.0.1/32, 10.1.0.0/16", "git.internal", "*.corp.local", "fd00::/8"],
            true,
        )
        .unwrap();
        for host in [
            "127.0.0.1",
            "127.1",
            "[::ffff:127.0.0.1]",
            "10.1.2.3",
            "git.internal",
            "GIT.internal",
            "a.corp.local",
            "[fd00::5]",
        ] {
            assert_eq!(policy.check_host(host), Ok(()), "{host}");
        }
        for host in
            ["127.0.0.2", "10.2.0.1", "localhost", "x.git.internal", "corp.local", "[fe80::1]"]
        {
            assert_eq!(policy.check_host(host), Err(AddressRefused), "{host}");
        }
        assert!(policy.check_port("127.0.0.1", 22).is_ok());
        assert!(policy.check_port("github.com", 22).is_err());
        assert!(policy.check_port("github.com", 8443).is_ok());
        let everything = Policy::parse(&["0.0.0.0/0"], false).unwrap();
        assert!(everything.check_host("10.0.0.1").is_ok());
    }

    #[test]
    fn other_entries_are_named() {
        for entry in ["10.0.0.0/33", "10.0.0", "300.1.1.1", "a b", "*.", "http://x", "::1/129"] {
            assert_eq!(Policy::parse(&[entry], false).unwrap_err(), PolicyError(entry.to_owned()));
        }
        assert!(Policy::parse(&["", " , "], false).is_ok());
    }

    #[test]
    fn git_urls_meet_the_policy() {
        let policy = Policy::parse(&["127.0.0.1/32"], true).unwrap();
        assert!(policy.git_url("http://127.0.0.1:3000/a.git").is_ok());
        assert!(policy.git_url("http://127.0.0.1:22/a.git").is_ok());
        assert_eq!(policy.git_url("https://10.0.0.1/a").unwrap_err().code, "url_not_allowed");
        assert_eq!(policy.git_url("https://github.com:22/a").unwrap_err().code, "url_not_allowed");
        assert!(policy.git_url("https://github.com/a/b").is_ok());
    }
}
