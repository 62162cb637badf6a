//! Entries of the audit log as the API shows them.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::page::Page;
use crate::model::audit::{AuditEntry, Party};
use crate::model::ids::{AuditId, ProjectId, RequestId, TeamId};
use crate::model::timestamp::Timestamp;

/// A page of the audit log.
pub type AuditPage = Page<AuditEntryView>;

/// Something that was done, or refused.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditEntryView {
    id: AuditId,
    #[schema(example = "project.updated")]
    action: String,
    /// Who did it.
    actor: PartyView,
    /// What it was done to.
    target: PartyView,
    team_id: TeamId,
    project_id: Option<ProjectId>,
    #[schema(example = "203.0.113.9")]
    ip: Option<String>,
    user_agent: Option<String>,
    #[schema(value_type = Option<String>, example = "req_3f8d0a6k2m9qhx4t")]
    request_id: Option<RequestId>,
    /// The id the client gave its request.
    client_request_id: Option<String>,
    /// What differs, each field with `from` and `to`; never a secret.
    #[schema(value_type = Object, example = json!({ "framework": { "from": null, "to": "nodejs" } }))]
    changes: Value,
    created_at: Timestamp,
}

/// Who did something, or what it was done to.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditParty)]
pub struct PartyView {
    #[serde(rename = "type")]
    #[schema(example = "api_key")]
    kind: String,
    id: String,
    name: Option<String>,
}

impl From<Party> for PartyView {
    fn from(party: Party) -> Self {
        Self { kind: party.kind, id: party.id, name: party.name }
    }
}

impl From<AuditEntry> for AuditEntryView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            action: entry.action,
            actor: entry.actor.into(),
            target: entry.target.into(),
            team_id: entry.team_id,
            project_id: entry.project_id,
            ip: entry.origin.ip.map(|ip| ip.to_string()),
            user_agent: entry.origin.user_agent,
            request_id: entry.origin.request_id,
            client_request_id: entry.origin.client_request_id,
            changes: entry.changes,
            created_at: entry.created_at,
        }
    }
}
