//! What a key may do, from where, on what and how long; and whether that is within another key's limits.

use super::ids::ProjectId;
use super::network::Network;
use super::scope::Scopes;
use super::timestamp::Timestamp;

/// The limits of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub scopes: Scopes,
    /// Networks it may be used from; empty is anywhere.
    pub allowed_ips: Vec<String>,
    /// Projects it is limited to; empty is all.
    pub project_ids: Vec<ProjectId>,
    /// `None` is never.
    pub expires_at: Option<Timestamp>,
}

impl Limits {
    /// Whether a key with these limits can do nothing that one with `other` cannot.
    pub fn within(&self, other: &Self) -> bool {
        self.never_exceeds(other)
            && within(&self.project_ids, &other.project_ids, |own, outer| own == outer)
            && within(&self.allowed_ips, &other.allowed_ips, |own, outer| {
                match (Network::parse(own), Network::parse(outer)) {
                    (Some(own), Some(outer)) => outer.covers(&own),
                    _ => false,
                }
            })
    }

    /// Whether its scopes and its end are within the other's; the part of a key that only ever shrinks.
    pub fn never_exceeds(&self, other: &Self) -> bool {
        let longer = other.expires_at.is_some_and(|end| self.expires_at.is_none_or(|at| at > end));
        other.scopes.covers(&self.scopes) && !longer
    }
}

/// An empty list is no limit, so only another empty one has room for it.
fn within<T>(own: &[T], outer: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
    outer.is_empty()
        || (!own.is_empty() && own.iter().all(|one| outer.iter().any(|other| covers(one, other))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(scopes: &[&str], ips: &[&str], projects: &[&str], end: Option<i64>) -> Limits {
        Limits {
            scopes: Scopes::expand(scopes).expect("known"),
            allowed_ips: ips.iter().map(|ip| (*ip).to_owned()).collect(),
            project_ids: projects.iter().map(|id| ProjectId::parse(id).expect("an id")).collect(),
            expires_at: end.map(Timestamp),
        }
    }

    #[test]
    fn what_is_narrower_in_every_way_is_within() {
        let outer = limits(&["deploy"], &["10.0.0.0/8"], &["prj_aaaaaa", "prj_bbbbbb"], Some(50));
        assert!(outer.within(&outer) && outer.within(&limits(&["full"], &[], &[], None)));
        let inner = limits(&["logs:read"], &["10.2.0.0/16"], &["prj_aaaaaa"], Some(40));
        assert!(inner.within(&outer));
        for wider in [
            Limits { scopes: Scopes::full(), ..inner.clone() },
            Limits { allowed_ips: Vec::new(), ..inner.clone() },
            Limits { allowed_ips: vec!["0.0.0.0/0".to_owned()], ..inner.clone() },
            Limits { project_ids: Vec::new(), ..inner.clone() },
            limits(&["logs:read"], &["10.2.0.0/16"], &["prj_aaaaaa", "prj_cccccc"], Some(40)),
            Limits { expires_at: None, ..inner.clone() },
            Limits { expires_at: Some(Timestamp(51)), ..inner.clone() },
        ] {
            assert!(!wider.within(&outer), "{wider:?}");
        }
    }
}
