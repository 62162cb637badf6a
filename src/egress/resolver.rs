//! Names to addresses, all of them checked.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::error::NameNotResolved;
use super::policy::{AddressRefused, Policy};

/// Resolves through the system and refuses a name when any of its addresses is refused: a name that has a
/// public and a private address is either a mistake or an attack. The connection is made to the very
/// addresses that were checked.
pub(super) struct CheckedResolver {
    pub(super) policy: Arc<Policy>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let found = addresses(&policy, name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a name, all of them acceptable.
pub(super) async fn addresses(
    policy: &Policy,
    name: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let name = name.to_ascii_lowercase();
    policy.check_host(&name)?;
    let found = tokio::net::lookup_host((name.as_str(), port)).await;
    let found: Vec<SocketAddr> = found.map_err(|_| NameNotResolved)?.collect();
    check_all(policy, &name, &found)?;
    Ok(found)
}

fn check_all(
    policy: &Policy,
    name: &str,
    found: &[SocketAddr],
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if found.is_empty() {
        return Err(NameNotResolved.into());
    }
    let fits = policy.opens_name(name)
        || found.iter().all(|address| policy.check_address(address.ip()).is_ok());
    if fits { Ok(()) } else { Err(AddressRefused.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_refused_address_refuses_the_name() {
        let policy = Policy::parse(&["open.test"], false).unwrap();
        let addresses = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter().map(|a| SocketAddr::new(a.parse().unwrap(), 0)).collect()
        };
        assert!(check_all(&policy, "a.test", &addresses(&["8.8.8.8", "1.1.1.1"])).is_ok());
        assert!(check_all(&policy, "a.test", &addresses(&["8.8.8.8", "127.0.0.1"])).is_err());
        assert!(check_all(&policy, "a.test", &addresses(&["::1"])).is_err());
        assert!(check_all(&policy, "a.test", &[]).is_err());
        assert!(check_all(&policy, "open.test", &addresses(&["10.0.0.1"])).is_ok());
    }
}
