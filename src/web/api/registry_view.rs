//! Credentials for registries as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::page::Page;
use crate::model::ids::RegistryId;
use crate::model::registry::Registry;
use crate::model::timestamp::Timestamp;

/// A page of them.
pub type RegistryPage = Page<RegistryView>;

/// Credentials for a registry, without the password.
#[derive(Serialize, ToSchema)]
#[schema(as = Registry)]
pub struct RegistryView {
    id: RegistryId,
    #[schema(example = "registry.example.com")]
    host: String,
    #[schema(example = "deploy")]
    username: String,
    created_at: Timestamp,
}

impl From<Registry> for RegistryView {
    fn from(registry: Registry) -> Self {
        Self {
            id: registry.id,
            host: registry.host,
            username: registry.username,
            created_at: registry.created_at,
        }
    }
}
