//! Who asks.

use super::ids::{KeyId, ProjectId, TeamId, UserId};
use super::scope::Scopes;
use super::timestamp::Timestamp;

/// How somebody proved who they are.
#[derive(Clone, Debug)]
pub enum Via {
    /// Signed in to the dashboard.
    Session,
    /// An API key, with its limits.
    ApiKey {
        id: KeyId,
        name: String,
        scopes: Scopes,
        /// Empty is all projects.
        project_ids: Vec<ProjectId>,
        expires_at: Option<Timestamp>,
    },
}

/// Somebody who asks for something: a person, through a session or a key.
#[derive(Clone, Debug)]
pub struct Actor {
    pub user_id: UserId,
    pub user_name: String,
    pub team_id: TeamId,
    pub instance_admin: bool,
    pub via: Via,
}

impl Actor {
    /// Whether the way of signing in carries this scope. A session may do whatever its owner may.
    pub fn has_scope(&self, scope: &str) -> bool {
        match &self.via {
            Via::Session => true,
            Via::ApiKey { scopes, .. } => scopes.contains(scope),
        }
    }

    /// Whether a key's project limit lets this project through.
    pub fn sees_project(&self, project: &ProjectId) -> bool {
        match &self.via {
            Via::Session => true,
            Via::ApiKey { project_ids, .. } => {
                project_ids.is_empty() || project_ids.contains(project)
            }
        }
    }
}
