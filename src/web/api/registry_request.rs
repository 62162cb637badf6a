//! What `/registries` takes, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use utoipa::ToSchema;

use super::text_rules::RegistryHost;

/// Credentials to keep.
#[derive(ToSchema)]
#[schema(as = CreateRegistry, example = json!({
    "host": "registry.example.com", "username": "deploy", "password": "a token of the registry",
}))]
#[serde(deny_unknown_fields)]
pub struct CreateRegistry {
    host: RegistryHost,
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^:\u0000-\u001f\u007f-\u009f]+$")]
    username: String,
    /// Kept sealed, never answered.
    #[schema(min_length = 1, max_length = 8192, pattern = r"^[^\u0000]+$", write_only)]
    password: String,
}
