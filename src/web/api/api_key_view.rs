//! API keys as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::page::Page;
use super::schema::Scope;
use crate::model::api_key::ApiKey;
use crate::model::ids::{KeyId, ProjectId};
use crate::model::scope::Scopes;
use crate::model::timestamp::Timestamp;

/// A page of keys.
pub type ApiKeyPage = Page<ApiKeyView>;

/// A key without the key itself.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyView {
    id: KeyId,
    #[schema(example = "ci")]
    name: String,
    /// The first nine characters of the key.
    #[schema(example = "orbu_0123")]
    prefix: String,
    /// The last four characters of the key.
    #[schema(example = "ixfD")]
    last4: String,
    /// In alphabetical order, presets expanded.
    #[schema(value_type = Vec<Scope>)]
    scopes: Scopes,
    /// Networks it may be used from; empty is anywhere.
    #[schema(example = json!(["203.0.113.0/24"]))]
    allowed_ips: Vec<String>,
    /// Projects it is limited to; empty is all.
    project_ids: Vec<ProjectId>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    last_used_ip: Option<String>,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

/// A new key: the only answer the key itself is in.
#[derive(Serialize, ToSchema)]
#[schema(as = NewApiKey)]
pub struct NewApiKeyView {
    #[serde(flatten)]
    pub shown: ApiKeyView,
    /// Shown once. Only a hash of it is kept.
    #[schema(example = "orbu_0123456789ABCDEFGHIJabcdefghij1JixfD")]
    pub key: String,
}

/// A key that took the place of another one: the only answer the key itself is in.
#[derive(Serialize, ToSchema)]
#[schema(as = RotatedApiKey)]
pub struct RotatedApiKeyView {
    #[serde(flatten)]
    pub made: NewApiKeyView,
    /// The key it takes the place of, which lives on until its new `expires_at`.
    pub replaces: KeyId,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            last4: key.last4,
            scopes: key.scopes,
            allowed_ips: key.allowed_ips,
            project_ids: key.project_ids,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            last_used_ip: key.last_used_ip,
            created_at: key.created_at,
            revoked_at: key.revoked_at,
        }
    }
}
