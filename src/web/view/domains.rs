//! `/dashboard/projects/{name}/domains`.

use askama::Template;

use super::form::Errors;
use super::sample;
use super::shell::Shell;
use super::time::Moment;

/// The page. `list` is a region that updates itself.
#[derive(Template)]
#[template(path = "domains.html", blocks = ["list"])]
pub struct DomainsPage {
    pub shell: Shell,
    /// The name of the project.
    pub project: String,
    pub project_id: String,
    pub rows: Vec<DomainRow>,
    pub add: AddForm,
    pub errors: Errors,
    /// Domains of the project's own, for which a certificate can be brought along.
    pub own: Vec<Own>,
    /// The id of the domain it was for.
    pub chosen: String,
    pub certificate_errors: Errors,
}

/// One domain.
#[derive(Clone, Debug)]
pub struct DomainRow {
    pub id: String,
    pub hostname: String,
    /// As people read it, where that differs.
    pub readable: Option<String>,
    /// Where it opens; a wildcard opens nowhere.
    pub url: Option<String>,
    /// It is the name under the base domain.
    pub managed: bool,
    pub standing: Standing,
    pub redirect_to: Option<String>,
    /// What must be there, with what is there.
    pub records: Vec<RecordRow>,
    /// What is there and must not be.
    pub wrong: Vec<RecordRow>,
    pub checked_at: Option<Moment>,
    /// `Let's Encrypt R13`, and until when.
    pub certificate: Option<(String, Moment, bool)>,
    /// Its authority has revoked that certificate.
    pub revoked: bool,
    /// Why there is no new one.
    pub refused: Option<String>,
}

/// A record of the DNS.
#[derive(Clone, Debug)]
pub struct RecordRow {
    pub kind: &'static str,
    pub name: String,
    pub value: String,
    /// It is there.
    pub there: bool,
}

/// A domain of the project's own.
#[derive(Clone, Debug)]
pub struct Own {
    pub id: String,
    pub hostname: String,
}

/// What was typed into the form of a new domain.
#[derive(Clone, Debug, Default)]
pub struct AddForm {
    pub hostname: String,
    pub redirect_to: String,
}

/// Where a domain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Live,
    Waiting,
    Wrong,
    Paused,
}

impl Standing {
    /// Class that carries the colour.
    fn token(self) -> &'static str {
        match self {
            Self::Live => "ok",
            Self::Waiting => "busy",
            Self::Wrong => "bad",
            Self::Paused => "idle",
        }
    }

    fn icon(self) -> &'static str {
        match self {
            Self::Live => "circle-check",
            Self::Waiting => "circle-dot",
            Self::Wrong => "circle-x",
            Self::Paused => "circle-pause",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Waiting => "Waiting for DNS",
            Self::Wrong => "Wrong address",
            Self::Paused => "Paused",
        }
    }
}

impl DomainRow {
    /// Somebody has something to do at the DNS.
    fn needs_records(&self) -> bool {
        matches!(self.standing, Standing::Waiting | Standing::Wrong)
    }
}

impl DomainsPage {
    /// Full, only the automatic one, refused.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let record = |kind, value: &str, there| RecordRow {
            kind,
            name: "www.example.org".to_owned(),
            value: value.to_owned(),
            there,
        };
        let row = |id: &str, hostname: &str, standing| DomainRow {
            id: format!("dom_{id}m8qhx4t7w9d2f6k"),
            hostname: hostname.to_owned(),
            readable: None,
            url: Some(format!("https://{hostname}")),
            managed: false,
            standing,
            redirect_to: None,
            records: vec![record("A", "203.0.113.10", true), record("AAAA", "2001:db8::1", false)],
            wrong: Vec::new(),
            checked_at: Some(sample::NOW.plus(-sample::MINUTE)),
            certificate: None,
            revoked: false,
            refused: None,
        };
        let automatic =
            || DomainRow { managed: true, ..row("0", "web.apps.example.com", Standing::Live) };
        let page = |rows: Vec<DomainRow>| Self {
            shell: sample::shell(),
            project: "web".to_owned(),
            project_id: "prj_7k2m9qhx4t8w1z3c".to_owned(),
            own: rows
                .iter()
                .filter(|row| !row.managed)
                .map(|row| Own { id: row.id.clone(), hostname: row.hostname.clone() })
                .collect(),
            rows,
            add: AddForm::default(),
            errors: Errors::none(),
            chosen: String::new(),
            certificate_errors: Errors::none(),
        };
        let certificate =
            Some(("Let's Encrypt R13".to_owned(), sample::NOW.plus(40 * sample::DAY), false));
        let rows = || {
            vec![
                DomainRow {
                    certificate: certificate.clone(),
                    ..row("1", "example.org", Standing::Live)
                },
                DomainRow {
                    redirect_to: Some("example.org".to_owned()),
                    wrong: vec![
                        record("A", "198.51.100.7", true),
                        record("AAAA", "2001:db8::7", true),
                    ],
                    ..row("2", "www.example.org", Standing::Wrong)
                },
                DomainRow {
                    readable: Some("bücher.example".to_owned()),
                    checked_at: None,
                    certificate: certificate.clone(),
                    revoked: true,
                    refused: Some("DNS problem: <b>NXDOMAIN</b>".to_owned()),
                    ..row("3", "xn--bcher-kva.example", Standing::Waiting)
                },
                DomainRow { url: None, ..row("4", "*.example.org", Standing::Paused) },
                automatic(),
            ]
        };
        let mut errors = Errors::one("hostname", "`www.example.org` is in use on this server.");
        errors.add(
            "redirect_to",
            "A host name, such as `www.example.org`: no scheme, no port, no path.",
        );
        vec![
            ("full", page(rows())),
            ("empty", page(vec![automatic()])),
            (
                "error",
                Self {
                    add: AddForm {
                        hostname: "www.example.org".to_owned(),
                        redirect_to: "x".to_owned(),
                    },
                    errors,
                    chosen: "dom_1m8qhx4t7w9d2f6k".to_owned(),
                    certificate_errors: Errors::one("certificate", "It is not for example.org."),
                    ..page(rows())
                },
            ),
        ]
    }
}
