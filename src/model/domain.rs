//! Domains: host names of visitors' own choosing, and whether the DNS leads them here.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{DomainId, ProjectId, TeamId};
use super::timestamp::Timestamp;

/// Most domains of a project.
pub const MOST: u32 = 200;
/// Statuses a redirect can have.
pub const REDIRECT_CODES: [u16; 4] = [301, 302, 307, 308];
/// The one of a redirect that asks for none: for good, and the method stays.
pub const REDIRECT_CODE: u16 = 308;

/// Where a domain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainStatus {
    /// The DNS has never led it here.
    Pending,
    /// It leads here.
    Active,
    /// It leads elsewhere, or not any more.
    Misconfigured,
    /// Its project is paused.
    Disabled,
}

impl DomainStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Misconfigured, Self::Disabled];

    /// As it is stored and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Misconfigured => "misconfigured",
            Self::Disabled => "disabled",
        }
    }

    /// Reads a stored word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// The kind of a record of the DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecordKind {
    #[serde(rename = "A")]
    A,
    #[serde(rename = "AAAA")]
    Aaaa,
    #[serde(rename = "CNAME")]
    Cname,
    #[serde(rename = "TXT")]
    Txt,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::A, Self::Aaaa, Self::Cname, Self::Txt];

    /// As the DNS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
        }
    }

    /// The kind of record that holds an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::A } else { Self::Aaaa }
    }
}

/// A record of the DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DnsRecord {
    #[serde(rename = "type")]
    pub kind: RecordKind,
    pub name: String,
    pub value: String,
}

/// A host name of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    pub id: DomainId,
    pub project_id: ProjectId,
    pub team_id: TeamId,
    /// Lower case, as the DNS has it; may start with `*.`.
    pub hostname: String,
    pub status: DomainStatus,
    /// A host name that requests are sent on to.
    pub redirect_to: Option<String>,
    pub redirect_code: u16,
    /// What the DNS said when it was last asked.
    pub found: Vec<DnsRecord>,
    pub checked_at: Option<Timestamp>,
    /// It is the name that the project has under the base domain.
    pub managed: bool,
    pub created_at: Timestamp,
    /// When it first led here.
    pub verified_at: Option<Timestamp>,
    pub revision: i64,
    /// The certificate it is served with.
    pub certificate: Option<DomainCertificate>,
    /// Why the last try to get one failed.
    pub refused: Option<String>,
    /// Another team says that it is theirs, and it has not led here yet: its records have to show whose it is.
    pub contested: bool,
}

/// What is said of a domain's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainCertificate {
    pub issuer: String,
    pub not_after: Timestamp,
    /// Its authority has revoked it.
    pub revoked: bool,
}

/// Where a domain's certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateStatus {
    /// There is none, and none is on its way.
    None,
    /// One is on its way.
    Pending,
    /// It is served.
    Issued,
    /// The last try failed; there will be another.
    Failed,
    /// It has run out.
    Expired,
    /// Its authority has revoked it.
    Revoked,
}

impl CertificateStatus {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::None, Self::Pending, Self::Issued, Self::Failed, Self::Expired, Self::Revoked];
}

impl Domain {
    /// Where its certificate stands. `automatic` is whether one would come by itself.
    pub fn certificate_status(&self, now: Timestamp, automatic: bool) -> CertificateStatus {
        let comes = automatic && self.status == DomainStatus::Active && !self.managed;
        match &self.certificate {
            None if self.refused.is_some() => CertificateStatus::Failed,
            // A wildcard's would need a key to the DNS.
            None if comes && !self.hostname.starts_with("*.") => CertificateStatus::Pending,
            None => CertificateStatus::None,
            Some(certificate) if certificate.not_after <= now => CertificateStatus::Expired,
            Some(certificate) if certificate.revoked => CertificateStatus::Revoked,
            Some(_) => CertificateStatus::Issued,
        }
    }

    /// The records that lead here.
    pub fn required(&self, ours: &[IpAddr]) -> Vec<DnsRecord> {
        let record = |address: &IpAddr| DnsRecord {
            kind: RecordKind::of(*address),
            name: self.hostname.clone(),
            value: address.to_string(),
        };
        ours.iter().map(record).collect()
    }

    /// The name the DNS is asked for: of a wildcard one that nobody has a record of its own for.
    pub fn asked_name(&self) -> String {
        self.hostname.replacen('*', &format!("orbitra-{}", self.id.body()), 1)
    }
}

/// What stands before a host name in the name of the record that shows whose it is.
const CHALLENGE: &str = "_orbitra-challenge";

/// The record that shows whose a host name is: only who may change its zone can set it. Of a wildcard it is the one of
/// the name above.
pub fn challenge(hostname: &str, value: String) -> DnsRecord {
    let host = hostname.strip_prefix("*.").unwrap_or(hostname);
    DnsRecord { kind: RecordKind::Txt, name: format!("{CHALLENGE}.{host}"), value }
}

/// What the DNS says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every visitor is led here.
    Here,
    /// Some are not.
    Elsewhere,
    /// There is no such name.
    Nowhere,
}

/// Judges addresses by ours. One that is not ours spoils it: some visitors would be sent there, and so would the
/// authority that looks before it signs.
pub fn judge(found: &[DnsRecord], ours: &[IpAddr]) -> Verdict {
    let is_address = |record: &&DnsRecord| matches!(record.kind, RecordKind::A | RecordKind::Aaaa);
    let mut addresses = found.iter().filter(is_address).peekable();
    if addresses.peek().is_none() {
        return Verdict::Nowhere;
    }
    let here = |record: &DnsRecord| record.value.parse().is_ok_and(|ip| ours.contains(&ip));
    if addresses.all(here) { Verdict::Here } else { Verdict::Elsewhere }
}

/// Where a domain stands after the DNS was asked. `shown` is whether it is known whose it is: it is not contested, or its
/// records say so.
pub fn status_after(verdict: Verdict, verified: bool, shown: bool) -> DomainStatus {
    match verdict {
        Verdict::Here if verified || shown => DomainStatus::Active,
        Verdict::Here => DomainStatus::Pending,
        Verdict::Nowhere if !verified => DomainStatus::Pending,
        Verdict::Nowhere | Verdict::Elsewhere => DomainStatus::Misconfigured,
    }
}

/// How long until the DNS is asked again. `age` is how long somebody has been waiting for it.
pub fn next_look(status: DomainStatus, age: Duration) -> Duration {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    Duration::from_secs(match status {
        DomainStatus::Active | DomainStatus::Disabled => 6 * HOUR,
        _ if age < Duration::from_secs(HOUR) => 20,
        _ if age < Duration::from_secs(24 * HOUR) => 5 * MINUTE,
        _ => HOUR,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(addresses: &[&str]) -> Vec<DnsRecord> {
        let record = |text: &&str| {
            let kind = text.parse().map_or(RecordKind::Cname, RecordKind::of);
            DnsRecord { kind, name: "a.test".to_owned(), value: (*text).to_owned() }
        };
        addresses.iter().map(record).collect()
    }

    #[test]
    fn one_address_that_is_not_ours_spoils_it() {
        let ours: Vec<IpAddr> =
            ["203.0.113.10", "2001:db8::1"].map(|text| text.parse().expect("an address")).into();
        for (found, verdict) in [
            (&["203.0.113.10"][..], Verdict::Here),
            (&["b.test.", "203.0.113.10", "2001:0db8::1"], Verdict::Here),
            (&["203.0.113.10", "198.51.100.7"], Verdict::Elsewhere),
            (&["203.0.113.10", "2001:db8::7"], Verdict::Elsewhere),
            (&["b.test."], Verdict::Nowhere),
            (&[], Verdict::Nowhere),
        ] {
            assert_eq!(judge(&records(found), &ours), verdict, "{found:?}");
        }
        assert_eq!(judge(&records(&["203.0.113.10"]), &[]), Verdict::Elsewhere);
    }

    #[test]
    fn what_never_led_here_is_pending_until_it_leads_elsewhere() {
        use DomainStatus::{Active, Misconfigured, Pending};
        for shown in [true, false] {
            assert_eq!(status_after(Verdict::Nowhere, false, shown), Pending);
            assert_eq!(status_after(Verdict::Elsewhere, false, shown), Misconfigured);
            assert_eq!(status_after(Verdict::Nowhere, true, shown), Misconfigured);
            assert_eq!(status_after(Verdict::Here, true, shown), Active);
        }
        assert_eq!(status_after(Verdict::Here, false, true), Active);
        // Contested, and nothing shows whose it is.
        assert_eq!(status_after(Verdict::Here, false, false), Pending);
    }

    #[test]
    fn who_has_just_asked_does_not_wait_long() {
        let after =
            |status, minutes: u64| next_look(status, Duration::from_secs(60 * minutes)).as_secs();
        assert_eq!(after(DomainStatus::Pending, 1), 20);
        assert_eq!(after(DomainStatus::Misconfigured, 90), 300);
        assert_eq!(after(DomainStatus::Pending, 60 * 48), 3600);
        assert_eq!(after(DomainStatus::Active, 1), 21_600);
    }
}
