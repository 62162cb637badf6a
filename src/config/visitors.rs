//! How much visitors may take, and what they may speak.

use super::{ConfigError, Setting};
use crate::model::network::Network;

/// What every visitor meets.
#[derive(Clone, Debug)]
pub struct Visitors {
    /// Open connections of one address.
    pub connections_per_address: usize,
    /// Requests of one deployment at a time.
    pub requests_per_deployment: usize,
    /// Whether HTTP/2 is spoken without TLS.
    pub h2c: bool,
    /// Proxies whose word on the visitor counts.
    pub trusted_proxies: Vec<Network>,
}

pub(super) fn read(get: &impl Fn(&str) -> Setting) -> Result<Visitors, ConfigError> {
    Ok(Visitors {
        connections_per_address: most(&get("connections_per_address"))?,
        requests_per_deployment: most(&get("requests_per_deployment"))?,
        h2c: get("h2c").parse("true or false")?,
        trusted_proxies: networks(&get("trusted_proxies"))?,
    })
}

/// A limit; 0 is none.
fn most(setting: &Setting) -> Result<usize, ConfigError> {
    let most = setting.parse("a number")?;
    Ok(if most == 0 { usize::MAX } else { most })
}

/// Addresses and networks with commas between.
fn networks(setting: &Setting) -> Result<Vec<Network>, ConfigError> {
    let wanted = "addresses or networks with commas between, such as 10.0.0.0/8, 2001:db8::1";
    let sent = setting.value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    sent.map(|entry| Network::parse(entry).ok_or_else(|| setting.error(wanted))).collect()
}
