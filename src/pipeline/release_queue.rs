//! Which wish is carried out now, and how each ended. Looks at the database each time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::PoisonError;

use tokio_util::sync::CancellationToken;

use super::Pipeline;
use super::release::Run;
use super::stop::Stop;
use crate::db::deployment_env::{self, Snapshot};
use crate::db::{self, DbError};
use crate::logs::Redactor;
use crate::model::deployment::Deployment;
use crate::model::ids::ProjectId;
use crate::model::release::{Release, ReleaseKind};

impl Pipeline {
    /// Begins what can begin: one release of a project at a time, a switch before a restart.
    pub(super) async fn begin_releases(&self) {
        let pending = match self.db.read(db::releases::pending).await {
            Ok(pending) => pending,
            Err(error) => {
                tracing::error!(%error, "releases could not be read");
                return;
            }
        };
        let mut wanted: HashMap<ProjectId, Release> = HashMap::new();
        for release in pending {
            wanted.entry(release.project_id.clone()).or_insert(release);
        }
        let mut running = self.state.releasing.lock().unwrap_or_else(PoisonError::into_inner);
        for (project, (seq, token)) in running.iter() {
            if wanted.get(project).is_none_or(|wanted| wanted.seq != *seq) {
                token.cancel();
            }
        }
        for (project, release) in wanted {
            if let Entry::Vacant(place) = running.entry(project) {
                let token = CancellationToken::new();
                place.insert((release.seq, token.clone()));
                self.spawn_release(release, token);
            }
        }
    }

    fn spawn_release(&self, release: Release, token: CancellationToken) {
        let pipeline = self.clone();
        self.tasks.spawn(async move {
            let (inner, project) = (pipeline.clone(), release.project_id.clone());
            let run = tokio::spawn(async move { inner.release(release, token).await });
            if let Err(error) = run.await {
                tracing::error!(%project, %error, "the release's task ended badly");
            }
            pipeline
                .state
                .releasing
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&project);
            pipeline.signal.wake();
        });
    }

    /// Runs one release and writes down how it ended.
    async fn release(&self, release: Release, cancel: CancellationToken) {
        let (seq, deployment) = (release.seq, release.deployment_id.clone());
        let mut run = match self.open_release(release, cancel).await {
            Ok(run) => run,
            // Nothing is left that it could be about; kept, it would be begun again and again.
            Err(Stop::Lost(DbError::Stale)) => {
                let dropped = self.db.write(move |c| db::releases::take(c, seq)).await;
                if let Err(error) = dropped
                    && !matches!(error, DbError::Stale)
                {
                    tracing::error!(release = seq, %error, "the release could not be dropped");
                }
                return;
            }
            // Its variables do not open: the next time they will not either.
            Err(Stop::Failed(failure)) => {
                let written = self.db.write(move |c| -> Result<(), DbError> {
                    db::releases::take(c, seq)?;
                    db::transitions::record_failure(c, &deployment, Some(&failure))
                });
                if let Err(error) = written.await {
                    tracing::error!(release = seq, %error, "the failure could not be written down");
                    self.pause().await;
                }
                return;
            }
            Err(stop) => {
                tracing::error!(release = seq, ?stop, "the release could not begin");
                self.pause().await;
                return;
            }
        };
        let ended = match run.way().await {
            Ok(()) => Ok(()),
            Err(Stop::Failed(failure)) => run.fail(failure).await,
            Err(Stop::Canceled) => run.give_way().await,
            // The next start goes on.
            Err(Stop::Interrupted) => return,
            Err(Stop::Lost(error)) => Err(error),
        };
        if let Err(error) = ended {
            tracing::error!(release = seq, %error, "the release was lost");
            self.pause().await;
        }
        self.announce(&run.project, &run.deployment.id);
        self.publish().await;
    }

    async fn open_release(
        &self,
        mut release: Release,
        cancel: CancellationToken,
    ) -> Result<Run, Stop> {
        let mut wanted = release.clone();
        let (release_, deployment, mut project) = self
            .db
            .write(move |c| -> Result<_, DbError> {
                let (project, deleted) =
                    db::projects::find_any(c, &wanted.project_id)?.ok_or(DbError::Stale)?;
                // A restart is for what is live when its turn comes.
                if wanted.kind == ReleaseKind::Restart {
                    match &project.live_deployment_id {
                        Some(live) => wanted.deployment_id = live.clone(),
                        None => return Err(DbError::Stale),
                    }
                }
                wanted.attempts = db::releases::begin(c, wanted.seq, &wanted.deployment_id)?;
                let deployment = db::deployments::find_any(c, &wanted.deployment_id)?;
                let deployment = deployment.filter(|_| !deleted).ok_or(DbError::Stale)?;
                Ok((wanted, deployment, project))
            })
            .await?;
        release = release_;
        if let Some(plan) = &deployment.plan {
            project.runtime.apply(&plan.repository);
        }
        let drawn = match release.is_beside() {
            true => Some(self.draw_environment(&deployment).await?),
            false => None,
        };
        let environment = self.environment_with(&deployment, drawn.as_ref()).await?;
        let redactor = Redactor::new(environment.iter().map(|(_, value)| value.as_str()));
        let pipeline = self.clone();
        let held = None;
        Ok(Run {
            pipeline,
            release,
            deployment,
            project,
            environment,
            drawn,
            redactor,
            cancel,
            held,
        })
    }

    /// What the deployment would get from its project now. It is the deployment's own only when the container that
    /// got it serves.
    async fn draw_environment(&self, deployment: &Deployment) -> Result<Snapshot, Stop> {
        let (id, secrets) = (deployment.id.clone(), self.secrets.clone());
        let drawn = self.db.read(move |c| {
            let reseal = |from: &str, to: &str, value: &[u8]| secrets.reseal(from, to, value).ok();
            deployment_env::draw(c, &id, &reseal)
        });
        Ok(drawn.await?)
    }
}
