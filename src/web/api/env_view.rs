//! Variables as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::page::Page;
use crate::app::env::Counts;
use crate::app::env_read::Shown;
use crate::model::ids::UserId;
use crate::model::project_env::{EnvSource, EnvTarget, EnvVar};
use crate::model::timestamp::Timestamp;

/// A page of variables.
pub type EnvVarPage = Page<EnvVarView>;

/// A variable of a project.
#[derive(Serialize, ToSchema)]
#[schema(as = EnvVariable)]
pub struct EnvVarView {
    #[schema(example = "DATABASE_URL")]
    key: String,
    target: EnvTarget,
    /// Only with `reveal`, and never of a sensitive one.
    value: Option<String>,
    /// Whether its value is never shown again.
    sensitive: bool,
    source: EnvSource,
    created_at: Timestamp,
    updated_at: Timestamp,
    updated_by: UserId,
}

/// How many variables changed. Those that already were as wanted do not count.
#[derive(Serialize, ToSchema)]
#[schema(as = EnvChanges)]
pub struct EnvChangesView {
    #[schema(example = 1)]
    created: usize,
    #[schema(example = 0)]
    updated: usize,
    #[schema(example = 1)]
    deleted: usize,
}

impl From<Shown> for EnvVarView {
    fn from(shown: Shown) -> Self {
        Self { value: shown.value, ..shown.variable.into() }
    }
}

impl From<EnvVar> for EnvVarView {
    fn from(variable: EnvVar) -> Self {
        Self {
            key: variable.key,
            target: variable.target,
            value: None,
            sensitive: variable.sensitive,
            source: variable.source,
            created_at: variable.created_at,
            updated_at: variable.updated_at,
            updated_by: variable.updated_by,
        }
    }
}

impl From<Counts> for EnvChangesView {
    fn from(counts: Counts) -> Self {
        let Counts { created, updated, deleted } = counts;
        Self { created, updated, deleted }
    }
}
