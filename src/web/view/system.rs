//! `/dashboard/system`: what is kept on the disk, what may go, and what has gone; and the certificates.

use askama::Template;

use super::form::Errors;
use super::mail::MailForm;
use super::sample;
use super::shell::Shell;
use super::time::Moment;
use crate::model::vulnerability::{self, Vulnerability};

/// The page, for instance admins.
#[derive(Template)]
#[template(path = "system.html")]
pub struct SystemPage {
    pub shell: Shell,
    /// What is wrong with the engine, and what to do about it.
    pub engine_trouble: Option<String>,
    /// Holes its version is known to have.
    pub vulnerabilities: Vec<Vulnerability>,
    /// `None` until it was measured.
    pub disk: Option<DiskUse>,
    /// What would go now.
    pub removable: Vec<Removable>,
    pub ledger: Vec<Gone>,
    /// Entries of the ledger that are not shown.
    pub older: u64,
    pub mail: MailForm,
    /// Host names that have a certificate or were asked one for.
    pub certificates: Vec<CertificateRow>,
    /// Those of them that are not shown.
    pub more_certificates: u64,
}

/// A host name in the ledger of certificates.
#[derive(Clone, Debug)]
pub struct CertificateRow {
    pub hostname: String,
    /// Who signed what it has, and until when that holds.
    pub held: Option<(String, Moment)>,
    /// Since when it is revoked.
    pub revoked: Option<Moment>,
    /// Why its authority's responder did not say how it is.
    pub unanswered: Option<String>,
    /// The last reason why it was not signed anew, and when that is tried again.
    pub failed: Option<(String, Moment)>,
    /// `3 of 40`: what was signed this week for its domain.
    pub signed: String,
}

/// What is kept on the disk.
#[derive(Clone, Debug)]
pub struct DiskUse {
    pub measured: Moment,
    pub used: u64,
    pub budget: u64,
    /// What is left on the fullest disk that builds need.
    pub free: Option<u64>,
    /// With less than this left nothing is built.
    pub floor: u64,
    /// Word and bytes of every part.
    pub parts: Vec<(&'static str, u64)>,
}

impl DiskUse {
    /// Used of the budget, in percent.
    fn percent(&self) -> u64 {
        self.used.saturating_mul(100).checked_div(self.budget).unwrap_or(100).min(100)
    }

    /// Whether nothing can be built.
    fn is_full(&self) -> bool {
        self.free.is_some_and(|free| free < self.floor)
    }
}

/// Something that would go.
#[derive(Clone, Debug)]
pub struct Removable {
    pub name: String,
    pub kind: &'static str,
    pub reason: &'static str,
    pub bytes: u64,
}

/// Something that has gone.
#[derive(Clone, Debug)]
pub struct Gone {
    pub name: String,
    pub kind: &'static str,
    pub reason: &'static str,
    pub bytes: u64,
    /// `None` while it is being removed.
    pub at: Option<Moment>,
}

impl SystemPage {
    /// Bytes of all that would go.
    fn removable_bytes(&self) -> u64 {
        self.removable.iter().fold(0, |all, one| all.saturating_add(one.bytes))
    }

    /// Full, not measured yet, with a disk that is too full, without an engine.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let disk = DiskUse {
            measured: sample::NOW.plus(-3 * sample::MINUTE),
            used: 33_400_000_000,
            budget: 48_000_000_000,
            free: Some(17_200_000_000),
            floor: 1_073_741_824,
            parts: vec![
                ("Images", 21_000_000_000),
                ("Sites", 400_000_000),
                ("Build cache", 9_000_000_000),
                ("Copies of repositories", 900_000_000),
                ("Logs", 2_000_000_000),
                ("Uploads", 0),
                ("Database", 100_000_000),
            ],
        };
        let preview = "Newer previews of the same branch are there.";
        let removable = vec![
            Removable {
                name: "shop-dep4q7w1z3c.example.com".to_owned(),
                kind: "Deployment",
                reason: preview,
                bytes: 210_000_000,
            },
            Removable {
                name: "31 records".to_owned(),
                kind: "Build cache",
                reason: "Build cache that was not used for longest.",
                bytes: 8_700_000_000,
            },
        ];
        let gone = |at| Gone {
            name: "shop-dep1a2b3c4d.example.com".to_owned(),
            kind: "Deployment",
            reason: "More deployments than the project keeps are newer.",
            bytes: 198_000_000,
            at,
        };
        let full = || Self {
            shell: sample::shell(),
            engine_trouble: None,
            vulnerabilities: vulnerability::of("28.5.1", Some("1.3.3")),
            disk: Some(disk.clone()),
            removable: removable.clone(),
            ledger: vec![gone(None), gone(Some(sample::NOW.plus(-sample::DAY)))],
            older: 118,
            mail: MailForm::sample(),
            certificates: vec![
                CertificateRow {
                    hostname: "*.apps.example.com".to_owned(),
                    held: Some(("Let's Encrypt".to_owned(), sample::NOW.plus(60 * sample::DAY))),
                    revoked: None,
                    unanswered: Some("the responder answered with status 503".to_owned()),
                    failed: None,
                    signed: "2 of 40".to_owned(),
                },
                CertificateRow {
                    hostname: "www.example.org".to_owned(),
                    held: None,
                    revoked: None,
                    unanswered: None,
                    failed: Some((
                        "198.51.100.7: connection refused".to_owned(),
                        sample::NOW.plus(20 * sample::MINUTE),
                    )),
                    signed: "0 of 40".to_owned(),
                },
                CertificateRow {
                    hostname: "shop.example.net".to_owned(),
                    held: Some(("Example Trust".to_owned(), sample::NOW.plus(90 * sample::DAY))),
                    revoked: Some(sample::NOW.plus(-sample::DAY)),
                    unanswered: None,
                    failed: None,
                    signed: "0 of 40".to_owned(),
                },
            ],
            more_certificates: 3,
        };
        let too_full = DiskUse { free: Some(900_000_000), ..disk.clone() };
        vec![
            ("full", full()),
            (
                "empty",
                Self {
                    disk: None,
                    removable: Vec::new(),
                    ledger: Vec::new(),
                    older: 0,
                    mail: MailForm::default(),
                    certificates: Vec::new(),
                    more_certificates: 0,
                    ..full()
                },
            ),
            ("too full", Self { disk: Some(too_full), ..full() }),
            (
                "engine away",
                Self {
                    engine_trouble: Some(
                        "Docker does not answer: there is no socket /var/run/docker.sock; is Docker installed?"
                            .to_owned(),
                    ),
                    ..full()
                },
            ),
            (
                "mail refused",
                Self {
                    mail: MailForm {
                        errors: Errors::one("host", "This server may not be reached."),
                        ..MailForm::sample()
                    },
                    ..full()
                },
            ),
        ]
    }
}
