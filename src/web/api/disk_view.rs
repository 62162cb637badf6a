//! What is kept on the disk, as the API shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::config::Config;
use crate::model::disk::Measure;
use crate::model::ids::ProjectId;
use crate::model::timestamp::Timestamp;

/// What this server keeps on the disk. What was not measured yet is `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = Disk)]
pub struct DiskView {
    /// When it was measured.
    measured_at: Option<Timestamp>,
    /// All of the following together.
    used_bytes: Option<u64>,
    /// Images of deployments; what several of them have in common counts once.
    images_bytes: Option<u64>,
    /// Files of sites.
    sites_bytes: Option<u64>,
    build_cache_bytes: Option<u64>,
    /// Copies of repositories.
    mirrors_bytes: Option<u64>,
    logs_bytes: Option<u64>,
    /// Archives that were sent.
    uploads_bytes: Option<u64>,
    database_bytes: Option<u64>,
    /// What all of it may take together. What is over it makes room.
    budget_bytes: Option<u64>,
    /// What is left on the fullest disk that builds need.
    free_bytes: Option<u64>,
    /// With less than this left nothing is built.
    floor_bytes: u64,
    /// The part of the build cache that is for one project alone.
    projects: Vec<ProjectDiskView>,
}

/// What one project keeps on the disk.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectDisk)]
struct ProjectDiskView {
    project_id: ProjectId,
    build_cache_bytes: u64,
}

impl DiskView {
    /// The view of what was measured.
    pub fn new(measure: Option<&Measure>, free_bytes: Option<u64>, config: &Config) -> Self {
        let used = measure.map(|measure| measure.used);
        let mut projects: BTreeMap<&ProjectId, u64> = BTreeMap::new();
        for entry in measure.into_iter().flat_map(|measure| &measure.cache) {
            if let Some(project) = entry.whose.project.as_ref().filter(|_| !entry.record.shared) {
                let bytes = projects.entry(project).or_default();
                *bytes = bytes.saturating_add(entry.record.bytes);
            }
        }
        Self {
            measured_at: measure.map(|measure| measure.at),
            used_bytes: used.map(|used| used.total()),
            images_bytes: used.map(|used| used.images),
            sites_bytes: used.map(|used| used.sites),
            build_cache_bytes: used.map(|used| used.build_cache),
            mirrors_bytes: used.map(|used| used.mirrors),
            logs_bytes: used.map(|used| used.logs),
            uploads_bytes: used.map(|used| used.uploads),
            database_bytes: used.map(|used| used.database),
            budget_bytes: measure.map(|measure| measure.budget),
            free_bytes,
            floor_bytes: config.disk_floor,
            projects: projects
                .into_iter()
                .map(|(project, build_cache_bytes)| ProjectDiskView {
                    project_id: project.clone(),
                    build_cache_bytes,
                })
                .collect(),
        }
    }
}
