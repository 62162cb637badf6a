//! How a project's deployments run, and when they count as healthy.

use serde::{Deserialize, Serialize};

use crate::model::build_plan::RepositorySettings;
use crate::model::proxy_settings::ProxySettings;

/// When an application counts as healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// Starts with one `/`, printable ASCII, at most 1,024 bytes.
    pub path: String,
    /// A status or a range, such as `200` or `200-399`.
    pub expect: String,
    pub interval_seconds: u32,
    pub timeout_seconds: u32,
    /// How long it may take from the start of the process to the first good answer.
    pub grace_seconds: u32,
}

impl Default for Healthcheck {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            expect: "200-399".to_owned(),
            interval_seconds: 5,
            timeout_seconds: 5,
            grace_seconds: 60,
        }
    }
}

/// How a new deployment takes over from the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The new one runs beside the old one until it has the traffic.
    #[default]
    Rolling,
    /// Never two at the same time: requests are held while the old one stops and the new one starts.
    Single,
}

impl Strategy {
    /// Every strategy, in the order of the contract.
    pub const ALL: [Self; 2] = [Self::Rolling, Self::Single];

    /// The name the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::Single => "single",
        }
    }

    /// Reads a name of the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str() == text)
    }
}

/// What an application speaks with the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, as gRPC has it.
    H2c,
}

impl Protocol {
    /// Every protocol, in the order of the contract.
    pub const ALL: [Self; 2] = [Self::Http1, Self::H2c];

    /// The name the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::H2c => "h2c",
        }
    }

    /// Reads a name of the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == text)
    }
}

/// How traffic moves from one deployment to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReleaseSettings {
    pub strategy: Strategy,
    /// Seconds the old one may take to finish its requests, 0 to 3,600; `None` is the instance's setting.
    pub drain_seconds: Option<u32>,
    /// Seconds from SIGTERM to SIGKILL, 1 to 300.
    pub stop_seconds: u32,
    /// Seconds after a switch in which a crash loop or failing requests bring the one before back, 0 to 3,600; 0 is
    /// never.
    pub watch_seconds: u32,
}

impl Default for ReleaseSettings {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            drain_seconds: None,
            stop_seconds: 10,
            watch_seconds: 60,
        }
    }
}

/// What sleeps when nobody asks for it, and who wakes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SleepSettings {
    /// Whether the live deployment sleeps as well.
    pub live: bool,
    /// Whether crawlers and monitors wake a deployment that sleeps.
    pub crawlers: bool,
}

/// How it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeSettings {
    /// Port the application listens on; `None` lets Orbitra find it.
    pub port: Option<u16>,
    #[serde(default)]
    pub protocol: Protocol,
    pub instances: u32,
    pub cpu_millis: u32,
    pub memory_mb: u32,
    pub healthcheck: Healthcheck,
    #[serde(default)]
    pub release: ReleaseSettings,
    #[serde(default)]
    pub sleep: SleepSettings,
    #[serde(default)]
    pub proxy: ProxySettings,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        Self {
            port: None,
            protocol: Protocol::default(),
            instances: 1,
            cpu_millis: 1000,
            memory_mb: 512,
            healthcheck: Healthcheck::default(),
            release: ReleaseSettings::default(),
            sleep: SleepSettings::default(),
            proxy: ProxySettings::default(),
        }
    }
}

impl RuntimeSettings {
    /// How many containers a deployment gets. What may not run beside another one is alone.
    pub fn replicas(&self) -> u32 {
        if self.release.strategy == Strategy::Single { 1 } else { self.instances.max(1) }
    }

    /// Lets the repository's own settings count more than the project's.
    pub fn apply(&mut self, repository: &RepositorySettings) {
        self.port = repository.port.or(self.port);
        if let Some(path) = &repository.health_path {
            self.healthcheck.path.clone_from(path);
        }
        self.release.strategy = repository.strategy.unwrap_or(self.release.strategy);
        self.protocol = repository.protocol.unwrap_or(self.protocol);
    }
}

/// Whether a health path can be asked for: one leading `/`, printable ASCII without blanks, no fragment, at most 1,024 bytes.
pub fn valid_health_path(path: &str) -> bool {
    path.len() <= 1024
        && path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|b| b.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&b))
        && !path.to_ascii_lowercase().contains("%0d")
        && !path.to_ascii_lowercase().contains("%0a")
}

/// Reads `200` or `200-399` as a range of statuses.
pub fn parse_expected_status(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let read = |part: &str| {
        part.parse::<u16>().ok().filter(|s| part.len() == 3 && (100..=599).contains(s))
    };
    let (low, high) = (read(low)?, read(high)?);
    (low <= high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_paths() {
        for good in ["/", "/healthz", "/a?b=c&d=%20", "/;id"] {
            assert!(valid_health_path(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "//evil.test/",
            "http://x/",
            "/a b",
            "/\r\nHost: x",
            "/%0d%0aX:y",
            "/#x",
            "/é",
        ] {
            assert!(!valid_health_path(bad), "{bad}");
        }
        assert!(!valid_health_path(&format!("/{}", "a".repeat(1024))));
    }

    #[test]
    fn expected_statuses() {
        assert_eq!(parse_expected_status("200"), Some((200, 200)));
        assert_eq!(parse_expected_status("200-399"), Some((200, 399)));
        for bad in ["", "2", "600", "399-200", "200-", "+200", "200-399-1"] {
            assert_eq!(parse_expected_status(bad), None, "{bad}");
        }
    }
}
