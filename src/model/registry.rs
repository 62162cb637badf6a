//! Credentials for registries of images.

use super::ids::{RegistryId, TeamId};
use super::timestamp::Timestamp;

/// Most registries of a team.
pub const MOST: u32 = 100;
/// Most bytes of a password; keys of some providers are whole JSON documents.
pub const LONGEST_PASSWORD: usize = 8192;

/// Who a team is at a registry. The password is kept sealed and never leaves the database but for a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    pub id: RegistryId,
    pub team_id: TeamId,
    /// In its normal form, with a port unless that is 443.
    pub host: String,
    pub username: String,
    pub created_at: Timestamp,
}

/// Whether a user name can be sent to a registry: HTTP's basic authentication ends it at a colon.
pub fn is_username(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c == ':')
}

/// Whether a password can be sent to a registry.
pub fn is_password(text: &str) -> bool {
    (1..=LONGEST_PASSWORD).contains(&text.len()) && !text.contains('\0')
}
