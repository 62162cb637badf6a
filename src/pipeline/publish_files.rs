//! Stage 3 of a static site: its files beside the others; the proxy serves them.

use super::job::Job;
use super::stop::Stop;
use crate::db;
use crate::git::FetchedCommit;
use crate::git::extract::{self, ExtractLimits};
use crate::model::deployment::RunState;
use crate::model::failure::{Failure, FailureCode};
use crate::model::transition::State;

/// Most files and bytes of one site.
const LIMITS: ExtractLimits = ExtractLimits { files: 50_000, bytes: 1024 * 1024 * 1024 };

impl Job {
    /// Writes the files out.
    pub(super) async fn publish_files(
        &mut self,
        source: &FetchedCommit,
        directory: &str,
    ) -> Result<(), Stop> {
        self.advance(State::Building).await?;
        let tree = self.root(source).await?;
        let (directory, target) =
            (directory.to_owned(), self.pipeline.site_of(&self.deployment.id));
        let written = tokio::task::spawn_blocking(move || {
            // A run that was cut off may have left a part.
            if let Err(error) = std::fs::remove_dir_all(&target)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error.into());
            }
            extract::extract(tree.as_ref(), &directory, &target, LIMITS)
        });
        let failed = |message: String| {
            Stop::Failed(Failure::new(FailureCode::BuildFailed, "building", message))
        };
        let extracted = written.await.map_err(|error| failed(error.to_string()))?;
        let extracted = extracted.map_err(|error| failed(error.to_string()))?;
        let (files, kilobytes) = (extracted.files, extracted.bytes.div_ceil(1024));
        self.say(format!(
            "{files} files, {kilobytes} KB. No container is needed: they are served directly."
        ));
        let id = self.deployment.id.clone();
        self.pipeline
            .db
            .write(move |c| db::transitions::record_run(c, &id, RunState::Files, None, None))
            .await?;
        Ok(())
    }
}

impl super::Pipeline {
    /// Where a deployment's files are.
    pub(super) fn site_of(&self, id: &crate::model::ids::DeploymentId) -> std::path::PathBuf {
        self.sites.join(id.as_str())
    }
}
