//! Certificates that somebody brings along for a domain.

use serde_json::json;

use super::domains::{deed, refuse_managed};
use super::journal::{self, Deed};
use super::may::Action;
use super::terms::Terms;
use super::{App, AppError};
use crate::crypto::random;
use crate::db;
use crate::model::actor::Actor;
use crate::model::certificate::{Certificate, Origin};
use crate::model::domain::Domain;
use crate::model::ids::CertificateId;
use crate::model::problems::Problems;
use crate::tls::chain::Chain;

/// A certificate to serve a domain with. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Default)]
pub struct NewCertificate {
    /// The chain, PEM.
    pub certificate: Option<String>,
    /// PEM.
    pub private_key: Option<String>,
}

impl App {
    /// Serves a domain with a certificate from now on.
    ///
    /// # Errors
    /// `Invalid`: it cannot be read, does not go with the key, is for another name, or has expired. A conflict
    /// `domain_managed`, or no such domain.
    pub async fn upload_certificate(
        &self,
        actor: &Actor,
        named: &str,
        new: NewCertificate,
        mut problems: Problems,
        terms: &Terms<Domain>,
    ) -> Result<Domain, AppError> {
        let domain = self.domain_for(actor, Action::DomainsWrite, named).await?;
        terms.admit(self, Some(domain.revision)).await?;
        problems.require("certificate", new.certificate.as_ref());
        problems.require("private_key", new.private_key.as_ref());
        AppError::check(problems)?;
        let chain = new.certificate.unwrap_or_default();
        let key = new.private_key.unwrap_or_default();
        let read = self.read_certificate(&domain, &chain, &key)?;
        refuse_managed(&domain)?;
        let now = self.clock.now();
        let certificate = Certificate {
            id: CertificateId::from_random(random::bytes()),
            hostname: domain.hostname.clone(),
            origin: Origin::Uploaded,
            chain,
            issuer: read.issuer,
            not_before: read.not_before,
            not_after: read.not_after,
            created_at: now,
        };
        let sealed =
            self.secrets.seal(&db::certificates::identity(&certificate.id), key.as_bytes());
        let changes = json!({ "certificate": {
            "from": domain.certificate.as_ref().map(|before| before.not_after), "to": certificate.not_after,
        }});
        let (actor, terms) = (actor.clone(), terms.clone());
        self.change_certificate(domain, move |c, domain| {
            terms.check(domain.revision)?;
            db::certificates::put(c, &certificate, &sealed)?;
            let deed = Deed { data: None, ..deed("domain.certificate.uploaded", domain) };
            Ok(journal::write(c, &actor, deed.changing(changes), now)?)
        })
        .await
    }

    /// Forgets the certificate that was uploaded for a domain.
    ///
    /// # Errors
    /// There is none, or no such domain.
    pub async fn delete_certificate(
        &self,
        actor: &Actor,
        named: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        let domain = self.domain_for(actor, Action::DomainsWrite, named).await?;
        terms.admit(self, Some(domain.revision)).await?;
        let missing = AppError::not_found("certificate", named);
        let (actor, terms, now) = (actor.clone(), terms.clone(), self.clock.now());
        self.change_certificate(domain, move |c, domain| {
            terms.check(domain.revision)?;
            if domain.managed || !db::certificates::delete_uploaded(c, &domain.hostname)? {
                return Err(missing);
            }
            let deed = Deed { data: None, ..deed("domain.certificate.deleted", domain) };
            Ok(journal::write(c, &actor, deed, now)?)
        })
        .await?;
        Ok(())
    }

    /// Changes a domain's certificate in one transaction, and answers the domain as it is then.
    async fn change_certificate(
        &self,
        domain: Domain,
        change: impl FnOnce(&db::Connection, &Domain) -> Result<(), AppError> + Send + 'static,
    ) -> Result<Domain, AppError> {
        let base = self.hosts.base_domain().to_owned();
        let changed = self
            .db
            .write(move |c| -> Result<Domain, AppError> {
                let id = domain.id.as_str();
                let find = || -> Result<Domain, AppError> {
                    let found = db::domains::find(c, &base, id)?;
                    found.ok_or_else(|| AppError::not_found("domain", id))
                };
                change(c, &find()?)?;
                db::domains::touch(c, &domain.id)?;
                find()
            })
            .await?;
        self.domain_changed(&changed);
        self.certificates.wake();
        Ok(changed)
    }

    fn read_certificate(&self, domain: &Domain, chain: &str, key: &str) -> Result<Chain, AppError> {
        let unfit = |field: &str, code, message: String| {
            let mut problems = Problems::default();
            problems.invalid(field, code, message);
            AppError::Invalid(problems)
        };
        let read = Chain::read(chain, key).map_err(|problem| {
            let field = if problem.is_of_the_key() { "private_key" } else { "certificate" };
            unfit(field, "format", format!("Expected something else: {problem}."))
        })?;
        if !read.covers(&domain.hostname) {
            let message = format!("It is not for {}.", domain.hostname);
            return Err(unfit("certificate", "format", message));
        }
        if read.not_after <= self.clock.now() {
            let message = format!("It expired at {}.", read.not_after);
            return Err(unfit("certificate", "out_of_range", message));
        }
        Ok(read)
    }
}
