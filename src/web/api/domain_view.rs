//! Domains as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::page::Page;
use super::schema::described;
use crate::app::App;
use crate::model::domain::{
    CertificateStatus, DnsRecord, Domain, DomainStatus, REDIRECT_CODES, RecordKind,
};
use crate::model::ids::{DomainId, ProjectId};
use crate::model::timestamp::Timestamp;

/// A page of domains.
pub type DomainPage = Page<DomainView>;

/// The status of a redirect, in place of it as a number.
pub struct RedirectCode;

described! {
    RedirectCode => "RedirectCode", utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::Type::Integer)
        .enum_values(Some(REDIRECT_CODES))
        .description(Some("The status of a redirect. 308 when none was chosen."));
}

/// A host name of a project.
#[derive(Serialize, ToSchema)]
#[schema(as = Domain)]
pub struct DomainView {
    id: DomainId,
    /// As the DNS has it; may start with `*.`.
    #[schema(example = "www.example.org")]
    hostname: String,
    project_id: ProjectId,
    status: DomainStatus,
    /// A host name that requests are sent on to.
    #[schema(example = json!(null))]
    redirect_to: Option<String>,
    #[schema(value_type = RedirectCode)]
    redirect_code: u16,
    dns: DomainDnsView,
    certificate: DomainCertificateView,
    /// It is the name that the project has under the base domain.
    managed: bool,
    created_at: Timestamp,
    /// When the DNS first led it here.
    verified_at: Option<Timestamp>,
}

/// Records of a domain.
#[derive(Serialize, ToSchema)]
#[schema(as = DomainDns)]
struct DomainDnsView {
    /// What must be there, and no other addresses. None when this server does not know its own addresses, and of a
    /// domain that is managed. With a text (`TXT`) when another team says that the domain is theirs.
    required: Vec<DnsRecordView>,
    /// What was there when it was last looked at.
    found: Vec<DnsRecordView>,
    checked_at: Option<Timestamp>,
}

/// A record of the DNS.
#[derive(Serialize, ToSchema)]
#[schema(as = DnsRecord)]
struct DnsRecordView {
    r#type: RecordKind,
    #[schema(example = "www.example.org")]
    name: String,
    #[schema(example = "203.0.113.10")]
    value: String,
}

/// The certificate of a domain.
#[derive(Serialize, ToSchema)]
#[schema(as = DomainCertificate)]
struct DomainCertificateView {
    status: CertificateStatus,
    /// Who signed it.
    #[schema(example = "Let's Encrypt R13")]
    issuer: Option<String>,
    expires_at: Option<Timestamp>,
    /// Why the last try to get one failed.
    last_error: Option<String>,
}

impl From<DnsRecord> for DnsRecordView {
    fn from(record: DnsRecord) -> Self {
        let DnsRecord { kind, name, value } = record;
        Self { r#type: kind, name, value }
    }
}

/// What a view needs besides the domain: where this server is, and when it is looked at.
#[derive(Clone)]
pub struct Seen {
    app: App,
    /// Whether certificates come by themselves.
    automatic: bool,
    now: Timestamp,
}

impl Seen {
    /// Seen now.
    pub fn by(app: &App) -> Self {
        Self {
            app: app.clone(),
            automatic: app.config.acme.email.is_some() && app.config.listen_tls.is_some(),
            now: app.clock.now(),
        }
    }

    /// The domain as it is shown.
    pub fn view(&self, domain: Domain) -> DomainView {
        let required = match domain.managed {
            true => Vec::new(),
            false => self.app.required_records(&domain),
        };
        let records = |all: Vec<DnsRecord>| all.into_iter().map(Into::into).collect();
        let certificate = DomainCertificateView {
            status: domain.certificate_status(self.now, self.automatic),
            issuer: domain.certificate.as_ref().map(|certificate| certificate.issuer.clone()),
            expires_at: domain.certificate.as_ref().map(|certificate| certificate.not_after),
            last_error: domain.refused,
        };
        DomainView {
            id: domain.id,
            hostname: domain.hostname,
            project_id: domain.project_id,
            status: domain.status,
            redirect_to: domain.redirect_to,
            redirect_code: domain.redirect_code,
            dns: DomainDnsView {
                required: records(required),
                found: records(domain.found),
                checked_at: domain.checked_at,
            },
            certificate,
            managed: domain.managed,
            created_at: domain.created_at,
            verified_at: domain.verified_at,
        }
    }
}
