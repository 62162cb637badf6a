//! The ledger of certificates, as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use super::page::Page;
use crate::model::certificate::Standing;
use crate::model::issuance::{BUDGET, registered};
use crate::model::ocsp::OcspStanding;
use crate::model::timestamp::Timestamp;

/// A page of the ledger.
pub type StandingPage = Page<StandingView>;

/// A host name with its certificate and what came of asking for one.
#[derive(Serialize, ToSchema)]
#[schema(as = CertificateStanding)]
pub struct StandingView {
    #[schema(example = "www.example.org")]
    hostname: String,
    /// `acme` was signed by the authority, `uploaded` was brought along for a domain, `operator` was given on the server.
    /// `null` while there is none.
    #[schema(example = "acme")]
    origin: Option<&'static str>,
    #[schema(example = "Let's Encrypt")]
    issuer: Option<String>,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// When the authority wants it to be renewed, where it says so.
    renew_at: Option<Timestamp>,
    /// What its authority's responder says of it (OCSP). `null` where it names none, and until the first answer.
    ocsp: Option<OcspView>,
    /// Tries that failed, in a row.
    failures: u32,
    last_error: Option<String>,
    next_try_at: Option<Timestamp>,
    budget: BudgetView,
}

/// What an authority's responder says of a certificate.
#[derive(Serialize, ToSchema)]
#[schema(as = CertificateOcsp)]
struct OcspView {
    /// The answer that visitors are shown, by which it is good, holds until then.
    good_until: Option<Timestamp>,
    /// The authority has revoked it. Visitors are shown no answer then.
    revoked_at: Option<Timestamp>,
    /// Why the last question was not answered. It is asked again.
    #[schema(example = "the responder answered with status 503")]
    last_error: Option<String>,
}

impl OcspView {
    fn of(standing: &OcspStanding) -> Option<Self> {
        let OcspStanding { good_until, revoked_at, error } = standing.clone();
        let is_known = good_until.is_some() || revoked_at.is_some() || error.is_some();
        is_known.then_some(Self { good_until, revoked_at, last_error: error })
    }
}

/// What was signed in a week for all names of a domain.
#[derive(Serialize, ToSchema)]
#[schema(as = CertificateBudget)]
struct BudgetView {
    #[schema(example = "example.org")]
    domain: String,
    #[schema(example = 3)]
    signed: u32,
    /// New names are not ordered beyond this. It is less than the usual authority's limit.
    #[schema(example = 40)]
    limit: u32,
}

impl From<Standing> for StandingView {
    fn from(standing: Standing) -> Self {
        let domain = registered(&standing.hostname).to_owned();
        let budget = BudgetView { domain, signed: standing.counted, limit: BUDGET };
        let (held, tried) = (standing.held, standing.tried);
        Self {
            hostname: standing.hostname,
            origin: held.as_ref().map(|held| held.origin.as_str()),
            issued_at: held.as_ref().map(|held| held.not_before),
            expires_at: held.as_ref().map(|held| held.not_after),
            renew_at: held.as_ref().and_then(|held| held.renew_at),
            ocsp: held.as_ref().and_then(|held| OcspView::of(&held.ocsp)),
            issuer: held.map(|held| held.issuer),
            failures: tried.as_ref().map_or(0, |tried| tried.failures),
            next_try_at: tried.as_ref().map(|tried| tried.next_at),
            last_error: tried.map(|tried| tried.error),
            budget,
        }
    }
}
