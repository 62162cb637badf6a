//! What of all that is kept may go when there is not room for all of it: a ranked list, and what is pinned.
//!
//! Counts and ages make something due: it goes whether there is room or not. The rest of the list goes only as far as
//! room is needed. What is pinned never goes.

mod layers;
mod rank;

use std::collections::HashSet;

pub use layers::image_bytes;
use serde::{Deserialize, Serialize};

use super::build_cache;
use super::deployment::{Target, words};
use super::ids::{DeploymentId, ProjectId, RemovalId};
use super::timestamp::Timestamp;

/// What is younger than this goes only because of a count, in milliseconds: whoever made it may be about to use it.
pub const YOUNG: u64 = 3_600_000;
/// Branches of a project that may have previews; of more, those go that were not used for longest.
pub const PREVIEW_BRANCHES: usize = 20;
/// A mirror that no build has asked for in this time goes, in milliseconds. It can be fetched again.
pub const MIRROR_AGE: u64 = 30 * 24 * 3_600_000;

words!(
/// Why something goes, in the order in which things go.
Rule {
    FailedBuild = "failed_build", ClosedBranch = "closed_branch", UnusedPreview = "unused_preview", ExpiredPreview = "expired_preview",
    SupersededPreview = "superseded_preview", OldProduction = "old_production",
    BuildCache = "build_cache", UnusedMirror = "unused_mirror",
});
words!(
    /// What goes.
    Kind { Deployment = "deployment", Image = "image", BuildCache = "build_cache", Mirror = "mirror" });

impl Rule {
    /// In one sentence, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::FailedBuild => "Left over from a deployment that did not become ready.",
            Self::ClosedBranch => "The branch of the preview was deleted.",
            Self::UnusedPreview => {
                "Previews of more branches than a project may have were used later."
            }
            Self::ExpiredPreview => "The preview is older than previews are kept.",
            Self::SupersededPreview => "Newer previews of the same branch are there.",
            Self::OldProduction => "More deployments than the project keeps are newer.",
            Self::BuildCache => "Build cache that was not used for longest.",
            Self::UnusedMirror => "No build has used this copy of the repository lately.",
        }
    }
}

/// Why a deployment stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Visitors get it.
    Live,
    /// What the project goes back to.
    RollbackTarget,
    /// It is on its way to the traffic, or another deployment is made from it.
    Wanted,
    /// Somebody uses it now.
    Running,
    /// Its image is the one of a pinned deployment, so that nothing came free.
    SharedImage,
    Young,
}

/// A part of an image. Images that have the same layer keep it once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layer {
    pub key: String,
    pub bytes: u64,
}

/// A deployment that may serve, with what it takes.
#[derive(Clone, Debug)]
pub struct Kept {
    pub id: DeploymentId,
    pub project: ProjectId,
    /// Order of creation.
    pub seq: i64,
    pub target: Target,
    pub branch: Option<String>,
    /// How many deployments beside the live one its project keeps.
    pub keep: usize,
    pub live: bool,
    pub rollback_target: bool,
    pub wanted: bool,
    pub running: bool,
    /// When it was ready, or last lost its traffic.
    pub served_at: Timestamp,
    pub ready_at: Timestamp,
    /// When it last woke up or fell asleep; as long ago as can be when it never did.
    pub used_at: Timestamp,
    /// The image it runs from, when it is not made of files.
    pub image: Option<String>,
    pub layers: Vec<Layer>,
    /// Of a site.
    pub file_bytes: u64,
}

/// An image with this instance's label that belongs to no deployment.
#[derive(Clone, Debug)]
pub struct Leftover {
    pub id: String,
    pub project: ProjectId,
    pub deployment: Option<DeploymentId>,
    pub created_at: Timestamp,
    pub layers: Vec<Layer>,
}

/// A kept copy of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    pub name: String,
    pub bytes: u64,
    pub used_at: Timestamp,
}

/// Everything that is there.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub deployments: Vec<Kept>,
    pub leftovers: Vec<Leftover>,
    pub cache: Vec<build_cache::Entry>,
    pub mirrors: Vec<Mirror>,
    /// Layers that images of others have as well: they stay whatever goes.
    pub foreign_layers: HashSet<String>,
}

/// How much is to go beyond what is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Bytes over the budget.
    pub over_budget: u64,
    /// Bytes that are missing on the disk itself.
    pub below_floor: u64,
    /// Somebody asks for all that may go of deployments and their images.
    pub images: bool,
    /// Somebody asks for all that may go of the build cache.
    pub cache: bool,
}

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub now: Timestamp,
    /// Milliseconds; `None` keeps previews for ever.
    pub preview_age: Option<u64>,
}

/// Something that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub kind: Kind,
    pub rule: Rule,
    pub project: Option<ProjectId>,
    pub deployment: Option<DeploymentId>,
    /// Image, mirror; records of the build cache, the children first.
    pub names: Vec<String>,
    /// What comes free by this one after those before it.
    pub bytes: u64,
}

impl Item {
    /// What people call it when there is no better name.
    pub fn name(&self) -> String {
        match self.kind {
            Kind::BuildCache if self.names.len() == 1 => "1 record".to_owned(),
            Kind::BuildCache => format!("{} records", self.names.len()),
            _ => self.names.first().cloned().unwrap_or_default(),
        }
    }
}

/// What somebody asks to be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Its number.
    pub seq: i64,
    pub images: bool,
    pub build_cache: bool,
}

/// Something that was removed, or is being removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its place in the ledger.
    pub seq: i64,
    pub id: RemovalId,
    pub item: Item,
    /// For people.
    pub name: String,
    pub begun_at: Timestamp,
    /// `None` until nothing is left of it.
    pub done_at: Option<Timestamp>,
}

/// Why a deployment stays; `None` when it may go. `counted` says that a count wants it gone, whose project is
/// bounded only if it goes young as well.
pub fn pin(
    kept: &Kept,
    pinned_images: &HashSet<&str>,
    counted: bool,
    now: Timestamp,
) -> Option<Pin> {
    let shared = kept.image.as_deref().is_some_and(|image| pinned_images.contains(image));
    [
        (kept.live, Pin::Live),
        (kept.rollback_target, Pin::RollbackTarget),
        (kept.wanted, Pin::Wanted),
        // One that a count wants gone finishes its requests first.
        (!counted && kept.running, Pin::Running),
        // The image stays in either case; a count wants the container gone.
        (!counted && shared, Pin::SharedImage),
        (!counted && now.millis_since(kept.ready_at) < YOUNG, Pin::Young),
    ]
    .into_iter()
    .find_map(|(holds, pin)| holds.then_some(pin))
}

/// What goes, in order.
pub fn plan(facts: &Facts, limits: &Limits, need: Need) -> Vec<Item> {
    let mut shares = layers::Shares::of(facts);
    let mut items = Vec::new();
    let mut freed = 0_u64;
    for candidate in rank::candidates(facts, limits) {
        let asked = match candidate.item.kind {
            Kind::Deployment | Kind::Image => need.images,
            Kind::BuildCache => need.cache,
            Kind::Mirror => false,
        };
        let short = freed < need.over_budget.max(need.below_floor);
        // What can be made again at any time goes young as well when the disk itself is full or somebody asks.
        let young = candidate.young && !asked && freed >= need.below_floor;
        if !(candidate.due || ((asked || short) && !young)) {
            continue;
        }
        let mut item = candidate.item;
        item.bytes = item.bytes.saturating_add(shares.drop(&candidate.layers));
        freed = freed.saturating_add(item.bytes);
        items.push(item);
    }
    items
}

/// The same items with all records of one project's build cache as one.
pub fn grouped(items: Vec<Item>) -> Vec<Item> {
    let mut all: Vec<Item> = Vec::new();
    for item in items {
        let same = all.iter_mut().find(|other| {
            item.kind == Kind::BuildCache
                && other.kind == Kind::BuildCache
                && other.project == item.project
        });
        match same {
            Some(other) => {
                other.bytes = other.bytes.saturating_add(item.bytes);
                other.names.extend(item.names);
            }
            None => all.push(item),
        }
    }
    all
}

#[cfg(test)]
mod tests;
