//! Events as they are told in a chat or a mail, with what the rows say of them at that moment.

use rusqlite::Connection;

use super::{DbError, deployments, projects};
use crate::model::announcement::{Announcement, Subject};
use crate::model::event::Event;
use crate::model::ids::DeploymentId;

/// The event for people.
///
/// # Errors
/// The database cannot be read.
pub fn of(connection: &Connection, event: &Event) -> Result<Announcement, DbError> {
    let mut subject = Subject::default();
    if let Some(id) = &event.project_id {
        subject.project = projects::find_any(connection, id)?.map(|(project, _)| project.name);
    }
    let deployment = event.data.get("deployment_id").and_then(|id| id.as_str());
    if let Some(id) = deployment.and_then(DeploymentId::parse)
        && let Some(deployment) = deployments::find_any(connection, &id)?
    {
        subject.commit = deployment.commit;
        subject.branch = deployment.branch;
    }
    Ok(Announcement::of(event, &subject))
}
