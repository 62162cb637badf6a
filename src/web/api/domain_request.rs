//! What `/domains` takes, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use utoipa::{IntoParams, ToSchema};

use super::domain_view::RedirectCode;
use super::schema::{self, described};
use super::text_rules::{Hostname, TargetHostname};
use crate::db::domains::SORTS;
use crate::model::domain::DomainStatus;

/// What domains are sorted by, in place of its name as text.
struct DomainSort;

described! {
    DomainSort => "DomainSort", schema::sort(&SORTS);
}

/// Parameters of lists of domains.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only domains that stand at one of these.
    #[param(inline)]
    status: Option<Vec<DomainStatus>>,
    /// Part of the host name, in any case.
    q: Option<String>,
    /// A field, with `-` before it from the greatest down. Newest first when it is left out.
    #[param(inline)]
    sort: Option<DomainSort>,
}

/// A domain to add.
#[derive(ToSchema)]
#[schema(example = json!({ "hostname": "www.example.org", "redirect_to": null }))]
#[serde(deny_unknown_fields)]
pub struct CreateDomain {
    hostname: Hostname,
    /// Where its requests go on to. Path and query stay.
    redirect_to: Option<TargetHostname>,
    #[schema(required = false)]
    redirect_code: RedirectCode,
}

/// What is to be changed of a domain; what is not sent stays. Of the other fields of a domain those can be sent that do
/// not differ.
#[derive(ToSchema)]
#[schema(example = json!({ "redirect_to": "example.org", "redirect_code": 301 }))]
#[serde(deny_unknown_fields)]
pub struct UpdateDomain {
    /// Where its requests go on to. Path and query stay.
    redirect_to: Option<TargetHostname>,
    #[schema(required = false)]
    redirect_code: RedirectCode,
}

/// A certificate with its private key.
#[derive(ToSchema)]
#[schema(example = json!({
    "certificate": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
    "private_key": "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n",
}))]
#[serde(deny_unknown_fields)]
pub struct UploadCertificate {
    /// The chain in PEM, the domain's own certificate first. It must be for the domain and not have expired.
    #[schema(max_length = 65536)]
    certificate: String,
    /// In PEM and without a password: RSA of 2048 to 4096 bits, ECDSA P-256 or P-384, or Ed25519. Kept sealed, never
    /// answered.
    #[schema(max_length = 65536, write_only)]
    private_key: String,
}
