//! Networks in CIDR notation.

use std::net::IpAddr;

/// An address or a network, such as `203.0.113.7` or `10.1.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads an address or a network.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        if prefix > most {
            return None;
        }
        // A network of IPv4 addresses written as IPv6 is one of IPv4.
        match (address.to_canonical(), prefix.checked_sub(96)) {
            (canonical @ IpAddr::V4(_), Some(prefix)) if address.is_ipv6() => {
                Some(Self { address: canonical, prefix })
            }
            _ => Some(Self { address, prefix }),
        }
    }

    /// A network of one address.
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// The address it was written with; the part behind the prefix counts for nothing.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many of the first bits all its addresses have in common.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether an address lies inside. An IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.prefix);
                u32::from(own).checked_shr(shift) == u32::from(other).checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix);
                u128::from(own).checked_shr(shift) == u128::from(other).checked_shr(shift)
            }
            _ => false,
        }
    }

    /// Whether every address of another network lies inside.
    pub fn covers(&self, other: &Self) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.prefix <= other.prefix
            && self.contains(other.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        let inside = |network: &str, ip: &str| {
            Network::parse(network).expect(network).contains(ip.parse().expect(ip))
        };
        assert!(
            inside("203.0.113.0/24", "203.0.113.9") && !inside("203.0.113.0/24", "203.0.114.9")
        );
        assert!(inside("0.0.0.0/0", "8.8.8.8") && inside("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(inside("2001:db8::/32", "2001:db8:1::1") && !inside("2001:db8::/32", "10.0.0.1"));
        assert!(inside("::ffff:10.1.0.0/112", "10.1.2.3"));
        assert!(!inside("::ffff:10.1.0.0/112", "10.2.0.1"));
        for bad in ["", "x", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn networks_cover_smaller_ones() {
        let covers = |network: &str, other: &str| {
            let read = |text: &str| Network::parse(text).expect("a network");
            read(network).covers(&read(other))
        };
        assert!(covers("10.0.0.0/8", "10.1.0.0/16") && covers("10.0.0.0/8", "10.0.0.1"));
        assert!(covers("::/0", "2001:db8::/32") && covers("10.0.0.0/8", "::ffff:10.1.0.0/112"));
        for (network, other) in [
            ("10.1.0.0/16", "10.0.0.0/8"),
            ("10.0.0.0/8", "11.0.0.0/8"),
            ("0.0.0.0/0", "::/0"),
            ("::/0", "0.0.0.0/0"),
        ] {
            assert!(!covers(network, other), "{network} {other}");
        }
    }
}
