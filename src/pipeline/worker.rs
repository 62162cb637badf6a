//! Decides what runs now. Looks at the database each time, so that it needs no memory of what it was doing.

use std::collections::HashSet;
use std::sync::PoisonError;

use tokio_util::sync::CancellationToken;

use super::{Pipeline, deadline};
use crate::db::{self, DbError};
use crate::model::deployment::Deployment;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::project::Project;
use crate::model::transition::State;

/// An unfinished deployment, its project, and whether somebody wants it to end.
type Waiting = (Deployment, Project, bool);

impl Pipeline {
    /// One round: cancels what is to be canceled, begins what can begin, removes what was deleted.
    pub(super) async fn round(&self) {
        self.end_lost_holds().await;
        match self.db.read(waiting).await {
            Ok(waiting) => self.dispatch(waiting).await,
            Err(error) => tracing::error!(%error, "the queue could not be read"),
        }
        self.begin_releases().await;
        self.publish().await;
        self.look_after_pauses().await;
        self.remove_deleted_deployments().await;
        self.remove_deleted().await;
    }

    /// At most one deployment of a project is under way, in the order they were accepted.
    async fn dispatch(&self, waiting: Vec<Waiting>) {
        let mut busy: HashSet<ProjectId> = HashSet::new();
        for (deployment, project, cancel) in waiting {
            let token = self.token_of(&deployment.id);
            match token {
                Some(token) => {
                    if cancel {
                        token.cancel();
                    }
                    busy.insert(project.id);
                }
                None if cancel => self.cancel_queued(&deployment, &project).await,
                // Not running and not queued: a run that was lost. It goes on or begins again.
                None if deployment.state != State::Queued => {
                    // Its turn stays its own: a later one must not overtake it and be replaced by it.
                    busy.insert(project.id.clone());
                    self.take_up(deployment, project).await
                }
                // Others need not wait for its forge.
                None if deployment.checks_until.is_some() => {}
                None if busy.insert(project.id.clone()) => self.begin(deployment, project),
                None => {}
            }
        }
    }

    fn token_of(&self, id: &DeploymentId) -> Option<CancellationToken> {
        self.state.running.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Begins with a deployment where its state says.
    pub(super) fn begin(&self, deployment: Deployment, project: Project) {
        let (pipeline, id, token) = (self.clone(), deployment.id.clone(), CancellationToken::new());
        let mut running = self.state.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(id.clone(), token.clone());
        drop(running);
        self.tasks.spawn(async move {
            // In a task of its own: whatever happens there, the entry goes and the next round looks again.
            let inner = pipeline.clone();
            let run = tokio::spawn(async move { inner.deploy(deployment, project, token).await });
            match run.await {
                Ok(true) => {}
                // What could not be written now is not tried again in the same breath.
                Ok(false) => pipeline.pause().await,
                Err(error) => {
                    tracing::error!(deployment = %id, %error, "the deployment's task ended badly");
                }
            }
            pipeline.state.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            pipeline.signal.wake();
        });
    }

    /// Waits a little before something is begun again that could not be written down.
    pub(super) async fn pause(&self) {
        let stopping = self.tasks.stopping();
        tokio::select! {
            () = tokio::time::sleep(deadline::AGAIN) => {}
            () = stopping.cancelled() => {}
        }
    }

    /// Ends a deployment that nothing runs for.
    async fn cancel_queued(&self, deployment: &Deployment, project: &Project) {
        match self.cancel(deployment, project, deployment.state).await {
            Ok(()) => {
                self.discard(deployment).await;
                self.ended(deployment, project).await;
            }
            // It ended after it was read.
            Err(DbError::Stale) => {}
            Err(error) => {
                tracing::error!(deployment = %deployment.id, %error, "it could not be canceled")
            }
        }
    }
}

fn waiting(connection: &db::Connection) -> Result<Vec<Waiting>, DbError> {
    let mut all = Vec::new();
    for deployment in db::deployments::unfinished(connection)? {
        if let Some((project, deleted)) =
            db::projects::find_any(connection, &deployment.project_id)?
        {
            let cancel = deleted || deployment.cancel_requested;
            all.push((deployment, project, cancel));
        }
    }
    Ok(all)
}
