//! What the proxy does with requests for a host before the application is asked, and with its answers. A host without
//! settings has none, and pays nothing.

use std::net::IpAddr;
use std::time::Duration;

use super::visits::Wall;
use crate::model::network::Network;
use crate::model::proxy_settings::{Login, ProxySettings};
use crate::model::site_rules::SiteRules;

/// The settings of a host, ready for use.
#[derive(Debug)]
pub struct Policy {
    /// Bytes.
    pub max_body: Option<u64>,
    pub first_byte: Option<Duration>,
    pub idle: Option<Duration>,
    pub maintenance: bool,
    pub compress: bool,
    pub rules: SiteRules,
    allow: Vec<Network>,
    deny: Vec<Network>,
    pub login: Option<Login>,
    /// Only people are let in who may see the project.
    pub wall: Option<Wall>,
}

impl Policy {
    /// The policy for a project's addresses; `None` when nothing is set.
    pub fn of(settings: &ProxySettings) -> Option<Self> {
        (*settings != ProxySettings::default()).then(|| Self::read(settings))
    }

    /// One that does nothing.
    pub fn nothing() -> Self {
        Self::read(&ProxySettings::default())
    }

    fn read(settings: &ProxySettings) -> Self {
        let seconds = |seconds: Option<u32>| seconds.map(|s| Duration::from_secs(u64::from(s)));
        Self {
            max_body: settings.max_body_mb.map(|mb| u64::from(mb) * 1024 * 1024),
            first_byte: seconds(settings.first_byte_seconds),
            idle: seconds(settings.idle_seconds),
            maintenance: settings.maintenance,
            compress: settings.compress,
            rules: settings.rules().0,
            allow: networks(&settings.allow),
            deny: networks(&settings.deny),
            login: settings.login.clone(),
            wall: None,
        }
    }

    /// The same behind a wall, or without one.
    pub fn behind(self, wall: Option<Wall>) -> Self {
        Self { wall, ..self }
    }

    /// Whether a visitor from this address is let in.
    pub fn admits(&self, address: IpAddr) -> bool {
        let named = |networks: &[Network]| networks.iter().any(|one| one.contains(address));
        !named(&self.deny) && (self.allow.is_empty() || named(&self.allow))
    }
}

/// What cannot be read was refused when it was stored.
fn networks(list: &[String]) -> Vec<Network> {
    list.iter().filter_map(|text| Network::parse(text.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_denied_is_not_admitted() {
        let list = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        let policy = |allow: &[&str], deny: &[&str]| {
            let settings = ProxySettings {
                maintenance: true,
                allow: list(allow),
                deny: list(deny),
                ..ProxySettings::default()
            };
            Policy::of(&settings).unwrap()
        };
        let admits = |policy: Policy, ip: &str| policy.admits(ip.parse().unwrap());
        assert!(admits(policy(&[], &[]), "8.8.8.8"));
        assert!(!admits(policy(&[], &["8.0.0.0/8"]), "::ffff:8.8.8.8"));
        assert!(admits(policy(&["8.8.8.8"], &[]), "8.8.8.8"));
        assert!(!admits(policy(&["8.8.8.8"], &[]), "8.8.8.9"));
        assert!(!admits(policy(&["8.0.0.0/8"], &["8.8.8.8"]), "8.8.8.8"));
        assert!(Policy::of(&ProxySettings::default()).is_none());
    }
}
