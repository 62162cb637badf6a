//! What was done: the event for everybody who listens and the entry of the audit log, both written in
//! the transaction of the change.

use serde_json::{Value, json};

use crate::crypto::random;
use crate::db::{self, Connection, DbError};
use crate::failpoint;
use crate::model::actor::{Actor, Origin, Via};
use crate::model::audit::{AuditEntry, Party};
use crate::model::event::Event;
use crate::model::ids::{AuditId, EventId, ProjectId, TeamId, UserId};
use crate::model::project::Project;
use crate::model::timestamp::Timestamp;

/// Something an actor does.
#[derive(Clone, Debug)]
pub struct Deed<'a> {
    /// Its name in the audit log and, with `data`, in the event log: `project.updated`.
    pub action: &'static str,
    pub team: &'a TeamId,
    pub project: Option<&'a ProjectId>,
    /// What it is done to.
    pub target: Party,
    /// `{"field":{"from":…,"to":…}}`; never a secret.
    pub changes: Value,
    /// The event's data with exactly the keys of the catalogue; `None` is for the audit log alone.
    pub data: Option<Value>,
}

impl<'a> Deed<'a> {
    /// Something done to a project as a whole, with the event's data.
    pub fn to_project(action: &'static str, project: &'a Project, data: Value) -> Self {
        Self {
            action,
            team: &project.team_id,
            project: Some(&project.id),
            target: Party::new("project", &project.id, &project.name),
            changes: json!({}),
            data: Some(data),
        }
    }

    /// The same with what changed.
    pub fn changing(self, changes: Value) -> Self {
        Self { changes, ..self }
    }
}

/// Who an actor is for the audit log.
pub fn party(actor: &Actor) -> Party {
    match &actor.via {
        Via::Session => Party::new("user", &actor.user_id, &actor.user_name),
        Via::Operator => Party::new("system", "operator", "orbitra admin"),
        Via::ApiKey { id, name, .. } => Party::new("api_key", id, name),
        Via::Hook { id, name, .. } => Party::new("hook", id, name),
    }
}

/// Writes down what an actor does.
///
/// # Errors
/// The database cannot be written.
pub fn write(
    connection: &Connection,
    actor: &Actor,
    deed: Deed<'_>,
    now: Timestamp,
) -> Result<(), DbError> {
    let injected = failpoint::now("change.before_commit");
    injected.map_err(|injected| DbError::Unwritable(injected.to_string()))?;
    let by = By { party: party(actor), user: actor.user_id.clone(), origin: actor.origin.clone() };
    note(connection, by, deed, now)
}

/// Writes down what Orbitra itself does to what belongs to a team. `part` says which of it: `dns`.
///
/// # Errors
/// The database cannot be written.
pub fn write_own(
    connection: &Connection,
    part: &str,
    deed: Deed<'_>,
    now: Timestamp,
) -> Result<(), DbError> {
    // A team without anybody has nobody to read it.
    let Some(user) = db::users::of_team(connection, deed.team)? else { return Ok(()) };
    let party = Party::new("system", part, "Orbitra");
    note(connection, By { party, user, origin: Origin::default() }, deed, now)
}

/// Who does something.
struct By {
    party: Party,
    user: UserId,
    origin: Origin,
}

fn note(connection: &Connection, by: By, deed: Deed<'_>, now: Timestamp) -> Result<(), DbError> {
    if let Some(data) = deed.data {
        let event = Event {
            id: EventId::from_random(random::bytes()),
            event: deed.action.into(),
            team_id: deed.team.clone(),
            project_id: deed.project.cloned(),
            data,
            created_at: now,
        };
        db::events::append(connection, &event)?;
    }
    let entry = AuditEntry {
        id: AuditId::from_random(random::bytes()),
        action: deed.action.to_owned(),
        actor: by.party,
        user_id: by.user,
        target: deed.target,
        team_id: deed.team.clone(),
        project_id: deed.project.cloned(),
        origin: by.origin,
        changes: deed.changes,
        created_at: now,
    };
    db::audit_log::append(connection, &entry)
}
