//! Stage 3 of a static site: its files beside the others; the proxy serves them.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::precompress::precompress;
use super::stop::Stop;
use crate::db;
use crate::git::extract::{self, ExtractLimits, Extracted};
use crate::git::{Content, Entry, EntryKind, FetchedCommit, SourceTree, TreeError};
use crate::model::deployment::RunState;
use crate::model::failure::{Failure, FailureCode};
use crate::model::receipt::FileFacts;
use crate::model::site_rules::SiteRules;
use crate::model::transition::State;

/// Most files and bytes of one site.
pub(super) const LIMITS: ExtractLimits = ExtractLimits { files: 50_000, bytes: 1024 * 1024 * 1024 };

impl Job {
    /// Writes the files out.
    pub(super) async fn publish_files(
        &mut self,
        source: &FetchedCommit,
        directory: &str,
    ) -> Result<(), Stop> {
        self.advance(State::Building).await?;
        let tree = self.root(source).await?;
        let cancel = self.cancel.clone();
        let (directory, target) =
            (directory.to_owned(), self.pipeline.site_of(&self.deployment.id));
        let written = tokio::task::spawn_blocking(move || {
            // A run that was cut off may have left a part.
            if let Err(error) = std::fs::remove_dir_all(&target)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error.into());
            }
            let tree = Stoppable { tree, cancel };
            extract::extract(&tree, &directory, &target, LIMITS)
        });
        let failed = |message: String| {
            Stop::Failed(Failure::new(FailureCode::BuildFailed, "building", message))
        };
        let extracted = written.await.map_err(|error| failed(error.to_string()))?;
        // What could not be read because nobody wants it any more is no failure.
        self.stop_if_canceled()?;
        let extracted = extracted.map_err(|error| failed(error.to_string()))?;
        self.files_published(extracted).await
    }

    /// Remembers that the deployment is files, and says how many.
    pub(super) async fn files_published(&mut self, extracted: Extracted) -> Result<(), Stop> {
        self.prepare_site().await?;
        let (files, kilobytes) = (extracted.files, extracted.bytes.div_ceil(1024));
        self.say(format!(
            "{files} files, {kilobytes} KB. No container is needed: they are served directly."
        ));
        self.gathered.files =
            Some(FileFacts { count: files.try_into().unwrap_or(u64::MAX), bytes: extracted.bytes });
        let id = self.deployment.id.clone();
        self.pipeline
            .db
            .write(move |c| db::transitions::record_run(c, &id, RunState::Files))
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

/// A tree that ends when its deployment does.
struct Stoppable {
    tree: Arc<dyn SourceTree>,
    cancel: CancellationToken,
}

impl SourceTree for Stoppable {
    fn list(&self, directory: &str) -> Result<Vec<Entry>, TreeError> {
        self.tree.list(directory)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        self.tree.read(path, limit)
    }

    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        self.tree.kind(path)
    }

    fn walk(
        &self,
        visit: &mut dyn FnMut(&Entry, &mut dyn Content) -> std::io::Result<()>,
    ) -> Result<(), TreeError> {
        self.tree.walk(&mut |entry, content| {
            if self.cancel.is_cancelled() {
                return Err(std::io::Error::other("canceled"));
            }
            visit(entry, content)
        })
    }

    fn subtree(&self, directory: &str) -> Result<Arc<dyn SourceTree>, TreeError> {
        let tree = self.tree.subtree(directory)?;
        Ok(Arc::new(Self { tree, cancel: self.cancel.clone() }))
    }
}
