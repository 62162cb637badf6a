//! Taking things off the engine and the disk again.

use futures_util::future::join_all;

use super::Pipeline;
use super::replicas;
use super::start::{network_name, own_network_name};
use crate::db::{self, DbError};
use crate::failpoint;
use crate::logs::LogName;
use crate::model::deployment::Deployment;
use crate::model::ids::{DeploymentId, ProjectId};

impl Pipeline {
    /// As [`Pipeline::discard`], for as long as it takes.
    pub(super) async fn remove_objects(&self, deployment: &Deployment) -> bool {
        failpoint::pass("cleanup").await;
        let mut clean = true;
        let id = &deployment.id;
        let containers = replicas::known(deployment);
        let removed = join_all(containers.iter().map(|one| self.engine.remove(one))).await;
        for error in removed.into_iter().filter_map(Result::err) {
            tracing::warn!(deployment = %id, %error, "a container could not be removed");
            clean = false;
        }
        clean &= self.remove_release_container(id).await;
        if deployment.untrusted
            && let Err(error) = self.engine.remove_network(&own_network_name(id)).await
        {
            tracing::warn!(deployment = %id, %error, "its network could not be removed");
            clean = false;
        }
        let tag = format!("orbitra/{}:{id}", deployment.project_id);
        if let Err(error) = self.engine.remove_image(&tag).await {
            tracing::warn!(deployment = %id, %error, "the image could not be removed");
            clean = false;
        }
        clean &= self.remove_pulled(deployment).await;
        let site = self.site_of(id);
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(site)).await;
        if let Ok(Err(error)) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(deployment = %id, %error, "the files could not be removed");
            clean = false;
        }
        clean
    }

    /// Removes the image a deployment was made of, when it is on the engine for this one alone. One that was there before
    /// Orbitra asked for it is somebody else's. Answers whether nothing is left.
    async fn remove_pulled(&self, deployment: &Deployment) -> bool {
        let wanted = deployment.id.clone();
        let found = self.db.read(move |c| -> Result<_, DbError> {
            let Some(stored) = db::deployments::find_any(c, &wanted)? else { return Ok(None) };
            let last = db::transitions::is_last_of_pin(c, &wanted)?;
            Ok(stored.image_pin.filter(|_| last))
        });
        match found.await {
            Ok(None) => true,
            Ok(Some(pin)) => match self.engine.remove_image(&pin).await {
                Ok(()) => true,
                Err(error) => {
                    tracing::warn!(deployment = %deployment.id, %error, "the image could not be removed");
                    false
                }
            },
            Err(error) => {
                tracing::warn!(deployment = %deployment.id, %error, "its image could not be looked up");
                false
            }
        }
    }

    /// Removes what is left of deleted deployments; what resists is tried again in the next round.
    pub(super) async fn remove_deleted_deployments(&self) {
        let marked = match self.db.read(db::removals::marked).await {
            Ok(marked) => marked,
            Err(error) => {
                tracing::error!(%error, "deleted deployments could not be read");
                return;
            }
        };
        for id in marked {
            if let Err(error) = self.remove_deployment(&id).await {
                tracing::error!(deployment = %id, %error, "the deployment could not be removed");
            }
        }
    }

    async fn remove_deployment(&self, id: &DeploymentId) -> Result<(), DbError> {
        let lock = self.lock_of(id);
        let _turn = lock.lock().await;
        let wanted = id.clone();
        let found = self.db.read(move |c| db::deployments::find_any(c, &wanted)).await?;
        let Some(deployment) = found else { return Ok(()) };
        if let Some(upstream) = self.publisher.upstream(id) {
            upstream.cut();
        }
        if !self.discard(&deployment).await || !self.remove_logs(id).await {
            return Ok(());
        }
        let id = id.clone();
        self.db.write(move |c| db::removals::purge(c, &id)).await
    }

    async fn remove_logs(&self, id: &DeploymentId) -> bool {
        let removed = self.logs.remove(LogName::Build(id.clone())).await;
        if let Err(error) = &removed {
            tracing::warn!(deployment = %id, %error, "the build log could not be removed");
        }
        removed.is_ok()
    }

    /// Removes everything of deleted projects whose deployments have all ended.
    pub(super) async fn remove_deleted(&self) {
        let deleted = match self.db.read(db::projects::deleted).await {
            Ok(deleted) => deleted,
            Err(error) => {
                tracing::error!(%error, "deleted projects could not be read");
                return;
            }
        };
        for project in deleted {
            if let Err(error) = self.remove_project(&project).await {
                tracing::error!(%project, %error, "the project could not be removed");
            }
        }
    }

    async fn remove_project(&self, project: &ProjectId) -> Result<(), DbError> {
        let id = project.clone();
        let deployments = self.db.read(move |c| db::deployments::of_project(c, &id)).await?;
        if deployments.iter().any(|deployment| deployment.state.unfinished()) {
            return Ok(());
        }
        for deployment in &deployments {
            if let Some(upstream) = self.publisher.upstream(&deployment.id) {
                upstream.cut();
            }
            self.discard(deployment).await;
            failpoint::pass("remove.half").await;
            self.remove_logs(&deployment.id).await;
        }
        if let Err(error) = self.engine.remove_network(&network_name(project)).await {
            // Without the network's removal the row stays, so that the next round tries again.
            tracing::warn!(%project, %error, "the network could not be removed");
            return Ok(());
        }
        if let Err(error) = self.logs.remove(LogName::Runtime(project.clone())).await {
            tracing::warn!(%project, %error, "the runtime log could not be removed");
            return Ok(());
        }
        if !self.fetcher.forget(project.as_str()).await {
            tracing::warn!(%project, "what was fetched for it could not be removed");
            return Ok(());
        }
        let id = project.clone();
        self.db.write(move |c| db::projects::purge(c, &id)).await
    }
}
