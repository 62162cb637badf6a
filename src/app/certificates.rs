//! The operator's certificate, for names of the server itself: the base domain, the dashboard, everything below.

use super::{App, AppError};
use crate::crypto::random;
use crate::db::{self, DbError};
use crate::model::certificate::{Certificate, Origin};
use crate::model::ids::CertificateId;
use crate::model::problems::Problems;
use crate::tls::chain::Chain;

impl App {
    /// Serves a certificate for those of its names that are the server's own, and answers them. Certificates that the
    /// operator gave before for the same names go.
    ///
    /// # Errors
    /// `Invalid`: it cannot be read, does not go with the key, has expired, or has no name of this server.
    pub async fn set_certificate(&self, chain: &str, key: &str) -> Result<Vec<String>, AppError> {
        let now = self.clock.now();
        let read = Chain::read(chain, key).map_err(|problem| {
            let field = if problem.is_of_the_key() { "key" } else { "chain" };
            unfit(field, &problem.to_string())
        })?;
        if read.not_after <= now {
            return Err(unfit("chain", &format!("the certificate expired at {}", read.not_after)));
        }
        let names: Vec<_> = read.names.iter().filter(|name| self.is_own(name)).cloned().collect();
        if names.is_empty() {
            let base = self.hosts.base_domain();
            let message =
                format!("the certificate is for none of {base}, *.{base} and the names below");
            return Err(unfit("chain", &message));
        }
        let rows: Vec<_> = names
            .iter()
            .map(|name| {
                let id = CertificateId::from_random(random::bytes());
                let sealed = self.secrets.seal(&db::certificates::identity(&id), key.as_bytes());
                let certificate = Certificate {
                    id,
                    hostname: name.clone(),
                    origin: Origin::Operator,
                    chain: chain.to_owned(),
                    issuer: read.issuer.clone(),
                    not_before: read.not_before,
                    not_after: read.not_after,
                    created_at: now,
                };
                (certificate, sealed)
            })
            .collect();
        self.db
            .write(move |c| -> Result<(), DbError> {
                rows.iter().try_for_each(|(row, sealed)| db::certificates::put(c, row, sealed))
            })
            .await?;
        self.certificates.wake();
        Ok(names)
    }

    /// Whether a certificate's name is one that only this server's operator can want it for.
    fn is_own(&self, name: &str) -> bool {
        let host = name.strip_prefix("*.").unwrap_or(name);
        let base = self.hosts.base_domain();
        let below =
            host.strip_suffix(base).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        below || self.hosts.dashboard_host() == Some(name)
    }
}

fn unfit(field: &'static str, message: &str) -> AppError {
    let mut problems = Problems::default();
    problems.invalid(field, "format", message);
    AppError::Invalid(problems)
}
