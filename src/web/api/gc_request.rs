//! What `/system/gc` takes, for the API's description.
#![allow(dead_code, reason = "bodies are read one field at a time, with `Fields`")]

use utoipa::ToSchema;

/// What may go.
#[derive(ToSchema)]
#[schema(as = FreeSpace, example = json!({ "images": true, "build_cache": true, "dry_run": true }))]
#[serde(deny_unknown_fields)]
pub struct FreeSpace {
    /// Superseded previews with their images and files.
    #[schema(required = false, default = true)]
    images: bool,
    /// The build cache that builds of this server left. The next builds take longer.
    #[schema(required = false, default = true)]
    build_cache: bool,
    /// Only says what would go.
    #[schema(required = false, default = false)]
    dry_run: bool,
}
