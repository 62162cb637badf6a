//! Archives that are sent to be deployed: received, checked whole, kept until they are used or expire.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use super::journal::{self, Deed};
use super::may::Action;
use super::terms::Terms;
use super::{App, AppError};
use crate::crypto::sha256::Sha256;
use crate::crypto::{random, token};
use crate::db::{self, DbError};
use crate::git::tarball::{self, TarballError};
use crate::model::actor::Actor;
use crate::model::audit::Party;
use crate::model::ids::UploadId;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::timestamp::Timestamp;
use crate::model::upload::{KEPT, MOST_BYTES, MOST_WAITING, Upload};

/// Archives that are received at the same time: what waits on the disk for its check has a bound.
static RECEIVED: Semaphore = Semaphore::const_new(8);
/// Seconds after which another one is worth a try.
const BUSY: u64 = 10;
/// Archives that are checked at the same time; each takes a core.
static CHECKS: Semaphore = Semaphore::const_new(2);
/// Age at which a file without a row was left by something that is over.
const STRAY: Duration = Duration::from_secs(3600);

/// What was received and belongs to nothing yet. Dropping it removes it.
pub struct Received {
    id: UploadId,
    project: Project,
    path: PathBuf,
    size_bytes: u64,
    sha256: [u8; 32],
    kept: bool,
    _place: SemaphorePermit<'static>,
}

/// Why nothing was received.
#[derive(Debug)]
pub enum NotReceived {
    /// More than an archive may have.
    TooLarge,
    /// The connection ended before the body did.
    BrokenOff,
    Refused(AppError),
}

impl From<AppError> for NotReceived {
    fn from(error: AppError) -> Self {
        Self::Refused(error)
    }
}

impl Received {
    /// SHA-256 of what was sent.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.kept {
            // The file may not be there yet.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl App {
    /// Where archives are.
    pub fn uploads_directory(&self) -> PathBuf {
        self.config.data.join("uploads")
    }

    /// Writes a body to the disk, hashed and counted on its way.
    ///
    /// # Errors
    /// See [`NotReceived`]; also when there is no such project.
    pub async fn receive_upload<E>(
        &self,
        actor: &Actor,
        project: &str,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Received, NotReceived> {
        let project = self.project_for(actor, Action::DeploymentsWrite, project).await?;
        self.room_on_disk().await?;
        let place = RECEIVED.try_acquire();
        let place = place.map_err(|_| AppError::TooMany { retry_after_seconds: BUSY })?;
        let directory = self.uploads_directory();
        let id = UploadId::from_random(random::bytes());
        let path = directory.join(Upload::file_name(&id));
        // From here on its end, whatever it is, removes the file.
        let mut received = Received {
            id,
            project,
            path,
            size_bytes: 0,
            sha256: [0; 32],
            kept: false,
            _place: place,
        };
        let at = received.path.clone();
        let made = tokio::task::spawn_blocking(move || make(&directory, &at)).await;
        let made = made.map_err(|error| AppError::Internal(error.to_string()))?;
        let mut file = tokio::fs::File::from_std(made.map_err(unwritable)?);
        let mut hash = Sha256::new();
        while let Some(part) = body.next().await {
            let part = part.map_err(|_| NotReceived::BrokenOff)?;
            received.size_bytes += part.len() as u64;
            if received.size_bytes > MOST_BYTES {
                return Err(NotReceived::TooLarge);
            }
            hash.update(&part);
            file.write_all(&part).await.map_err(unwritable)?;
        }
        file.flush().await.map_err(unwritable)?;
        file.sync_all().await.map_err(unwritable)?;
        received.sha256 = hash.finish();
        Ok(received)
    }

    /// Keeps what was received once everything in it was found to be plain. `announced` is the hash the sender gave.
    ///
    /// # Errors
    /// `Invalid` with what is wrong with the archive, or `TooMany` when the project has many that wait to be used.
    pub async fn keep_upload(
        &self,
        actor: &Actor,
        mut received: Received,
        announced: Option<[u8; 32]>,
        mut problems: Problems,
        terms: &Terms<Upload>,
    ) -> Result<Upload, AppError> {
        terms.admit(self, None).await?;
        if announced.is_some_and(|announced| announced != received.sha256) {
            let message = "The body that came has another SHA-256.";
            problems.invalid("Content-Digest", "format", message);
        }
        if problems.is_empty() {
            check(&received.path, &mut problems).await?;
        }
        AppError::check(problems)?;
        let now = self.clock.now();
        let upload = Upload {
            id: received.id.clone(),
            project_id: received.project.id.clone(),
            size_bytes: received.size_bytes,
            sha256: token::hex(&received.sha256),
            created_at: now,
            expires_at: Timestamp(now.0 + KEPT),
            consumed: false,
        };
        let (app, actor, terms) = (self.clone(), actor.clone(), terms.clone());
        let (stored, project) = (upload.clone(), received.project.clone());
        let written = self.db.write(move |c| -> Result<(), AppError> {
            let missing = || AppError::not_found("project", project.id.as_str());
            db::projects::find(c, &project.id)?.ok_or_else(missing)?;
            if let (MOST_WAITING.., Some(first)) = db::uploads::waiting(c, &project.id, now)? {
                let wait = first.millis_since(now).div_ceil(1000);
                return Err(AppError::TooMany { retry_after_seconds: wait.max(1) });
            }
            db::uploads::insert(c, &stored)?;
            let deed = Deed::to_project("upload.created", &project, json!(null));
            let target = Party::unnamed("upload", &stored.id);
            journal::write(c, &actor, Deed { data: None, target, ..deed }, now)?;
            terms.settle(&app, c, &stored)
        });
        // A writer that is waited for no longer may still commit: the row must then find its file.
        received.kept = true;
        let path = received.path.clone();
        match written.await {
            Ok(()) => Ok(upload),
            Err(error) => {
                let _ = tokio::fs::remove_file(path).await;
                Err(error)
            }
        }
    }

    /// Removes archives that expired unused or that no deployment names any more, and what was left by uploads and
    /// projects that are gone.
    pub async fn forget_old_uploads(&self) {
        let now = self.clock.now();
        let gone = match self.db.write(move |c| db::uploads::delete_old(c, now)).await {
            Ok(gone) => gone,
            Err(error) => return tracing::warn!(%error, "old uploads could not be removed"),
        };
        for id in gone {
            let path = self.uploads_directory().join(Upload::file_name(&id));
            if let Err(error) = tokio::fs::remove_file(path).await {
                tracing::warn!(upload = %id, %error, "the archive could not be removed");
            }
        }
        self.remove_strays(STRAY).await;
    }

    /// Removes every file of the directory that has no row: what a crash cut off. Before anything is received.
    pub async fn clean_uploads(&self) {
        self.remove_strays(Duration::ZERO).await;
    }

    async fn remove_strays(&self, age: Duration) {
        let directory = self.uploads_directory();
        let listed = tokio::task::spawn_blocking(move || files_older_than(&directory, age)).await;
        for path in listed.unwrap_or_default() {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let id = name.strip_suffix(".tar.gz").and_then(UploadId::parse);
            let known = match id {
                Some(id) => self.db.read(move |c| db::uploads::exists(c, &id)).await,
                None => Ok::<_, DbError>(false),
            };
            if matches!(known, Ok(false))
                && let Err(error) = tokio::fs::remove_file(&path).await
            {
                tracing::warn!(%error, "a file that was left over could not be removed");
            }
        }
    }
}

/// Makes the file, and its directory before the first one.
fn make(directory: &Path, path: &Path) -> std::io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // Its name is to survive a power cut as its content does.
    File::open(directory)?.sync_all()?;
    Ok(file)
}

fn files_older_than(directory: &Path, age: Duration) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let now = SystemTime::now();
    let old = |path: &PathBuf| {
        let made = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
        made.is_ok_and(|made| now.duration_since(made).unwrap_or_default() >= age)
    };
    entries.flatten().map(|entry| entry.path()).filter(old).collect()
}

/// Notes what is wrong with an archive.
async fn check(path: &Path, problems: &mut Problems) -> Result<(), AppError> {
    let closed = |_| AppError::Internal("archives are no longer checked".to_owned());
    let permit = CHECKS.acquire().await.map_err(closed)?;
    // Canceled when nobody waits any more.
    let waiting = CancellationToken::new();
    let (path, stop) = (path.to_owned(), waiting.clone());
    let _nobody = waiting.drop_guard();
    let checked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        tarball::check(&path, &|| stop.is_cancelled())
    });
    match checked.await.map_err(|error| AppError::Internal(error.to_string()))? {
        Ok(_) => {}
        Err(TarballError::Stopped) => {
            return Err(AppError::Internal("an archive was not checked to its end".to_owned()));
        }
        Err(TarballError::Refused { code, message }) => {
            problems.invalid("body", code, message);
        }
        Err(TarballError::Disk(error)) => return Err(AppError::Internal(error.to_string())),
    }
    Ok(())
}

fn unwritable(error: std::io::Error) -> AppError {
    if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
        return AppError::Unavailable {
            reason: "disk_full",
            message: "No archive can be stored right now. Free some disk space and try again.",
        };
    }
    AppError::Internal(format!("an archive could not be written: {error}"))
}
