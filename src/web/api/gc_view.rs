//! What was removed to make room, as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use super::page::Page;
use crate::app::gc::Freed;
use crate::model::ids::{DeploymentId, ProjectId, RemovalId};
use crate::model::retention::{Item, Kind, Removal, Rule};
use crate::model::timestamp::Timestamp;

/// A page of the ledger.
pub type RemovalPage = Page<RemovalView>;

/// What went, or would go.
#[derive(Serialize, ToSchema)]
#[schema(as = FreedSpace)]
pub struct FreedView {
    /// Of all items together.
    #[schema(example = 412_316_860)]
    reclaimed_bytes: u64,
    items: Vec<ItemView>,
}

/// One thing that went, or would go.
#[derive(Serialize, ToSchema)]
#[schema(as = FreedItem)]
struct ItemView {
    kind: Kind,
    rule: Rule,
    /// The rule in a sentence.
    #[schema(example = "Newer previews of the same branch are there.")]
    reason: &'static str,
    /// The host name of a deployment; what else it is called.
    #[schema(example = "my-app-dep4q7w1z3c.example.com")]
    name: String,
    project_id: Option<ProjectId>,
    deployment_id: Option<DeploymentId>,
    bytes: u64,
}

/// Something that was removed to make room.
#[derive(Serialize, ToSchema)]
#[schema(as = Removal)]
pub struct RemovalView {
    id: RemovalId,
    kind: Kind,
    rule: Rule,
    /// The rule in a sentence.
    #[schema(example = "More deployments than the project keeps are newer.")]
    reason: &'static str,
    /// The host name of a deployment; what else it is called.
    #[schema(example = "my-app-dep4q7w1z3c.example.com")]
    name: String,
    /// It may be deleted by now.
    project_id: Option<ProjectId>,
    deployment_id: Option<DeploymentId>,
    /// What came free.
    bytes: u64,
    begun_at: Timestamp,
    /// `null` until nothing is left of it.
    removed_at: Option<Timestamp>,
}

impl From<(Item, String)> for ItemView {
    fn from((item, name): (Item, String)) -> Self {
        Self {
            kind: item.kind,
            rule: item.rule,
            reason: item.rule.sentence(),
            name,
            project_id: item.project,
            deployment_id: item.deployment,
            bytes: item.bytes,
        }
    }
}

impl From<&Freed> for FreedView {
    fn from(freed: &Freed) -> Self {
        let items = freed.items.iter().cloned().map(ItemView::from).collect();
        Self { reclaimed_bytes: freed.bytes(), items }
    }
}

impl From<Removal> for RemovalView {
    fn from(removal: Removal) -> Self {
        Self {
            id: removal.id,
            kind: removal.item.kind,
            rule: removal.item.rule,
            reason: removal.item.rule.sentence(),
            name: removal.name,
            project_id: removal.item.project,
            deployment_id: removal.item.deployment,
            bytes: removal.item.bytes,
            begun_at: removal.begun_at,
            removed_at: removal.done_at,
        }
    }
}
