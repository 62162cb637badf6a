//! Whether a host may be reached, for connections that another program makes.

use std::time::Duration;

use super::error::EgressError;
use super::policy::Policy;
use crate::model::network::Network;

/// How long a name may take to resolve.
const RESOLVE: Duration = Duration::from_secs(10);

impl Policy {
    /// Checks a host, its port and every address its name has now. The program that connects resolves the name again.
    ///
    /// # Errors
    /// One of them is refused, or the name has no address.
    pub async fn check_reachable(&self, host: &str, port: u16) -> Result<(), EgressError> {
        let refused = |_| EgressError::AddressNotAllowed;
        self.check_host(host).map_err(refused)?;
        self.check_port(host, port).map_err(refused)?;
        let host = host.to_ascii_lowercase();
        let found = tokio::time::timeout(RESOLVE, tokio::net::lookup_host((host.as_str(), port)));
        let unknown = || EgressError::Dns(host.clone());
        let found = found.await.map_err(|_| unknown())?.map_err(|_| unknown())?;
        let mut any = false;
        for address in found {
            any = true;
            if !self.opens_name(&host) {
                self.check_address(address.ip()).map_err(refused)?;
            }
        }
        if any { Ok(()) } else { Err(unknown()) }
    }

    /// The networks the operator opened, and the addresses that the opened names have now. For programs that no
    /// connection of Orbitra's serves, a name behind `*.` opens nothing.
    pub async fn opened_networks(&self) -> Vec<Network> {
        let (mut networks, names) = self.opened();
        for name in names {
            let found = tokio::net::lookup_host((name.as_str(), 0));
            if let Ok(Ok(found)) = tokio::time::timeout(RESOLVE, found).await {
                networks.extend(found.map(|address| Network::of(address.ip())));
            }
        }
        networks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_the_policy_opens_is_reachable() {
        let closed = Policy::default();
        let open = Policy::parse(&["127.0.0.1", "localhost"], false).unwrap();
        let refused = Err(EgressError::AddressNotAllowed);
        for host in ["127.0.0.1", "localhost", "LOCALHOST", "10.0.0.1", "registry.internal", "x"] {
            assert_eq!(closed.check_reachable(host, 5000).await, refused, "{host}");
        }
        assert_eq!(closed.check_reachable("8.8.8.8", 22).await, refused);
        assert_eq!(open.check_reachable("127.0.0.1", 22).await, Ok(()));
        assert_eq!(open.check_reachable("LocalHost", 5000).await, Ok(()));
        let opened = open.opened_networks().await;
        assert!(opened.contains(&Network::parse("127.0.0.1").unwrap()), "{opened:?}");
        assert_eq!(closed.opened_networks().await, []);
        let unknown = open.check_reachable("no-such-name.example.invalid", 443).await;
        assert!(matches!(unknown, Err(EgressError::Dns(_))), "{unknown:?}");
    }
}
