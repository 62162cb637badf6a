//! Which names are to have a certificate.

use std::collections::{HashMap, HashSet};

use super::Issuance;
use crate::db::{self, DbError};
use crate::model::certificate::{CertificateFacts, Origin};
use crate::model::domain::Domain;
use crate::model::issuance::is_due;
use crate::model::timestamp::Timestamp;
use crate::tls::authority::Authority;

/// Failures until names below the base domain get certificates of their own although the DNS can be changed.
pub(super) const HOPE: u32 = 2;

/// A name that a certificate is wanted for.
pub(super) struct Wanted {
    pub host: String,
    pub whose: Whose,
    pub renews: bool,
}

/// Who has the name.
pub(super) enum Whose {
    /// The dashboard, or everything below the base domain.
    Server,
    Project(Box<Domain>),
    /// A deployment or a branch, and somebody has asked for it.
    Preview,
}

impl Wanted {
    pub fn domain(&self) -> Option<&Domain> {
        match &self.whose {
            Whose::Project(domain) => Some(domain),
            _ => None,
        }
    }

    pub fn is_wildcard(&self) -> bool {
        self.host.starts_with("*.")
    }
}

impl Issuance {
    /// Names that are to have a certificate, those first that most depends on.
    pub(super) async fn names(
        &self,
        authority: &Authority,
        facts: &[CertificateFacts],
        domains: Vec<Domain>,
    ) -> Result<Vec<(String, Whose)>, DbError> {
        let hosts = &self.0.hosts;
        let base = hosts.base_domain().to_owned();
        let has_dns = authority.records.is_some();
        let dashboard = hosts.dashboard_host().unwrap_or(&base).to_owned();
        let mut names = Vec::new();
        let all = format!("*.{base}");
        let mut one_for_all = false;
        if is_public(&base) && has_dns {
            let wildcard = all.clone();
            let failed = self.0.db.read(move |c| db::issuance::find(c, &wildcard)).await?;
            one_for_all = failed.is_none_or(|failed| failed.failures < HOPE);
            names.push((all, Whose::Server));
        }
        if is_public(&dashboard) {
            names.push((dashboard, Whose::Server));
        }
        let of_projects = domains.into_iter().filter(|domain| !domain.managed || is_public(&base));
        names.extend(of_projects.map(|one| (one.hostname.clone(), Whose::Project(Box::new(one)))));
        if is_public(&base) {
            let mut asked = self.0.served.missing();
            // What was signed for them is renewed as well.
            let signed = facts.iter().filter(|facts| facts.origin == Origin::Acme);
            asked.extend(signed.map(|facts| facts.hostname.clone()));
            asked.retain(|name| name.strip_suffix(&base).is_some_and(|rest| rest.ends_with('.')));
            let wanted = base.clone();
            let found = move |c: &db::Connection| {
                db::issuance::previews(c, &wanted, asked.iter().map(String::as_str))
            };
            let previews = self.0.db.read(found).await?;
            names.extend(previews.into_iter().map(|name| (name, Whose::Preview)));
        }
        let mut seen = HashSet::new();
        names.retain(|(host, _)| {
            let is_below = host.split_once('.').is_some_and(|(_, above)| above == base);
            let is_wildcard = host.starts_with("*.");
            (has_dns || !is_wildcard)
                && (!one_for_all || !is_below || is_wildcard)
                && seen.insert(host.clone())
        });
        Ok(names)
    }

    /// Those of the names without a certificate, or with one of ours that runs out. What has to be renewed comes first.
    pub(super) fn wanted(
        &self,
        facts: &[CertificateFacts],
        names: Vec<(String, Whose)>,
        now: Timestamp,
    ) -> Vec<Wanted> {
        let by_name: HashMap<&str, &CertificateFacts> =
            facts.iter().map(|facts| (facts.hostname.as_str(), facts)).collect();
        let mut wanted: Vec<_> = names
            .into_iter()
            .filter_map(|(host, whose)| {
                let wildcard = host.split_once('.').map(|(_, parent)| format!("*.{parent}"));
                let above = wildcard.and_then(|name| by_name.get(name.as_str()));
                let renews = match by_name.get(host.as_str()) {
                    Some(own) if own.origin != Origin::Acme => return None,
                    // One that is revoked, whoever did it, helps nobody.
                    Some(own) if own.revoked => true,
                    Some(own) if !is_due(own.not_before, own.not_after, own.renewal, now) => {
                        return None;
                    }
                    Some(_) => true,
                    None if above.is_some_and(|above| above.not_after > now) => return None,
                    None => false,
                };
                Some(Wanted { host, whose, renews })
            })
            .collect();
        wanted.sort_by_key(|wanted| !wanted.renews);
        wanted
    }
}

/// Whether an authority can look at a name: not one of this machine or of a network without a way in.
fn is_public(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.') && !["localhost", "local", "internal", "lan", "home"].contains(&last)
}
