//! What `/api-keys` takes, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use utoipa::{IntoParams, ToSchema};

use super::schema::{self, ScopeOrPreset, described};
use super::text_rules::{IpNetwork, KeyName};
use crate::db::api_keys::SORTS;
use crate::model::ids::ProjectId;
use crate::model::scope::{PRESETS, Scopes};
use crate::model::timestamp::Timestamp;

/// What a key can be. Expired and revoked ones stay in the list for a while.
pub const STATUSES: [&str; 3] = ["active", "expired", "revoked"];

/// What a key is, in place of its name as text.
struct ApiKeyStatus;
/// What keys are sorted by, in place of its name as text.
struct ApiKeySort;
/// A scope of a project token or a preset, in place of its name as text.
struct TokenScopeOrPreset;

described! {
    ApiKeyStatus => "ApiKeyStatus", schema::words(&STATUSES);
    ApiKeySort => "ApiKeySort", schema::sort(&SORTS);
    TokenScopeOrPreset => "ProjectTokenScopeOrPreset",
        schema::words(&PRESETS.into_iter().chain(Scopes::of_project().iter()).collect::<Vec<_>>())
            .description(Some("A scope, or a preset: what of it makes sense for one project."));
}

/// Parameters of `GET /api-keys` and of `GET /projects/{project}/tokens`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only keys with one of these.
    #[param(inline)]
    status: Option<Vec<ApiKeyStatus>>,
    /// Part of the name, in any case.
    q: Option<String>,
    /// Only keys made after this moment.
    #[param(inline)]
    created_after: Option<Timestamp>,
    /// Only keys made before this moment.
    #[param(inline)]
    created_before: Option<Timestamp>,
    /// A field, with `-` before it from the greatest down. Newest first when it is left out.
    #[param(inline)]
    sort: Option<ApiKeySort>,
}

/// A key to make.
#[derive(ToSchema)]
#[schema(example = json!({
    "name": "ci", "scopes": ["deploy"], "expires_at": "2027-01-01T00:00:00Z", "allowed_ips": ["203.0.113.0/24"],
}))]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    name: KeyName,
    #[schema(min_items = 1)]
    scopes: Vec<ScopeOrPreset>,
    /// A moment to come; `null` is never.
    expires_at: Option<Timestamp>,
    /// Where it may be used from; none is anywhere.
    #[schema(max_items = 50)]
    allowed_ips: Option<Vec<IpNetwork>>,
    /// Projects it is limited to; none is all.
    #[schema(max_items = 100)]
    project_ids: Option<Vec<ProjectId>>,
}

/// What changes of a key. Fields that are left out stay as they are; read-only fields may be sent back as they are.
#[derive(ToSchema)]
#[schema(example = json!({ "name": "ci", "expires_at": "2026-12-01T00:00:00Z" }))]
#[serde(deny_unknown_fields)]
pub struct UpdateApiKey {
    #[schema(required = false)]
    name: KeyName,
    /// Only fewer than it has.
    #[schema(min_items = 1, required = false)]
    scopes: Vec<ScopeOrPreset>,
    /// Only earlier than it is; `null` is never.
    expires_at: Option<Timestamp>,
    /// Where it may be used from; none is anywhere.
    #[schema(max_items = 50)]
    allowed_ips: Option<Vec<IpNetwork>>,
    /// Projects it is limited to; none is all.
    #[schema(max_items = 100)]
    project_ids: Option<Vec<ProjectId>>,
}

/// How a key is replaced.
#[derive(ToSchema)]
#[schema(example = json!({ "grace_seconds": 86_400 }))]
#[serde(deny_unknown_fields)]
pub struct RotateApiKey {
    /// How long the old key lives on; 0 ends it at once.
    #[schema(minimum = 0, maximum = 604_800, default = 86_400, required = false)]
    grace_seconds: u32,
}

/// A project token to make.
#[derive(ToSchema)]
#[schema(example = json!({ "name": "ci", "scopes": ["deploy"], "expires_at": "2027-01-01T00:00:00Z" }))]
#[serde(deny_unknown_fields)]
pub struct CreateProjectToken {
    name: KeyName,
    #[schema(min_items = 1)]
    scopes: Vec<TokenScopeOrPreset>,
    /// A moment to come; `null` is never.
    expires_at: Option<Timestamp>,
    /// Where it may be used from; none is anywhere.
    #[schema(max_items = 50)]
    allowed_ips: Option<Vec<IpNetwork>>,
}
