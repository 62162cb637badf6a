//! The build log of a deployment, in pages and live.

use futures_util::stream::BoxStream;

use super::may::Action;
use super::{App, AppError};
use crate::logs::{LogName, LogPage, Order};
use crate::model::actor::Actor;
use crate::model::deployment::Deployment;
use crate::model::log_line::LogLine;

impl App {
    /// Lines after `after_seq`, at most `limit`.
    ///
    /// # Errors
    /// No such deployment, or the key lacks `logs:read`.
    pub async fn build_log(
        &self,
        actor: &Actor,
        id: &str,
        after_seq: u64,
        limit: usize,
        order: Order,
    ) -> Result<(Deployment, LogPage), AppError> {
        let (deployment, _) = self.deployment_for(actor, Action::LogsRead, id).await?;
        let name = LogName::Build(deployment.id.clone());
        let page = self.logs.read(name, after_seq, limit, order).await;
        let page = page.map_err(|error| AppError::Internal(error.to_string()))?;
        Ok((deployment, page))
    }

    /// Every line after `after_seq` as it comes; ends with the log.
    ///
    /// # Errors
    /// No such deployment, or the key lacks `logs:read`.
    pub async fn follow_build_log(
        &self,
        actor: &Actor,
        id: &str,
        after_seq: u64,
    ) -> Result<(Deployment, BoxStream<'static, LogLine>), AppError> {
        let (deployment, _) = self.deployment_for(actor, Action::LogsRead, id).await?;
        let lines = self.logs.follow(LogName::Build(deployment.id.clone()), after_seq);
        Ok((deployment, lines))
    }
}
