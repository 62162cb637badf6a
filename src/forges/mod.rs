//! Telling forges how the deployments of their commits stand.
//!
//! A row says that something is to be told; what, follows from the deployment. So a restart, a lost signal and a forge
//! that was away for an hour only delay it, and no deployment waits for it.

mod checks;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;

use crate::clock::Clock;
use crate::config::Hosts;
use crate::crypto::secret_box::SecretBox;
use crate::db::commit_statuses::Waiting;
use crate::db::forges::StoredForge;
use crate::db::{self, Db, DbError};
use crate::egress::{Client, EgressError, Policy};
use crate::model::deployment::Deployment;
use crate::model::forge::{self, Status, Told, repository_of};
use crate::model::project::Project;
use crate::task::Signal;

/// Longest call.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Deployments told of in one round, and at the same time.
const AT_ONCE: u32 = 100;
const SIDE_BY_SIDE: usize = 8;
/// Bytes of an answer that are looked at.
const LOOKED_AT: usize = 4096;

/// What a [`Teller`] needs.
#[derive(Clone)]
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub secrets: Arc<SecretBox>,
    pub hosts: Hosts,
    pub egress: Policy,
    pub client: Client,
    /// Wakes the pipeline.
    pub pipeline: Signal,
}

/// Tells forges.
#[derive(Clone)]
pub struct Teller(Parts);

/// How a call ended.
enum Answer {
    Taken,
    /// It is worth another try.
    Later(String),
    /// It is not.
    Never(String),
}

impl Teller {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(parts)
    }

    /// Tells what is to be told now.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn round(&self) -> Result<(), DbError> {
        let now = self.0.clock.now();
        let due = self.0.db.read(move |c| db::commit_statuses::due(c, now, AT_ONCE)).await?;
        let told = stream::iter(due).map(|waiting| async move { self.tell(waiting).await });
        let mut told = told.buffer_unordered(SIDE_BY_SIDE);
        while let Some(one) = told.next().await {
            one?;
        }
        Ok(())
    }

    async fn tell(&self, waiting: Waiting) -> Result<(), DbError> {
        let (id, owner) = (waiting.deployment.clone(), waiting.project.clone());
        let found = self
            .0
            .db
            .read(move |c| -> Result<_, DbError> {
                let deployment = db::deployments::find(c, &id)?;
                let project = db::projects::find(c, &owner)?;
                Ok((deployment, project, db::forges::find(c, &owner)?))
            })
            .await?;
        let (Some(deployment), Some(project), Some(stored)) = found else {
            let id = waiting.deployment;
            return self.0.db.write(move |c| db::commit_statuses::give_up(c, &id)).await;
        };
        let page =
            format!("{}/dashboard/deployments/{}", self.0.hosts.dashboard_url(), deployment.id);
        let told = Told::of(&deployment, &project.name, &page);
        if waiting.told == Some(told.status) {
            return Ok(());
        }
        let Some(sha) = commit(&deployment) else {
            // It is not known yet, or will never be.
            if !told.status.is_last() {
                return Ok(());
            }
            let id = deployment.id;
            return self.0.db.write(move |c| db::commit_statuses::give_up(c, &id)).await;
        };
        let answer = self.call(&stored, &project, &sha, &told).await;
        self.note(&waiting, &stored, told.status, answer).await
    }

    async fn call(
        &self,
        stored: &StoredForge,
        project: &Project,
        sha: &str,
        told: &Told,
    ) -> Answer {
        let forge = &stored.forge;
        let url = project.source.git_url.as_deref().and_then(|url| self.0.egress.git_url(url).ok());
        let Some(repository) = url.as_ref().and_then(repository_of) else {
            return Answer::Never("The project's source is no repository of a forge.".to_owned());
        };
        let token = match self.token(project, stored) {
            Ok(token) => token,
            Err(text) => return Answer::Never(text),
        };
        let call = forge::call(forge.kind, &token, &repository, sha, told);
        let name = forge.kind.name();
        let request = http::Request::post(format!("{}{}", forge.api_url, call.path))
            .header("content-type", "application/json");
        let request = match signed(request, call.headers) {
            Ok(request) => request,
            Err(text) => return Answer::Never(text),
        };
        let Ok(request) = request.body(Bytes::from(call.body.to_string())) else {
            return Answer::Never(
                "The address of the API cannot be asked. Set it again.".to_owned(),
            );
        };
        match self.0.client.send(request, TIMEOUT).await {
            Err(EgressError::AddressNotAllowed) => {
                Answer::Never(format!("{name} may not be reached from this server."))
            }
            Err(error) => Answer::Later(format!("{name} did not answer: {error}.")),
            Ok(response) => {
                let status = response.status().as_u16();
                if (200..300).contains(&status) {
                    return Answer::Taken;
                }
                let body = response.read(LOOKED_AT, TIMEOUT).await.unwrap_or_default();
                // GitLab's word for what it has been told already.
                if status == 400 && contains(&body, b"Cannot transition status") {
                    return Answer::Taken;
                }
                let text = refusal(name, status, &repository);
                // GitHub says so with 403 when there were too many requests.
                let busy = status == 403 && contains(&body, b"rate limit");
                if forge::lasting(status) && !busy {
                    Answer::Never(text)
                } else {
                    Answer::Later(text)
                }
            }
        }
    }

    /// The token of a project's forge.
    fn token(&self, project: &Project, stored: &StoredForge) -> Result<String, String> {
        let identity = db::forges::identity(&project.id, &stored.forge.api_url);
        let plain = self.0.secrets.open(&identity, &stored.token).ok();
        let token = plain.and_then(|plain| String::from_utf8(plain).ok());
        token.ok_or_else(|| "The stored token does not open. Set it again.".to_owned())
    }

    async fn note(
        &self,
        waiting: &Waiting,
        stored: &StoredForge,
        status: Status,
        answer: Answer,
    ) -> Result<(), DbError> {
        let (id, project) = (waiting.deployment.clone(), stored.forge.project_id.clone());
        let before = if waiting.tried == Some(status) { waiting.attempts } else { 0 };
        let (attempts, now) = (before + 1, self.0.clock.now());
        self.0
            .db
            .write(move |c| -> Result<(), DbError> {
                let trouble = match &answer {
                    Answer::Taken => None,
                    Answer::Later(text) | Answer::Never(text) => Some(text.as_str()),
                };
                db::forges::note(c, &project, trouble, now)?;
                match (&answer, forge::after(attempts)) {
                    (Answer::Taken, _) => db::commit_statuses::told(c, &id, status),
                    (Answer::Later(_), Some(wait)) => {
                        let next = now.plus(Duration::from_millis(wait.unsigned_abs()));
                        db::commit_statuses::failed(c, &id, status, attempts, next)
                    }
                    // What comes after `pending` is tried for itself.
                    (Answer::Never(_) | Answer::Later(_), _) if !status.is_last() => {
                        db::commit_statuses::told(c, &id, status)
                    }
                    _ => db::commit_statuses::give_up(c, &id),
                }
            })
            .await
    }
}

/// A request with what the forge wants to see.
fn signed(
    mut request: http::request::Builder,
    headers: Vec<(&'static str, String)>,
) -> Result<http::request::Builder, String> {
    for (header, value) in headers {
        let value = http::HeaderValue::try_from(value);
        let mut value =
            value.map_err(|_| "The stored token cannot be sent. Set it again.".to_owned())?;
        value.set_sensitive(true);
        request = request.header(header, value);
    }
    Ok(request)
}

/// The commit of a deployment, as far as it is known.
fn commit(deployment: &Deployment) -> Option<String> {
    let found = deployment.commit.as_ref().map(|commit| commit.sha.clone());
    let found = found.or_else(|| deployment.wanted_commit.clone())?;
    (found.len() == 40 && found.bytes().all(|b| b.is_ascii_hexdigit())).then_some(found)
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    body.windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted))
}

/// What a refusal means, for the page of the project's source.
fn refusal(name: &str, status: u16, repository: &str) -> String {
    match status {
        401 => format!("{name} does not know the token (401). Set another one."),
        403 => format!("The token may not write statuses of `{repository}` (403)."),
        404 => format!("{name} has no repository `{repository}` that the token sees (404)."),
        422 => format!("{name} does not know the commit (422)."),
        300..=399 => {
            format!("{name} answered with a redirect ({status}). Correct the API's address.")
        }
        _ => format!("{name} answered with {status}."),
    }
}
