//! What applications write while they run and the requests they get, in pages and live.

use futures_util::stream::BoxStream;

use super::may::Action;
use super::{App, AppError};
use crate::logs::{LogName, LogPage, Order, Selection};
use crate::model::actor::Actor;
use crate::model::ids::ProjectId;
use crate::model::log_line::LogLine;

impl App {
    /// The project whose log is read: the named one's, or that of the named deployment, of which alone `wanted` then
    /// takes lines.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `logs:read`.
    pub async fn runtime_log_of(
        &self,
        actor: &Actor,
        named: Logged<'_>,
        wanted: &mut Selection,
    ) -> Result<ProjectId, AppError> {
        match named {
            Logged::Project(project) => {
                Ok(self.project_for(actor, Action::LogsRead, project).await?.id)
            }
            Logged::Deployment(id) => {
                let (deployment, project) =
                    self.deployment_for(actor, Action::LogsRead, id).await?;
                wanted.deployment = Some(deployment.id);
                Ok(project.id)
            }
        }
    }

    /// Lines after `after_seq`, at most `limit`. The project is one that [`App::runtime_log_of`] gave.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn runtime_log(
        &self,
        project: &ProjectId,
        wanted: Selection,
        after_seq: u64,
        limit: usize,
        order: Order,
    ) -> Result<LogPage, AppError> {
        let name = LogName::Runtime(project.clone());
        let page = self.logs.select(name, wanted, after_seq, limit, order).await;
        page.map_err(|error| AppError::Internal(error.to_string()))
    }

    /// Every line after `after_seq`, or from now on, as it comes; ends when the project is deleted.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn follow_runtime_log(
        &self,
        project: &ProjectId,
        after_seq: Option<u64>,
    ) -> Result<BoxStream<'static, LogLine>, AppError> {
        let name = LogName::Runtime(project.clone());
        let after = match after_seq {
            Some(after) => after,
            None => {
                let last = self.logs.last_seq(name.clone()).await;
                last.map_err(|error| AppError::Internal(error.to_string()))?
            }
        };
        Ok(self.logs.follow(name, after))
    }

    /// Deletes lines that are too old.
    pub async fn forget_old_lines(&self) {
        if let Err(error) = self.logs.delete_old().await {
            tracing::warn!(%error, "old log lines could not be removed");
        }
    }
}

/// What a runtime log is asked for by.
#[derive(Clone, Copy, Debug)]
pub enum Logged<'a> {
    /// Its id or name.
    Project(&'a str),
    /// Its id.
    Deployment(&'a str),
}
