//! Entries of the event log.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::deployment::Deployment;
use super::domain::Domain;
use super::failure::FailureCode;
use super::ids::{EventId, ProjectId, TeamId, WebhookId};
use super::project::Project;
use super::timestamp::Timestamp;
use super::webhook::DisabledReason;

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

/// Longest text within an event's data, in bytes; what is longer is cut.
pub const LONGEST_TEXT: usize = 2_000;
/// Most names in a list within an event's data; the rest is left out.
const MOST_NAMES: usize = 200;

impl Event {
    /// What webhooks are sent: exactly these three keys, in this order. Stored when somebody is told of the event, and
    /// from then on sent as it is.
    pub fn body(&self) -> String {
        format!(
            r#"{{"event":{},"timestamp":"{}","data":{}}}"#,
            Value::from(self.event.as_ref()),
            self.created_at,
            self.data
        )
    }

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
    let changed: Vec<_> = changed.iter().map(AsRef::as_ref).take(MOST_NAMES).collect();
    json!({
        "project_id": project.id, "name": project.name, "status": project.status().as_str(), "changed": changed,
    })
}

/// The data of `env.updated`. Names alone, never a value.
pub fn env_updated<S: AsRef<str>>(project: &Project, target: &str, keys: &[S]) -> Value {
    let keys: Vec<_> = keys.iter().map(AsRef::as_ref).take(MOST_NAMES).collect();
    json!({ "project_id": project.id, "keys": keys, "target": target })
}

/// The data of whatever happens to a domain.
pub fn domain(domain: &Domain) -> Value {
    json!({
        "domain_id": domain.id, "hostname": domain.hostname, "project_id": domain.project_id, "status": domain.status,
    })
}

/// The data of `deployment.failed` beside what every deployment event carries.
pub fn failure(code: FailureCode, phase: &str, message: &str) -> Value {
    json!({ "code": code, "phase": phase, "message": shortened(message) })
}

/// A text within the limit of an event's data.
fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_TEXT {
        return text.into();
    }
    let mark = "…";
    let mut end = LONGEST_TEXT - mark.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{mark}", &text[..end]).into()
}

/// The data of `webhook.disabled`.
pub fn webhook_disabled(webhook: &WebhookId, reason: DisabledReason) -> Value {
    json!({ "webhook_id": webhook, "reason": reason.as_str() })
}

/// The data of `webhook.ping`.
pub fn webhook_ping(webhook: &WebhookId) -> Value {
    json!({ "webhook_id": webhook, "message": "Hello from Orbitra" })
}

/// What every deployment event carries.
pub fn deployment(deployment: &Deployment, status: &str, url: &str) -> Value {
    json!({
        "deployment_id": deployment.id, "project_id": deployment.project_id, "status": status, "url": url,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_three_keys_in_order() {
        let event = Event {
            id: EventId::from_random([1; 10]),
            event: "deployment.succeeded".into(),
            team_id: TeamId::from_random([1; 10]),
            project_id: None,
            data: json!({ "message": "a\"b\n</script>" }),
            created_at: Timestamp(1_705_768_200_999),
        };
        let expected = r#"{"event":"deployment.succeeded","timestamp":"2024-01-20T16:30:00Z","data":{"message":"a\"b\n</script>"}}"#;
        assert_eq!(event.body(), expected);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let long = "ü".repeat(2_000);
        let failure = failure(FailureCode::BuildFailed, "building", &long);
        let message = failure["message"].as_str().expect("a text");
        assert!(message.len() <= LONGEST_TEXT && message.ends_with("ü…"), "{}", message.len());
        assert_eq!(shortened("short"), "short");
    }
}
