//! Entries of the event log.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::deployment::Deployment;
use super::domain::Domain;
use super::ids::{EventId, ProjectId, TeamId};
use super::project::Project;
use super::timestamp::Timestamp;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: EventId,
    /// Name of the catalogue, such as `deployment.created`.
    pub event: Cow<'static, str>,
    pub team_id: TeamId,
    pub project_id: Option<ProjectId>,
    /// The payload's data; never a secret.
    pub data: Value,
    pub created_at: Timestamp,
}

impl Event {
    /// An event of a project. `random` makes its id.
    pub fn of_project(
        random: [u8; 10],
        event: &'static str,
        project: &Project,
        data: Value,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id: EventId::from_random(random),
            event: event.into(),
            team_id: project.team_id.clone(),
            project_id: Some(project.id.clone()),
            data,
            created_at,
        }
    }
}

/// The data of `project.created`.
pub fn project_created(project: &Project) -> Value {
    json!({
        "project_id": project.id, "name": project.name, "region": project.region, "framework": project.framework,
        "status": project.status().as_str(), "created_at": project.created_at,
    })
}

/// The data of `project.updated` and of what else happens to a project: paused, resumed, restarted.
pub fn project_changed<S: AsRef<str>>(project: &Project, changed: &[S]) -> Value {
    let changed: Vec<_> = changed.iter().map(AsRef::as_ref).collect();
    json!({
        "project_id": project.id, "name": project.name, "status": project.status().as_str(), "changed": changed,
    })
}

/// The data of `env.updated`. Names alone, never a value.
pub fn env_updated<S: AsRef<str>>(project: &Project, target: &str, keys: &[S]) -> Value {
    let keys: Vec<_> = keys.iter().map(AsRef::as_ref).collect();
    json!({ "project_id": project.id, "keys": keys, "target": target })
}

/// The data of whatever happens to a domain.
pub fn domain(domain: &Domain) -> Value {
    json!({
        "domain_id": domain.id, "hostname": domain.hostname, "project_id": domain.project_id, "status": domain.status,
    })
}

/// What every deployment event carries.
pub fn deployment(deployment: &Deployment, status: &str, url: &str) -> Value {
    json!({
        "deployment_id": deployment.id, "project_id": deployment.project_id, "status": status, "url": url,
    })
}
