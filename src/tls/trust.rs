//! Whether everybody trusts a certificate, as far as this machine's list of authorities tells.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use rustls_platform_verifier::Verifier;

use super::chain::Chain;
use crate::model::timestamp::Timestamp;

/// The authorities of this machine, or the file `SSL_CERT_FILE` names. Some megabytes, so it is not kept.
pub struct Trust(Option<Verifier>);

impl Trust {
    /// Reads them. Without any nobody is trusted.
    pub fn of_this_machine() -> Self {
        Self(Verifier::new(Arc::new(rustls::crypto::ring::default_provider())).ok())
    }

    /// Whether a visitor of this host, or of one below a wildcard, gets through.
    pub fn trusts(&self, chain: &Chain, host: &str, now: Timestamp) -> bool {
        let host = host.replacen('*', "a", 1);
        let (Some(verifier), Ok(name)) = (&self.0, ServerName::try_from(host)) else {
            return false;
        };
        let Some((own, rest)) = chain.key.cert.split_first() else { return false };
        let seconds = u64::try_from(now.seconds()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verifier.verify_server_cert(own, rest, &name, &[], now).is_ok()
    }
}
