//! Variables of a project: which deployments they are for, and where they come from.

use serde::{Deserialize, Serialize};

use super::deployment::{Target, words};
use super::ids::UserId;
use super::timestamp::Timestamp;

words!(
/// Which deployments a variable is for. Those of one target win over those of all.
EnvTarget { All = "all", Production = "production", Preview = "preview" });
words!(
/// Who set a variable.
EnvSource { User = "user", Database = "database", System = "system" });

impl From<Target> for EnvTarget {
    fn from(target: Target) -> Self {
        match target {
            Target::Production => Self::Production,
            Target::Preview => Self::Preview,
        }
    }
}

/// A variable without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvVar {
    pub key: String,
    pub target: EnvTarget,
    /// Its value is never shown again.
    pub sensitive: bool,
    pub source: EnvSource,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub updated_by: UserId,
    pub revision: i64,
}
