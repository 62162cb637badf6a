//! What everything takes on the disk: asked for by the sweep and by nobody who waits.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Pipeline;
use crate::config::machine;
use crate::db::{self, DbError};
use crate::model::build_cache;
use crate::model::disk::{Image, Measure, Rows};
use crate::model::ids::DeploymentId;
use crate::model::retention::Mirror;

/// How long a look at the build cache holds: the engine adds up all it has for it.
const CACHE_AGE: Duration = Duration::from_secs(300);
/// The part of the engine's disk that everything may take together when nobody says more, in percent.
const SHARE: u64 = 60;

/// What the file systems say.
struct Files {
    sites: HashMap<DeploymentId, u64>,
    mirrors: Vec<Mirror>,
    logs: u64,
    uploads: u64,
    database: u64,
    /// Of the engine's file system.
    disk: Option<u64>,
}

impl Pipeline {
    /// Looks at everything. `thorough` looks at the build cache even when that was done a moment ago.
    ///
    /// # Errors
    /// The engine does not answer, or the database cannot be read.
    pub(super) async fn measure(&self, thorough: bool) -> Result<(Measure, Rows), MeasureError> {
        let before = self.measured.borrow().clone();
        let now = self.clock.now();
        let images = self.engine.images().await.map_err(|error| MeasureError(error.to_string()))?;
        let images = images.into_iter().map(|image| Image {
            owner: image.owner.map(|owner| (owner.project, owner.deployment)),
            id: image.id,
            created_at: image.created_at,
            layers: image.layers,
        });
        let mut measure = Measure { at: now, images: images.collect(), ..Measure::default() };
        let fresh = before.filter(|before| {
            !thorough && now.millis_since(before.cache_at) < CACHE_AGE.as_millis() as u64
        });
        (measure.cache_at, measure.cache) = match fresh {
            Some(before) => (before.cache_at, before.cache.clone()),
            None => (now, self.look_at_cache().await?),
        };
        let files = self.look_at_files().await?;
        measure.mirrors = files.mirrors;
        measure.sites = files.sites;
        measure.used.logs = files.logs;
        measure.used.uploads = files.uploads;
        measure.used.database = files.database;
        measure.budget = match self.room.budget {
            0 => files.disk.map_or(u64::MAX, |disk| disk / 100 * SHARE),
            bytes => bytes,
        };
        let rows = self.db.read(db::retention::rows).await?;
        let facts = measure.facts(rows.clone());
        measure.add_up(&facts);
        Ok((measure, rows))
    }

    /// Every record of the build cache and whose it is; remembered, because builds are forgotten earlier.
    async fn look_at_cache(&self) -> Result<Vec<build_cache::Entry>, MeasureError> {
        let records = self.engine.build_cache().await;
        let records = records.map_err(|error| MeasureError(error.to_string()))?;
        let now = self.clock.now();
        let (builds, known) = self
            .db
            .read(move |c| -> Result<_, DbError> {
                Ok((db::build_cache::builds(c, now)?, db::build_cache::known(c)?))
            })
            .await?;
        let entries = build_cache::attribute(records, &builds, &known);
        let stored = entries.clone();
        self.db.write(move |c| db::build_cache::replace(c, &stored)).await?;
        Ok(entries)
    }

    async fn look_at_files(&self) -> Result<Files, MeasureError> {
        let (sites, uploads, data) =
            (self.sites.clone(), self.uploads.clone(), self.room.data.clone());
        let storage = self.engine.storage().await;
        let mirrors = self.fetcher.mirrors().await;
        let looked = tokio::task::spawn_blocking(move || Files {
            sites: by_deployment(&sites),
            mirrors: mirrors
                .into_iter()
                .map(|kept| Mirror {
                    bytes: kept.paths.iter().map(|path| size_of(path)).sum(),
                    name: kept.name,
                    used_at: kept.used_at,
                })
                .collect(),
            logs: size_of(&data.join("logs")),
            uploads: size_of(&uploads),
            database: ["orbitra.db", "orbitra.db-wal"]
                .into_iter()
                .map(|name| size_of(&data.join(name)))
                .fold(0, u64::saturating_add),
            disk: machine::disk(&storage.unwrap_or(data)).map(|disk| disk.bytes),
        });
        looked.await.map_err(|error| MeasureError(error.to_string()))
    }

    /// Bytes that are missing on the fullest disk for a build to begin.
    pub(super) async fn below_floor(&self) -> u64 {
        let engine = self.engine.storage().await;
        let (floor, data) = (self.room.disk, self.room.data.clone());
        let places = [Some(data), engine].into_iter().flatten();
        let looked = tokio::task::spawn_blocking(move || machine::least_free_disk(places));
        looked.await.ok().flatten().map_or(0, |free| floor.saturating_sub(free))
    }
}

/// It cannot be found out now.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct MeasureError(String);

impl From<DbError> for MeasureError {
    fn from(error: DbError) -> Self {
        Self(error.to_string())
    }
}

fn by_deployment(sites: &Path) -> HashMap<DeploymentId, u64> {
    let entries = std::fs::read_dir(sites).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let id = DeploymentId::parse(entry.file_name().to_str()?)?;
            Some((id, size_of(&entry.path())))
        })
        .collect()
}

/// Bytes that a file or a directory takes; what cannot be read takes none. Links are not followed.
pub(super) fn size_of(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0_u64;
    let mut ahead: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(path) = ahead.pop() {
        let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
        bytes = bytes.saturating_add(meta.blocks().saturating_mul(512));
        if meta.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            ahead.extend(entries.map(|entry| entry.path()));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_takes_what_its_files_take_and_links_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let id = "dep_0123456789abcdef";
        std::fs::create_dir_all(directory.path().join(id).join("deep")).unwrap();
        let file = directory.path().join(id).join("deep/file");
        std::fs::write(&file, vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("/", directory.path().join(id).join("link")).unwrap();
        std::fs::write(directory.path().join("other"), "x").unwrap();
        let sites = by_deployment(directory.path());
        assert_eq!(sites.len(), 1);
        let bytes = sites[&DeploymentId::parse(id).unwrap()];
        assert!((100_000..200_000).contains(&bytes), "{bytes}");
        assert_eq!(size_of(Path::new("/there/is/no/such/place")), 0);
    }
}
