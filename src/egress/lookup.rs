//! Records of the DNS, for names that somebody says are his. Nothing is connected to what is found.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::model::domain::{DnsRecord, RecordKind};

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
}

/// A name without the dot at its end.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
