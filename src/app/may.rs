//! Who may do what: one function decides, every use case calls it, nothing else does.

use serde_json::json;

use super::error::AppError;
use crate::model::actor::Actor;
use crate::model::ids::TeamId;

/// What somebody wants to do; the scope it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    AccountRead,
    AccountWrite,
    KeysRead,
    KeysWrite,
    ProjectsRead,
    ProjectsWrite,
    DeploymentsRead,
    DeploymentsWrite,
    DomainsRead,
    DomainsWrite,
    LogsRead,
    MetricsRead,
    EnvRead,
    EnvReveal,
    EnvWrite,
    EventsRead,
    WebhooksRead,
    WebhooksWrite,
    AuditRead,
    SystemRead,
    SystemWrite,
}

impl Action {
    /// The scope an API key must carry.
    pub fn scope(self) -> &'static str {
        match self {
            Self::AccountRead => "account:read",
            Self::AccountWrite => "account:write",
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::ProjectsRead => "projects:read",
            Self::ProjectsWrite => "projects:write",
            Self::DeploymentsRead => "deployments:read",
            Self::DeploymentsWrite => "deployments:write",
            Self::DomainsRead => "domains:read",
            Self::DomainsWrite => "domains:write",
            Self::LogsRead => "logs:read",
            Self::MetricsRead => "metrics:read",
            Self::EnvRead => "env:read",
            Self::EnvReveal => "env:reveal",
            Self::EnvWrite => "env:write",
            Self::EventsRead => "events:read",
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::AuditRead => "audit:read",
            Self::SystemRead => "system:read",
            Self::SystemWrite => "system:write",
        }
    }
}

/// What it is done to.
#[derive(Clone, Copy, Debug)]
pub enum Resource<'a> {
    /// Something of the actor's own, or nothing in particular yet.
    Own,
    /// A project (or what belongs to it) of this team.
    Project { team: &'a TeamId, id: &'a crate::model::ids::ProjectId },
    /// Something of a team that is for all its projects.
    Team(&'a TeamId),
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// The resource does not exist for this actor.
    Hidden,
    /// The way of signing in does not carry the scope.
    MissingScope,
}

/// Decides.
pub fn may(actor: &Actor, action: Action, resource: Resource<'_>) -> Decision {
    if !actor.has_scope(action.scope()) {
        return Decision::MissingScope;
    }
    match resource {
        Resource::Own => Decision::Allow,
        Resource::Team(team) => {
            let sees = *team == actor.team_id || actor.instance_admin;
            if sees && actor.sees_all_projects() { Decision::Allow } else { Decision::Hidden }
        }
        Resource::Project { team, id } => {
            let sees = *team == actor.team_id || actor.instance_admin;
            if sees && actor.sees_project(id) { Decision::Allow } else { Decision::Hidden }
        }
    }
}

/// Refuses an actor whose key does not carry the scope; for the check before anything is looked up.
///
/// # Errors
/// `Forbidden` with reason `missing_scope`.
pub fn require_scope(actor: &Actor, action: Action) -> Result<(), AppError> {
    match may(actor, action, Resource::Own) {
        Decision::Allow | Decision::Hidden => Ok(()),
        Decision::MissingScope => Err(AppError::Forbidden {
            reason: "missing_scope",
            message: format!("This key lacks the scope `{}`.", action.scope()),
            details: json!({ "required_scopes": [action.scope()] }),
        }),
    }
}

/// Whether an actor may do what is for instance admins. A key that is limited to some projects may not.
pub fn administers(actor: &Actor) -> bool {
    actor.instance_admin && actor.sees_all_projects()
}

/// Refuses everybody but instance admins.
///
/// # Errors
/// `Forbidden` with reason `insufficient_role`.
pub fn require_instance_admin(actor: &Actor) -> Result<(), AppError> {
    if administers(actor) {
        return Ok(());
    }
    Err(AppError::Forbidden {
        reason: "insufficient_role",
        message: "Only an instance admin may do this, with a key that is not limited to projects."
            .to_owned(),
        details: json!({ "required_role": "instance_admin" }),
    })
}
