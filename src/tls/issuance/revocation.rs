//! Certificates that are not to be trusted any more.

use super::Issuance;
use crate::db::{self, DbError};
use crate::model::certificate::Origin;
use crate::tls::authority::NotSigned;
use crate::tls::chain;

/// A certificate was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum NotRevoked {
    #[error("no authority is set: acme_email and listen_tls are needed")]
    NoAuthority,
    #[error("no authority has signed a certificate for {0}")]
    None(String),
    #[error("the authority refused: {0}")]
    Refused(#[from] NotSigned),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Issuance {
    /// Has the certificate that the authority signed for a host name revoked, and forgets it. The next round orders another.
    ///
    /// # Errors
    /// There is none, or the authority refuses.
    pub async fn revoke(&self, host: &str) -> Result<(), NotRevoked> {
        let Some(authority) = &self.0.authority else { return Err(NotRevoked::NoAuthority) };
        let wanted = host.to_owned();
        let all = self.0.db.read(db::certificates::all).await?;
        let found = all.into_iter().map(|stored| stored.certificate);
        let mut found = found.filter(|one| one.hostname == wanted && one.origin == Origin::Acme);
        let certificate = found.next().ok_or_else(|| NotRevoked::None(host.to_owned()))?;
        let der = chain::first(&certificate.chain).map_err(|_| NotRevoked::None(wanted))?;
        let account = self.account(authority).await??;
        authority.revoke(&account, &der).await?;
        let host = certificate.hostname;
        self.0
            .db
            .write(move |c| -> Result<(), DbError> {
                db::issuance::forget(c, &host)?;
                db::certificates::delete(c, &host)
            })
            .await?;
        self.0.certificates.wake();
        Ok(())
    }
}
