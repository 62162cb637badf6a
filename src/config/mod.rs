//! The only reader of environment and files. Flags > environment > `orbitra.toml` in the data
//! directory > the compiled-in `defaults.toml`, which documents every option.

pub mod acme;
pub mod chosen;
mod data_dir;
mod hosts;
pub mod kernel_log;
pub mod machine;
pub mod rates;
mod visitors;
mod webhooks;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tracing_subscriber::filter::Targets;

pub use acme::{Acme, AcmeChallenge};
pub use data_dir::{DataDir, DataDirError, Lock};
pub use hosts::Hosts;
pub use rates::RateLimits;
pub use visitors::Visitors;

const DEFAULTS: &str = include_str!("defaults.toml");

/// A setting that cannot be used. Says which one and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Settings given on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub data: Option<PathBuf>,
    pub listen: Option<String>,
}

/// Origin of a setting that nobody gave.
const DEFAULT: &str = "default";

/// The settings of one instance.
#[derive(Clone, Debug)]
pub struct Config {
    pub data: PathBuf,
    pub listen: SocketAddr,
    /// `None` is without TLS.
    pub listen_tls: Option<SocketAddr>,
    pub hosts: Hosts,
    pub acme: Acme,
    /// Addresses that the DNS is to lead to.
    pub public_addresses: Vec<IpAddr>,
    /// Whom the DNS is asked through; none are those of the system.
    pub dns_servers: Vec<SocketAddr>,
    pub docker_host: Option<String>,
    pub egress_allow: Vec<String>,
    pub egress_allow_http: bool,
    /// How long after an attempt of a delivery to a webhook the next one is made.
    pub webhook_schedule: Vec<std::time::Duration>,
    /// How long one attempt may take.
    pub webhook_timeout: std::time::Duration,
    pub network_pool: (Ipv4Addr, u8),
    pub build_concurrency: usize,
    /// Bytes; `None` leaves it to the adapter.
    pub build_memory: Option<u64>,
    /// Thousandths of a core.
    pub build_cpu_millis: u32,
    /// Bytes of memory that must be free before a build begins.
    pub build_memory_free: u64,
    /// Bytes of disk that must be free before a build begins.
    pub disk_floor: u64,
    /// Bytes that everything kept may take together; 0 is a share of the engine's disk.
    pub disk_budget: u64,
    /// How long a preview is kept; `None` is for ever.
    pub preview_age: Option<std::time::Duration>,
    /// Bytes.
    pub git_size_limit: u64,
    /// How long runtime logs are kept.
    pub log_age: std::time::Duration,
    /// Most bytes of one project's runtime log.
    pub log_bytes: u64,
    pub drain: std::time::Duration,
    /// How long nobody asks for a deployment until it is paused.
    pub sleep_after: std::time::Duration,
    /// How long until it is stopped; not more than `sleep_after` stops it instead of pausing it.
    pub stop_after: std::time::Duration,
    /// How long hashed files of a replaced deployment are served; zero is never.
    pub keep_assets: std::time::Duration,
    pub rates: RateLimits,
    pub visitors: Visitors,
    /// Where figures are shown; `None` is nowhere.
    pub metrics_listen: Option<SocketAddr>,
    pub access_log: bool,
    pub log: String,
    /// Where a test lets the program fail; no setting, and without effect in a release build.
    pub failpoints: String,
    /// Settings that are not the default: name, and where it was given.
    given: BTreeMap<String, String>,
}

/// A value and where it came from, for messages.
struct Setting {
    name: String,
    value: String,
    origin: String,
}

impl Setting {
    fn error(&self, wanted: &str) -> ConfigError {
        ConfigError(format!(
            "{} ({}) must be {wanted}, not `{}`",
            self.name, self.origin, self.value
        ))
    }

    fn parse<T: std::str::FromStr>(&self, wanted: &str) -> Result<T, ConfigError> {
        self.value.trim().parse().map_err(|_| self.error(wanted))
    }

    fn non_empty(&self) -> Option<String> {
        let value = self.value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }
}

fn flatten(text: &str, origin: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let table: toml::Table =
        text.parse().map_err(|error| ConfigError(format!("{origin}: {error}")))?;
    table
        .into_iter()
        .map(|(key, value)| match value {
            toml::Value::String(text) => Ok((key, text)),
            toml::Value::Integer(number) => Ok((key, number.to_string())),
            toml::Value::Boolean(flag) => Ok((key, flag.to_string())),
            _ => Err(ConfigError(format!(
                "{origin}: `{key}` must be a text, a number or true/false"
            ))),
        })
        .collect()
}

/// Where the data is: flag, environment, `/var/lib/orbitra` when it is there or can be made, else the user's own directory.
pub fn data_path(flag: Option<&Path>, environment: impl Fn(&str) -> Option<String>) -> PathBuf {
    if let Some(path) = flag {
        return path.to_owned();
    }
    if let Some(path) = environment("ORBITRA_DATA").filter(|path| !path.is_empty()) {
        return path.into();
    }
    let system = PathBuf::from("/var/lib/orbitra");
    let writable = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|meta| !meta.permissions().readonly()) && is_root()
    };
    if system.exists() && is_root() || writable(Path::new("/var/lib")) {
        return system;
    }
    let home = environment("HOME").unwrap_or_else(|| ".".to_owned());
    Path::new(&home).join(".local/share/orbitra")
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

impl Config {
    /// Reads all settings.
    ///
    /// # Errors
    /// The first setting that cannot be used, by name.
    pub fn load(
        flags: &Flags,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let data = data_path(flags.data.as_deref(), &environment);
        let file = data.join("orbitra.toml");
        let defaults = flatten(DEFAULTS, "defaults.toml")?;
        let from_file = match std::fs::read_to_string(&file) {
            Ok(text) => flatten(&text, &file.display().to_string())?,
            Err(_) => BTreeMap::new(),
        };
        if let Some(unknown) = from_file.keys().find(|key| !defaults.contains_key(*key)) {
            return Err(ConfigError(format!(
                "{}: there is no setting `{unknown}`",
                file.display()
            )));
        }
        let get = |name: &str| {
            let variable = format!("ORBITRA_{}", name.to_ascii_uppercase());
            let flag = (name == "listen").then(|| flags.listen.clone()).flatten();
            let (value, origin) = if let Some(value) = flag {
                (value, format!("--{name}"))
            } else if let Some(value) = environment(&variable).filter(|value| !value.is_empty()) {
                (value, variable)
            } else if let Some(value) = from_file.get(name) {
                (value.clone(), "orbitra.toml".to_owned())
            } else {
                (defaults.get(name).cloned().unwrap_or_default(), DEFAULT.to_owned())
            };
            Setting { name: name.to_owned(), value, origin }
        };
        let listen = parse_listen(&get("listen"))?;
        let listen_tls = get("listen_tls");
        let listen_tls = listen_tls.non_empty().map(|_| parse_listen(&listen_tls)).transpose()?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let concurrency: usize = get("build_concurrency").parse("a number")?;
        let memory: u64 = get("build_memory").parse("a number of MiB")?;
        let memory_free: u64 = get("build_memory_free").parse("a number of MiB")?;
        let disk_floor: u64 = get("disk_floor").parse("a number of MiB")?;
        let disk_budget: u64 = get("disk_budget").parse("a number of MiB")?;
        let preview_days: u64 = get("preview_days").parse("a number of days")?;
        let size: u64 = get("git_size_limit").parse("a number of MiB")?;
        let log_days: u64 = get("log_days").parse("a number of days")?;
        let log_size: u64 = get("log_size").parse("a number of MiB")?;
        Ok(Self {
            hosts: hosts::read(
                &get("base_domain"),
                &get("dashboard_host"),
                &get("public_scheme"),
                listen,
                listen_tls,
            )?,
            data,
            listen,
            listen_tls,
            acme: acme::read(&get)?,
            public_addresses: parse_addresses(&get("public_addresses"))?,
            dns_servers: parse_servers(&get("dns_servers"))?,
            docker_host: get("docker_host").non_empty().or_else(|| environment("DOCKER_HOST")),
            egress_allow: get("egress_allow")
                .value
                .split(',')
                .map(str::trim)
                .filter(|entry| !entry.is_empty())
                .map(str::to_owned)
                .collect(),
            egress_allow_http: get("egress_allow_http").parse("true or false")?,
            webhook_schedule: webhooks::schedule(&get("webhook_schedule"))?,
            webhook_timeout: webhooks::timeout(&get("webhook_timeout"))?,
            network_pool: parse_pool(&get("network_pool"))?,
            build_concurrency: if concurrency == 0 { (cores / 2).max(1) } else { concurrency },
            build_memory: (memory > 0).then_some(memory * 1024 * 1024).or_else(half_the_memory),
            build_cpu_millis: parse_cpus(&get("build_cpus"), cores)?,
            build_memory_free: match memory_free {
                0 => machine::memory("MemTotal").map_or(0, |all| (all / 4).min(512 * 1024 * 1024)),
                some => some.saturating_mul(1024 * 1024),
            },
            disk_floor: disk_floor.saturating_mul(1024 * 1024),
            disk_budget: disk_budget.saturating_mul(1024 * 1024),
            preview_age: (preview_days > 0).then(|| {
                std::time::Duration::from_secs(preview_days.min(36_500).saturating_mul(24 * 3600))
            }),
            git_size_limit: size * 1024 * 1024,
            log_age: std::time::Duration::from_secs(log_days.saturating_mul(24 * 3600)),
            log_bytes: log_size.saturating_mul(1024 * 1024),
            drain: parse_seconds(&get("drain_seconds"))?,
            sleep_after: parse_seconds(&get("sleep_after"))?,
            stop_after: parse_seconds(&get("stop_after"))?,
            keep_assets: parse_seconds(&get("keep_assets"))?,
            rates: rates::read(&get("rate_free"), &get("rate_professional"), &get("rate_window"))?,
            visitors: visitors::read(&get)?,
            metrics_listen: {
                let setting = get("metrics_listen");
                setting.non_empty().map(|_| parse_listen(&setting)).transpose()?
            },
            access_log: get("access_log").parse("true or false")?,
            log: parse_log(&get("log"))?,
            failpoints: environment("ORBITRA_FAILPOINTS").unwrap_or_default(),
            given: defaults
                .keys()
                .map(|name| get(name))
                .filter(|setting| setting.origin != DEFAULT)
                .map(|setting| (setting.name, setting.origin))
                .collect(),
        })
    }
}

/// Levels of messages, for all or by the module they come from.
fn parse_log(setting: &Setting) -> Result<String, ConfigError> {
    let _: Targets = setting.parse("levels, such as info or warn,orbitra::web=debug")?;
    Ok(setting.value.clone())
}

/// An address with a port; the address may be left out.
fn parse_listen(setting: &Setting) -> Result<SocketAddr, ConfigError> {
    let text = setting.value.trim();
    let whole = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    whole.parse().map_err(|_| setting.error("an address with a port, such as 0.0.0.0:8080"))
}

/// Addresses with commas between; without any, those that this machine itself is reached at from everywhere.
fn parse_addresses(setting: &Setting) -> Result<Vec<IpAddr>, ConfigError> {
    let wanted = "addresses with commas between, such as 203.0.113.10, 2001:db8::1";
    let sent = setting.value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let addresses: Result<Vec<IpAddr>, _> = sent.map(str::parse).collect();
    let addresses = addresses.map_err(|_| setting.error(wanted))?;
    Ok(if addresses.is_empty() { machine::public_addresses() } else { addresses })
}

/// Name servers with commas between, each with a port where it is not 53.
fn parse_servers(setting: &Setting) -> Result<Vec<SocketAddr>, ConfigError> {
    let wanted = "addresses with commas between, such as 9.9.9.9, 127.0.0.1:5353";
    let sent = setting.value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    sent.map(|entry| {
        let alone = entry.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
        alone.or_else(|_| entry.parse()).map_err(|_| setting.error(wanted))
    })
    .collect()
}

/// Up to a hundred years: what is added to the time of day must stay a time.
fn parse_seconds(setting: &Setting) -> Result<std::time::Duration, ConfigError> {
    let seconds: u32 = setting.parse("a number of seconds")?;
    Ok(std::time::Duration::from_secs(u64::from(seconds)))
}

fn parse_pool(setting: &Setting) -> Result<(Ipv4Addr, u8), ConfigError> {
    let wanted = "a private IPv4 network of /8 to /24, such as 10.200.0.0/13";
    let (address, length) = setting.value.split_once('/').ok_or_else(|| setting.error(wanted))?;
    let address: Ipv4Addr = address.trim().parse().map_err(|_| setting.error(wanted))?;
    let length: u8 = length.trim().parse().map_err(|_| setting.error(wanted))?;
    let aligned = (8..=24).contains(&length)
        && u32::from(address) & (u32::MAX >> length) == 0
        && address.is_private();
    if aligned { Ok((address, length)) } else { Err(setting.error(wanted)) }
}

/// Cores as a number such as `1.5`, in thousandths; 0 is all but half a core.
fn parse_cpus(setting: &Setting, cores: usize) -> Result<u32, ConfigError> {
    let wanted = "a number of cores from 0 to 1024, such as 1.5";
    let number: f64 = setting.parse(wanted)?;
    if !(0.0..=1024.0).contains(&number) {
        return Err(setting.error(wanted));
    }
    if number == 0.0 {
        return Ok(u32::try_from(cores).unwrap_or(1024).saturating_mul(1000) - 500);
    }
    // Less than this the kernel does not count out.
    Ok(((number * 1000.0) as u32).max(10))
}

fn half_the_memory() -> Option<u64> {
    machine::memory("MemTotal").map(|bytes| bytes / 2)
}

#[cfg(test)]
mod tests;
