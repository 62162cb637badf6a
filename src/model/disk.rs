//! What everything takes on the disk, as it was last measured.

use std::collections::{HashMap, HashSet};

use super::build_cache;
use super::ids::{DeploymentId, ProjectId};
use super::retention::{Facts, Kept, Layer, Leftover, Mirror, image_bytes};
use super::timestamp::Timestamp;

/// Deployments that may serve, each with whether its image was pulled for it; and those on their way.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub kept: Vec<(Kept, bool)>,
    pub unfinished: HashSet<DeploymentId>,
}

/// An image on the engine.
#[derive(Clone, Debug)]
pub struct Image {
    pub id: String,
    /// Whose it is by its label; `None` for one without this instance's label.
    pub owner: Option<(ProjectId, Option<DeploymentId>)>,
    pub created_at: Timestamp,
    pub layers: Vec<Layer>,
}

/// Bytes by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Layers of this instance's images, each counted once.
    pub images: u64,
    pub sites: u64,
    pub build_cache: u64,
    pub mirrors: u64,
    pub logs: u64,
    pub uploads: u64,
    pub database: u64,
}

impl Used {
    /// All of it.
    pub fn total(&self) -> u64 {
        [
            self.images,
            self.sites,
            self.build_cache,
            self.mirrors,
            self.logs,
            self.uploads,
            self.database,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

/// What one look found.
#[derive(Clone, Debug, Default)]
pub struct Measure {
    pub at: Timestamp,
    /// When the build cache was looked at; it is looked at more seldom.
    pub cache_at: Timestamp,
    pub images: Vec<Image>,
    pub cache: Vec<build_cache::Entry>,
    pub mirrors: Vec<Mirror>,
    /// By deployment.
    pub sites: HashMap<DeploymentId, u64>,
    pub used: Used,
    /// What all of it may take.
    pub budget: u64,
    /// Whether nothing more may go: the sweep that looked has done what it can.
    pub settled: bool,
}

impl Measure {
    /// Rows and what was measured, put together.
    pub fn facts(&self, rows: Rows) -> Facts {
        let mut pulled: HashSet<&str> = HashSet::new();
        let mut used: HashSet<String> = HashSet::new();
        for (kept, was_pulled) in &rows.kept {
            let Some(image) = &kept.image else { continue };
            used.insert(image.clone());
            if *was_pulled {
                pulled.insert(image);
            }
        }
        let ours = |image: &&Image| image.owner.is_some() || pulled.contains(image.id.as_str());
        let by_id: HashMap<&str, &Image> =
            self.images.iter().filter(ours).map(|image| (image.id.as_str(), image)).collect();
        let foreign = self.images.iter().filter(|image| !ours(image));
        let foreign_layers: HashSet<String> =
            foreign.flat_map(|image| &image.layers).map(|layer| layer.key.clone()).collect();
        let leftover = |image: &&Image| {
            let unfinished = image.owner.as_ref().and_then(|(_, deployment)| deployment.as_ref());
            !used.contains(&image.id)
                && !unfinished.is_some_and(|deployment| rows.unfinished.contains(deployment))
        };
        let leftovers = self.images.iter().filter(leftover).filter_map(|image| {
            let (project, deployment) = image.owner.clone()?;
            let (id, created_at) = (image.id.clone(), image.created_at);
            Some(Leftover { id, project, deployment, created_at, layers: image.layers.clone() })
        });
        let leftovers = leftovers.collect();
        let deployments = rows.kept.iter().map(|(kept, _)| {
            let image = kept.image.as_deref().and_then(|image| by_id.get(image));
            Kept {
                layers: image.map(|image| image.layers.clone()).unwrap_or_default(),
                file_bytes: self.sites.get(&kept.id).copied().unwrap_or(0),
                ..kept.clone()
            }
        });
        Facts {
            deployments: deployments.collect(),
            leftovers,
            cache: self.cache.clone(),
            mirrors: self.mirrors.clone(),
            foreign_layers,
        }
    }

    /// Adds up what the engine keeps.
    pub fn add_up(&mut self, facts: &Facts) {
        self.used.images = image_bytes(facts);
        let counted = self.cache.iter().filter(|entry| entry.whose.counts && !entry.record.shared);
        self.used.build_cache =
            counted.fold(0, |all, entry| all.saturating_add(entry.record.bytes));
        self.used.mirrors =
            self.mirrors.iter().fold(0, |all, mirror| all.saturating_add(mirror.bytes));
        self.used.sites = self.sites.values().fold(0, |all, bytes| all.saturating_add(*bytes));
    }
}
