//! Records of the DNS, for names that somebody says are his. Nothing is connected to what is found.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record, RecordType};

use crate::model::domain::{DnsRecord, RecordKind};
use crate::model::issuance::Permission;

/// How long a name server may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Records that are kept of an answer.
const MOST: usize = 20;

/// Asks the DNS. Cloning is cheap.
#[derive(Clone)]
pub struct Lookup(TokioResolver);

/// The DNS could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the DNS did not answer: {0}")]
pub struct LookupFailed(String);

impl Lookup {
    /// Asks these name servers, or without any those of the system.
    ///
    /// # Errors
    /// The system's settings cannot be read.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, LookupFailed> {
        let failed = |error: hickory_resolver::net::NetError| LookupFailed(error.to_string());
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().map_err(failed)?
        } else {
            let servers = servers.iter().map(|server| {
                let mut both = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                both.iter_mut().for_each(|connection| connection.port = server.port());
                NameServerConfig::new(server.ip(), true, both.into())
            });
            let config = ResolverConfig::from_name_servers(servers.collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        // Who has just changed a record wants to see it.
        options.cache_size = 0;
        options.timeout = TIMEOUT;
        options.attempts = 2;
        options.preserve_intermediates = true;
        options.use_hosts_file = ResolveHosts::Never;
        Ok(Self(builder.build().map_err(failed)?))
    }

    /// Aliases and addresses of a name, sorted; none when there is no such name.
    ///
    /// # Errors
    /// No name server answers, or none of use.
    pub async fn records(&self, name: &str) -> Result<Vec<DnsRecord>, LookupFailed> {
        // A dot at its end, so that no search domain is tried.
        let absolute = format!("{name}.");
        let (v4, v6) = tokio::join!(
            self.0.lookup(absolute.as_str(), RecordType::A),
            self.0.lookup(absolute.as_str(), RecordType::AAAA)
        );
        let mut found = Vec::new();
        for answer in [v4, v6] {
            match answer {
                Ok(answer) => found.extend(answer.answers().iter().filter_map(|record| {
                    let (kind, value) = match &record.data {
                        RData::A(address) => (RecordKind::A, address.0.to_string()),
                        RData::AAAA(address) => (RecordKind::Aaaa, address.0.to_string()),
                        RData::CNAME(target) => (RecordKind::Cname, plain(&target.0.to_string())),
                        _ => return None,
                    };
                    Some(DnsRecord { kind, name: plain(&record.name.to_string()), value })
                })),
                Err(error) if error.is_no_records_found() => {}
                Err(error) => return Err(LookupFailed(error.to_string())),
            }
        }
        found.sort();
        found.dedup();
        found.truncate(MOST);
        Ok(found)
    }

    /// The texts of a name; none when there is no such name.
    ///
    /// # Errors
    /// No name server answers, or none of use.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, LookupFailed> {
        let found = self.answers(name, RecordType::TXT).await?;
        let texts = found.into_iter().filter_map(|record| match record.data {
            RData::TXT(text) => {
                let parts: Vec<_> =
                    text.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect();
                Some(parts.concat())
            }
            _ => None,
        });
        Ok(texts.take(MOST).collect())
    }

    /// The zone that a name is in: the closest name above it, or itself, with a record of its own about the zone (SOA).
    ///
    /// # Errors
    /// There is none, no name server answers, or none of use.
    pub async fn zone(&self, name: &str) -> Result<String, LookupFailed> {
        let mut rest = name;
        loop {
            let found = self.answers(rest, RecordType::SOA).await?;
            let is_zone = |record: &Record| {
                matches!(record.data, RData::SOA(_)) && plain(&record.name.to_string()) == rest
            };
            if found.iter().any(is_zone) {
                return Ok(rest.to_owned());
            }
            rest = match rest.split_once('.') {
                Some((_, above)) => above,
                None => return Err(LookupFailed(format!("no zone was found for {name}"))),
            };
        }
    }

    /// Names of the servers of a zone.
    ///
    /// # Errors
    /// No name server answers, or none of use.
    pub async fn name_servers(&self, zone: &str) -> Result<Vec<String>, LookupFailed> {
        let found = self.answers(zone, RecordType::NS).await?;
        let names = found.into_iter().filter_map(|record| match record.data {
            RData::NS(name) => Some(plain(&name.0.to_string())),
            _ => None,
        });
        Ok(names.take(MOST).collect())
    }

    /// Which authorities may sign for a name (RFC 8659): the records of the closest name that has any, itself or one
    /// above it.
    ///
    /// # Errors
    /// No name server answers, or none of use.
    pub async fn permissions(&self, name: &str) -> Result<Vec<Permission>, LookupFailed> {
        let mut rest = name;
        loop {
            let found = self.answers(rest, RecordType::CAA).await?;
            let permissions: Vec<_> = found
                .into_iter()
                .filter_map(|record| match record.data {
                    RData::CAA(caa) => Some(Permission {
                        critical: caa.issuer_critical,
                        tag: caa.tag.to_ascii_lowercase(),
                        value: String::from_utf8_lossy(&caa.value).into_owned(),
                    }),
                    _ => None,
                })
                .collect();
            rest = match rest.split_once('.') {
                Some((_, above)) if permissions.is_empty() => above,
                _ => return Ok(permissions),
            };
        }
    }

    async fn answers(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, LookupFailed> {
        match self.0.lookup(format!("{name}.").as_str(), kind).await {
            Ok(answer) => Ok(answer.answers().to_vec()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(LookupFailed(error.to_string())),
        }
    }
}

/// A name without the dot at its end.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
