//! What a key may be: its fields as they were sent, and that it never exceeds the key that makes it.

use serde_json::json;

use super::may::Action;
use super::{App, AppError};
use crate::model::actor::Actor;
use crate::model::ids::ProjectId;
use crate::model::key_limits::Limits;
use crate::model::network::Network;
use crate::model::problems::Problems;
use crate::model::scope::{PRESETS, Scopes};
use crate::model::timestamp::Timestamp;

/// Most addresses and networks of a key.
const NETWORKS: usize = 50;
/// Most projects of a key.
const PROJECTS: usize = 100;

/// Checks a name, without the blanks around it.
pub(super) fn name(name: &str, problems: &mut Problems) {
    if problems.length("name", name, 1, 64) && name.chars().any(char::is_control) {
        problems.invalid("name", "format", "No control characters.");
    }
}

/// Reads scopes and presets; `known` is what there is to choose from.
pub(super) fn scopes(words: &[String], known: &Scopes, problems: &mut Problems) -> Scopes {
    if words.is_empty() {
        problems.invalid("scopes", "too_short", "At least one scope.");
    }
    known.expand_within(words).unwrap_or_else(|_| {
        problems.unknown_value("scopes", PRESETS.into_iter().chain(known.iter()));
        Scopes::default()
    })
}

/// Reads the end of a key, which lies in the future.
pub(super) fn expires_at(text: &str, now: Timestamp, problems: &mut Problems) -> Option<Timestamp> {
    match Timestamp::parse(text) {
        Some(at) if at > now => return Some(at),
        Some(_) => problems.invalid("expires_at", "out_of_range", "This moment has passed."),
        None => problems.invalid(
            "expires_at",
            "format",
            "An RFC 3339 date-time, such as 2027-01-01T00:00:00Z.",
        ),
    };
    None
}

/// Checks the networks a key may be used from.
pub(super) fn allowed_ips(networks: &[String], problems: &mut Problems) {
    if networks.len() > NETWORKS
        || !networks.iter().all(|network| Network::parse(network).is_some())
    {
        problems.invalid(
            "allowed_ips",
            "format",
            "At most 50 addresses or networks, such as 203.0.113.0/24.",
        );
    }
}

/// Refuses limits that the key in use does not have itself.
///
/// # Errors
/// `Forbidden` with `scope_escalation`.
pub(super) fn check_within(actor: &Actor, limits: &Limits) -> Result<(), AppError> {
    match actor.limits() {
        Some(own) if !limits.within(&own) => {
            Err(escalation("A key cannot make a key that may do more than itself."))
        }
        _ => Ok(()),
    }
}

/// Somebody wants more than there is to give.
pub(super) fn escalation(message: &str) -> AppError {
    AppError::Forbidden {
        reason: "scope_escalation",
        message: message.to_owned(),
        details: json!({}),
    }
}

impl App {
    /// Reads the projects a key is limited to. Those in `kept` are not looked up: they may be gone.
    pub(super) async fn key_projects(
        &self,
        actor: &Actor,
        sent: &[String],
        kept: &[ProjectId],
        problems: &mut Problems,
    ) -> Result<Vec<ProjectId>, AppError> {
        let mut found = Vec::new();
        if sent.len() > PROJECTS {
            problems.invalid("project_ids", "too_long", format!("At most {PROJECTS} projects."));
            return Ok(found);
        }
        for text in sent {
            let Some(id) = ProjectId::parse(text) else {
                let message = "Ids of projects, such as prj_7k2m9qhx4t8w1z3c.";
                problems.invalid("project_ids", "format", message);
                continue;
            };
            if found.contains(&id) {
                continue;
            }
            let known = kept.contains(&id)
                || match self.project_for(actor, Action::KeysWrite, text).await {
                    Ok(_) => true,
                    Err(AppError::NotFound { .. }) => false,
                    Err(other) => return Err(other),
                };
            if known {
                found.push(id);
            } else {
                problems.invalid("project_ids", "unknown_value", "There is no such project.");
            }
        }
        Ok(found)
    }
}
