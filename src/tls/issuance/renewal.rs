//! When the authority wants certificates to be renewed (RFC 9773), where it says so.

use super::{Issuance, ROUND};
use crate::crypto::random;
use crate::db::{self, DbError};
use crate::model::certificate::{CertificateFacts, Origin};
use crate::model::issuance::{Renewal, ask_again};
use crate::model::timestamp::Timestamp;
use crate::tls::authority::{Authority, Replaced};
use crate::tls::chain;

impl Issuance {
    /// Asks about those whose time has come. What is not answered leaves what was known.
    pub(super) async fn ask_renewals(
        &self,
        authority: &Authority,
        facts: &mut [CertificateFacts],
        now: Timestamp,
    ) -> Result<(), DbError> {
        let is_due = |facts: &&mut CertificateFacts| {
            facts.origin == Origin::Acme && facts.ask_at.is_none_or(|at| at <= now)
        };
        let mut due = facts.iter_mut().filter(is_due).take(ROUND).peekable();
        if due.peek().is_none() {
            return Ok(());
        }
        let account = self.account(authority).await?;
        for facts in due {
            let (mut renewal, mut again) = (facts.renewal, None);
            if let (Ok(account), Some(certificate)) =
                (&account, self.replaced(&facts.hostname).await?)
            {
                match authority.renewal(account, &certificate).await {
                    Ok(None) => renewal = None,
                    Ok(Some((from, to, after))) => {
                        again = Some(after);
                        // A window that stays keeps the moment that was chosen in it.
                        if renewal.is_none_or(|known| (known.from, known.to) != (from, to)) {
                            let random = u64::from_be_bytes(random::bytes());
                            renewal = Renewal::choose(from, to, random);
                        }
                    }
                    Err(error) => {
                        tracing::debug!(host = facts.hostname, %error, "no renewal time was said");
                    }
                }
            }
            facts.renewal = renewal;
            let (id, ask_at) = (facts.id.clone(), now.plus(ask_again(again)));
            self.0
                .db
                .write(move |c| db::certificates::set_renewal(c, &id, renewal, ask_at))
                .await?;
        }
        Ok(())
    }

    /// The certificate that a host name is served with, as its authority knows it.
    pub(super) async fn replaced(&self, host: &str) -> Result<Option<Replaced>, DbError> {
        let host = host.to_owned();
        let stored = self.0.db.read(move |c| db::certificates::chain(c, &host)).await?;
        Ok(stored.and_then(|pem| Replaced::of(&chain::first(&pem).ok()?)))
    }
}
