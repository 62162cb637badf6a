//! A project's forge as the API shows it, and what it takes.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::forge::ShownForge;
use crate::model::forge::ForgeKind;
use crate::model::timestamp::Timestamp;

/// The forge of a project, which is told how its commits are deployed.
#[derive(Serialize, ToSchema)]
#[schema(as = Forge)]
pub struct ForgeView {
    kind: ForgeKind,
    /// Where its API begins.
    #[schema(format = "uri", example = "https://api.github.com")]
    api_url: String,
    /// The repository of the project's source as the forge names it; `null` when it is none of a forge.
    #[schema(example = "acme/web")]
    repository: Option<String>,
    /// Why it did not take what it was told last, in a sentence; `null` when it did.
    trouble: Option<String>,
    /// When it last took a status; `null` until then.
    last_told_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl From<ShownForge> for ForgeView {
    fn from(shown: ShownForge) -> Self {
        let forge = shown.forge;
        Self {
            kind: forge.kind,
            api_url: forge.api_url,
            repository: shown.repository,
            trouble: forge.trouble,
            last_told_at: forge.told_at,
            created_at: forge.created_at,
        }
    }
}

/// A forge to tell.
#[derive(ToSchema)]
#[allow(dead_code, reason = "bodies are read one field at a time, with `Fields`")]
#[schema(example = json!({ "kind": "github", "token": "github_pat_0123" }))]
#[serde(deny_unknown_fields)]
pub struct SetForge {
    /// Left out it is what it was, or what follows from the source's host.
    #[schema(required = false)]
    kind: ForgeKind,
    /// Where its API begins. Left out it is what it was, or what is usual at the source's host.
    #[schema(required = false, format = "uri", max_length = 2048)]
    api_url: String,
    /// A token that may write the statuses of commits, of printable ASCII characters without blanks. Needed unless one is
    /// stored for the same address.
    #[schema(
        write_only,
        required = false,
        min_length = 1,
        max_length = 1024,
        pattern = "^[!-~]+$"
    )]
    token: String,
}
