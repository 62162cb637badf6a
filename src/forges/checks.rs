//! Deployments that wait until their commit's checks are done.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::{AT_ONCE, Parts, SIDE_BY_SIDE, TIMEOUT, Teller, commit, refusal};
use crate::db::checks::Checked;
use crate::db::{self, DbError};
use crate::model::deployment::{CancelReason, Deployment};
use crate::model::forge::{self, Verdict, WAITING, questions, repository_of, verdict};
use crate::model::project::Project;

/// Time between two looks.
const AGAIN: Duration = Duration::from_secs(10);
/// So long after a push nobody having said anything may mean that nobody has begun yet.
const SILENCE: u64 = 60_000;
/// Largest answer that is read, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

impl Teller {
    /// Looks at the checks of what waits for them.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn look(&self) -> Result<(), DbError> {
        let now = self.0.clock.now();
        let due = self.0.db.read(move |c| db::checks::due(c, now, AT_ONCE)).await?;
        let looks = stream::iter(due).map(|checked| async move { self.look_at(checked).await });
        let mut looks = looks.buffer_unordered(SIDE_BY_SIDE);
        let mut moved = false;
        while let Some(one) = looks.next().await {
            moved |= one?;
        }
        if moved {
            self.0.pipeline.wake();
        }
        Ok(())
    }

    /// Answers whether it waits no more.
    async fn look_at(&self, checked: Checked) -> Result<bool, DbError> {
        let Parts { db, clock, .. } = &self.0;
        let id = checked.deployment.clone();
        let found = db
            .read(move |c| -> Result<_, DbError> {
                let Some(deployment) = db::deployments::find(c, &id)? else { return Ok(None) };
                let project = db::projects::find(c, &deployment.project_id)?;
                Ok(project.map(|project| (deployment, project)))
            })
            .await?;
        let Some((deployment, project)) = found else { return Ok(false) };
        let now = clock.now();
        let waited = now.millis_since(deployment.created_at);
        let found = self.checks(&deployment, &project).await;
        let end = match found {
            Ok(Verdict::Passed) => None,
            Ok(Verdict::None) if waited >= SILENCE => None,
            Ok(Verdict::Failed(name)) => {
                tracing::info!(deployment = %deployment.id, check = name, "a check failed");
                Some(CancelReason::ChecksFailed)
            }
            _ if now.0 >= checked.until.0 => Some(CancelReason::ChecksTimedOut),
            found => {
                let waiting = match found {
                    Err(trouble) => trouble,
                    _ => WAITING.to_owned(),
                };
                let (id, next) = (deployment.id, now.plus(AGAIN));
                db.write(move |c| db::checks::again(c, &id, &waiting, next)).await?;
                return Ok(false);
            }
        };
        let id = deployment.id.clone();
        db.write(move |c| match end {
            None => db::checks::release(c, &id),
            // Whoever ends what waits in the queue does the rest.
            Some(reason) => db::transitions::request_cancel(c, &id, reason).map(drop),
        })
        .await?;
        Ok(true)
    }

    /// What the forge knows of a commit; `Err` is why it could not be asked.
    async fn checks(&self, deployment: &Deployment, project: &Project) -> Result<Verdict, String> {
        let id = project.id.clone();
        let stored = self.0.db.read(move |c| db::forges::find(c, &id)).await;
        let stored = stored.map_err(|error| error.to_string())?;
        let stored = stored.ok_or("Its checks cannot be asked for: the project has no forge.")?;
        let url = project.source.git_url.as_deref().and_then(|url| self.0.egress.git_url(url).ok());
        let repository = url.as_ref().and_then(repository_of);
        let repository =
            repository.ok_or("Its checks cannot be asked for: the source is no forge's.")?;
        let sha =
            commit(deployment).ok_or("Its checks cannot be asked for: it names no commit.")?;
        let token = self.token(project, &stored)?;
        let (kind, name) = (stored.forge.kind, stored.forge.kind.name());
        let mut answers = Vec::new();
        for path in questions(kind, &repository, &sha) {
            let request = http::Request::get(format!("{}{path}", stored.forge.api_url));
            let request = super::signed(request, forge::headers(kind, &token))?;
            let request = request.body(Bytes::new()).map_err(|error| error.to_string())?;
            let answer = self.0.client.send(request, TIMEOUT).await;
            let answer = answer.map_err(|error| format!("{name} did not answer: {error}."))?;
            let status = answer.status().as_u16();
            if status != 200 {
                return Err(refusal(name, status, &repository));
            }
            let body = answer.read(LARGEST, TIMEOUT).await;
            let body = body.map_err(|error| format!("{name} did not answer: {error}."))?;
            let json: Result<Value, _> = serde_json::from_slice(&body);
            answers
                .push(json.map_err(|_| format!("{name} answered with something else than JSON."))?);
        }
        Ok(verdict(&answers))
    }
}
