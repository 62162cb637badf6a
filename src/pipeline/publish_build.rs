//! Stage 3 of a site that a build makes: its files beside the others; the proxy serves them.

use tokio::sync::mpsc;

use super::job::Job;
use super::publish_files::LIMITS;
use super::stop::Stop;
use super::unpack::{Received, UnpackError, unpack};
use crate::git::FetchedCommit;
use crate::model::failure::{Failure, FailureCode};
use crate::model::transition::State;

/// Parts of the files that wait for the disk.
const WAITING: usize = 16;

impl Job {
    /// Runs the build and writes its files out while they come. No image is kept.
    pub(super) async fn publish_build(
        &mut self,
        source: &FetchedCommit,
        dockerfile: &str,
    ) -> Result<(), Stop> {
        self.advance(State::Building).await?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let target = self.pipeline.site_of(&self.deployment.id);
        let unpacking = tokio::task::spawn_blocking(move || {
            // A run that was cut off may have left a part.
            match std::fs::remove_dir_all(&target) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(UnpackError::Io(error));
                }
                _ => {}
            }
            unpack(Received::new(receiver), &target, LIMITS)
        });
        let built = self.run_build(source, dockerfile, None, Some(sender)).await;
        // Ends soon after the build: its stream is closed by now.
        let unpacked = unpacking.await;
        let failed = |code, message: String| Stop::Failed(Failure::new(code, "building", message));
        let unpacked =
            unpacked.map_err(|error| failed(FailureCode::BuildFailed, error.to_string()))?;
        let written = match (built?, unpacked) {
            (_, Err(UnpackError::Io(error))) if error.kind() == std::io::ErrorKind::StorageFull => {
                let message = "No space is left on the server's disk. Free some and deploy again.";
                return Err(failed(FailureCode::DiskFull, message.to_owned()));
            }
            // The build failed because nobody took its files any more.
            (Err(_), Err(error)) if !matches!(error, UnpackError::Unreadable(_)) => {
                return Err(failed(FailureCode::BuildFailed, error.to_string()));
            }
            (Err(error), _) => return Err(self.build_stop(error)),
            (Ok(_), Err(error)) => return Err(failed(FailureCode::BuildFailed, error.to_string())),
            (Ok(_), Ok(written)) => written,
        };
        if written.files == 0 {
            let message = "The build made no files that can be served. Is the output directory the right one?";
            return Err(failed(FailureCode::BuildFailed, message.to_owned()));
        }
        self.files_published(written).await
    }
}
