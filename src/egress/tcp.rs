//! Plain connections for what is not HTTP.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

use super::client::{CONNECT_TIMEOUT, Client};
use super::error::EgressError;
use super::policy::{AddressRefused, Policy};
use super::resolver;

impl Client {
    /// Connects to an SSH server, within the time a connection may take. The name is resolved once, and the
    /// connection is made to one of the very addresses that were checked.
    pub async fn connect_ssh(&self, host: &str, port: u16) -> Result<TcpStream, EgressError> {
        let policy = self.policy();
        if policy.check_host(host).is_err() || policy.check_ssh_port(host, port).is_err() {
            return Err(EgressError::AddressNotAllowed);
        }
        match tokio::time::timeout(CONNECT_TIMEOUT, open(policy, host, port)).await {
            Err(_) => Err(EgressError::Timeout),
            Ok(result) => result,
        }
    }
}

/// Connects to one of the addresses of a host that was checked, after all of them were.
pub(super) async fn open(policy: &Policy, host: &str, port: u16) -> Result<TcpStream, EgressError> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => resolver::addresses(policy, host, port).await.map_err(|error| {
            if error.is::<AddressRefused>() {
                EgressError::AddressNotAllowed
            } else {
                EgressError::Dns(host.to_owned())
            }
        })?,
    };
    let mut last = EgressError::Connect("the server cannot be reached".to_owned());
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = EgressError::Connect(reason(&error).to_owned()),
        }
    }
    Err(last)
}

fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "the server refused it",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "the network is not reachable"
        }
        _ => "the server cannot be reached",
    }
}

#[cfg(test)]
mod tests {
    use super::super::Policy;
    use super::*;

    #[tokio::test]
    async fn only_opened_addresses_are_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = |allow: &[&str]| Client::new(Policy::parse(allow, false).unwrap()).unwrap();
        let (closed, open, named) =
            (client(&[]), client(&["127.0.0.1/32"]), client(&["localhost"]));
        for host in ["127.0.0.1", "localhost", "::1", "169.254.169.254", "10.0.0.1"] {
            let refused = closed.connect_ssh(host, port).await.unwrap_err();
            assert_eq!(refused, EgressError::AddressNotAllowed, "{host}");
        }
        assert!(open.connect_ssh("127.0.0.1", port).await.is_ok());
        assert!(named.connect_ssh("localhost", port).await.is_ok());
        let far = closed.connect_ssh("github.com", 23).await.unwrap_err();
        assert_eq!(far, EgressError::AddressNotAllowed);
        drop(listener);
        let gone = open.connect_ssh("127.0.0.1", port).await.unwrap_err();
        assert!(matches!(gone, EgressError::Connect(_)), "{gone:?}");
    }
}
