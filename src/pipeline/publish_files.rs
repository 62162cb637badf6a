//! Stage 3 of a static site: its files beside the others; the proxy serves them.

use super::job::Job;
use super::precompress::precompress;
use super::stop::Stop;
use crate::db;
use crate::git::FetchedCommit;
use crate::git::extract::{self, ExtractLimits};
use crate::model::deployment::RunState;
use crate::model::failure::{Failure, FailureCode};
use crate::model::site_rules::SiteRules;
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
        self.prepare_site().await?;
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

impl Job {
    /// Makes compressed siblings, and names the lines of `_redirects` and `_headers` that cannot be used.
    pub(super) async fn prepare_site(&self) -> Result<(), Stop> {
        let root = self.pipeline.site_of(&self.deployment.id);
        let prepared = tokio::task::spawn_blocking(move || {
            let text = |name: &str| std::fs::read_to_string(root.join(name)).unwrap_or_default();
            let (_, warnings) = SiteRules::parse(&text("_redirects"), &text("_headers"));
            precompress(&root).map(|done| (done, warnings))
        });
        let failed = |message: String| {
            Stop::Failed(Failure::new(FailureCode::BuildFailed, "building", message))
        };
        let prepared = prepared.await.map_err(|error| failed(error.to_string()))?;
        let (done, warnings) = prepared.map_err(|error| {
            failed(format!("The site could not be compressed: {}.", error.kind()))
        })?;
        warnings.into_iter().for_each(|warning| self.warn(warning));
        if done.left > 0 {
            let left = done.left;
            self.say(format!("{left} files are not compressed beforehand: it took too long."));
        }
        Ok(())
    }
}

impl super::Pipeline {
    /// Where a deployment's files are.
    pub(super) fn site_of(&self, id: &crate::model::ids::DeploymentId) -> std::path::PathBuf {
        self.sites.join(id.as_str())
    }
}
