//! Who asks.

use std::net::IpAddr;

use super::ids::{HookId, KeyId, ProjectId, RequestId, TeamId, UserId};
use super::key_limits::Limits;
use super::scope::Scopes;
use super::timestamp::Timestamp;
use super::user::{Plan, User};

/// How somebody proved who they are.
#[derive(Clone, Debug)]
pub enum Via {
    /// Signed in to the dashboard.
    Session,
    /// The operator's command line on the machine itself, for an account.
    Operator,
    /// An API key, with its limits.
    ApiKey {
        id: KeyId,
        name: String,
        scopes: Scopes,
        /// Empty is all projects.
        project_ids: Vec<ProjectId>,
        /// Empty is anywhere.
        allowed_ips: Vec<String>,
        expires_at: Option<Timestamp>,
    },
    /// A call of a hook, which deploys its project and nothing else.
    Hook { id: HookId, name: String, project_id: ProjectId },
}

/// The one scope of a hook.
const HOOK_SCOPE: &str = "deployments:write";

/// Where a request came from; for the audit log.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub request_id: Option<RequestId>,
    /// The id the client gave its request.
    pub client_request_id: Option<String>,
}

/// Somebody who asks for something: a person, through a session or a key.
#[derive(Clone, Debug)]
pub struct Actor {
    pub user_id: UserId,
    pub user_name: String,
    pub team_id: TeamId,
    pub instance_admin: bool,
    pub plan: Plan,
    pub via: Via,
    pub origin: Origin,
}

impl Actor {
    /// The operator on the machine itself, for an account.
    pub fn operator_for(user: &User) -> Self {
        Self::of(user, Via::Operator, Origin::default())
    }

    /// Somebody who signs in to an account.
    pub fn signed_in_to(user: &User, origin: Origin) -> Self {
        Self::of(user, Via::Session, origin)
    }

    fn of(user: &User, via: Via, origin: Origin) -> Self {
        Self {
            user_id: user.id.clone(),
            user_name: user.name.clone(),
            team_id: user.team_id.clone(),
            instance_admin: user.instance_admin,
            plan: user.plan,
            via,
            origin,
        }
    }

    /// Whether the way of signing in carries this scope. A session may do whatever its owner may.
    pub fn has_scope(&self, scope: &str) -> bool {
        match &self.via {
            Via::Session | Via::Operator => true,
            Via::ApiKey { scopes, .. } => scopes.contains(scope),
            Via::Hook { .. } => scope == HOOK_SCOPE,
        }
    }

    /// The limits of the key in use; `None` for a person, who has none but their own rights.
    pub fn limits(&self) -> Option<Limits> {
        match &self.via {
            Via::Session | Via::Operator => None,
            Via::ApiKey { scopes, project_ids, allowed_ips, expires_at, .. } => Some(Limits {
                scopes: scopes.clone(),
                allowed_ips: allowed_ips.clone(),
                project_ids: project_ids.clone(),
                expires_at: *expires_at,
            }),
            Via::Hook { project_id, .. } => Some(Limits {
                scopes: Scopes::expand(&[HOOK_SCOPE]).unwrap_or_default(),
                allowed_ips: Vec::new(),
                project_ids: vec![project_id.clone()],
                expires_at: None,
            }),
        }
    }

    /// Whether nothing limits the projects this actor sees.
    pub fn sees_all_projects(&self) -> bool {
        match &self.via {
            Via::Session | Via::Operator => true,
            Via::ApiKey { project_ids, .. } => project_ids.is_empty(),
            Via::Hook { .. } => false,
        }
    }

    /// Whether a key's project limit lets this project through.
    pub fn sees_project(&self, project: &ProjectId) -> bool {
        match &self.via {
            Via::Session | Via::Operator => true,
            Via::ApiKey { project_ids, .. } => {
                project_ids.is_empty() || project_ids.contains(project)
            }
            Via::Hook { project_id, .. } => project_id == project,
        }
    }
}
