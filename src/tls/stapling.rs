//! Answers of the responders that certificates name, fetched before visitors' clients would have to (OCSP stapling).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::header::{ACCEPT, CONTENT_TYPE};

use super::chain;
use super::issuance::tell;
use super::ocsp::{OcspProblem, Question};
use crate::clock::Clock;
use crate::db::ocsp::{Answered, Due};
use crate::db::{self, Db, DbError};
use crate::egress::{Client, EgressError};
use crate::events::{Bus, Change};
use crate::model::ocsp::{ask_again, pause};
use crate::model::timestamp::Timestamp;
use crate::task::Signal;

/// Certificates of one round, and how many responders are asked at once.
const ROUND: u32 = 40;
const AT_ONCE: usize = 8;
/// How long a responder may take, how long it may pause, and how much it may send.
const PATIENCE: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 64 * 1024;

/// The parts of a [`Stapling`].
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub bus: Bus,
    /// The base domain.
    pub base: String,
    /// May speak plain HTTP: answers are signed.
    pub client: Client,
    /// Wakes the keeper.
    pub certificates: Signal,
}

/// Asks responders. It looks at the database and does what is to be done.
#[derive(Clone)]
pub struct Stapling(Arc<Parts>);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error(transparent)]
    Problem(#[from] OcspProblem),
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error("the responder answered with status {0}")]
    Status(u16),
    #[error("the responder's answer is too large")]
    TooLarge,
    #[error("the answer is older than the one before")]
    Older,
    #[error("the address of the responder cannot be used")]
    Address,
}

impl Stapling {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// One round. Answers whether there may be more to do at once.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn round(&self) -> Result<bool, DbError> {
        let now = self.0.clock.now();
        let due = self.0.db.read(move |c| db::ocsp::due(c, now, ROUND)).await?;
        let more = due.len() >= ROUND as usize;
        let mut asked = stream::iter(due).map(|one| self.look(one)).buffer_unordered(AT_ONCE);
        let mut failed = None;
        while let Some(looked) = asked.next().await {
            failed = failed.or(looked.err());
        }
        failed.map_or(Ok(more), Err)
    }

    async fn look(&self, due: Due) -> Result<(), DbError> {
        let question = match chain::certificates(&due.chain) {
            Ok(chain) => Question::about(&chain),
            Err(_) => Err(OcspProblem::NoIssuer),
        };
        let answer = match question {
            // It says so itself: nothing changes as long as it is there.
            Ok(None) => {
                let (id, never) = (due.id, due.not_after);
                return self
                    .0
                    .db
                    .write(move |c| db::ocsp::unanswered(c, &id, 0, None, never))
                    .await;
            }
            Ok(Some(question)) => {
                match tokio::time::timeout(PATIENCE, self.ask(&question, &due)).await {
                    Ok(answer) => answer,
                    Err(_) => Err(EgressError::Timeout.into()),
                }
            }
            Err(problem) => Err(problem.into()),
        };
        match answer {
            Ok(answered) => self.keep(due, answered).await,
            Err(reason) => self.missed(due, &reason.to_string()).await,
        }
    }

    async fn ask(&self, question: &Question, due: &Due) -> Result<Answered, Unanswered> {
        let request = http::Request::post(&question.responder)
            .header(CONTENT_TYPE, "application/ocsp-request")
            .header(ACCEPT, "application/ocsp-response")
            .body(Bytes::from(question.request.clone()))
            .map_err(|_| Unanswered::Address)?;
        let response = self.0.client.send(request, PATIENCE).await?;
        if response.status() != http::StatusCode::OK {
            return Err(Unanswered::Status(response.status().as_u16()));
        }
        let sent = response.read(MOST_BYTES + 1, IDLE).await?;
        if sent.len() > MOST_BYTES {
            return Err(Unanswered::TooLarge);
        }
        let now = self.0.clock.now();
        let answer = question.check(&sent, now)?;
        // Whoever sits on the way could bring one back from before it was revoked.
        if due.from.is_some_and(|known| answer.from < known) {
            return Err(Unanswered::Older);
        }
        Ok(Answered {
            shown: answer.revoked.is_none().then(|| sent.to_vec()),
            from: answer.from,
            until: answer.until,
            revoked_at: answer.revoked,
            ask_at: now.plus(ask_again(answer.until, now)),
        })
    }

    /// Keeps an answer, and tells when the certificate turns out to be revoked.
    async fn keep(&self, due: Due, answered: Answered) -> Result<(), DbError> {
        let news = answered.revoked_at.is_some() && !due.revoked;
        if news {
            tracing::warn!(host = due.hostname, "a certificate was revoked by its authority");
        }
        let (base, now) = (self.0.base.clone(), self.0.clock.now());
        let domain = self
            .0
            .db
            .write(move |c| -> Result<_, DbError> {
                if !db::ocsp::answered(c, &due.id, &answered)? || !news {
                    return Ok(None);
                }
                let mut domains = db::domains::active(c, &base)?.into_iter();
                let domain = domains.find(|domain| domain.hostname == due.hostname);
                tell(c, domain.as_ref(), "domain.certificate.revoked", now)?;
                Ok(domain)
            })
            .await?;
        self.0.certificates.wake();
        if let Some(domain) = domain {
            self.0.bus.send(Change::Project(domain.team_id, domain.project_id));
        }
        Ok(())
    }

    async fn missed(&self, due: Due, reason: &str) -> Result<(), DbError> {
        tracing::warn!(host = due.hostname, reason, "no OCSP answer could be had");
        let failures = due.failures.saturating_add(1);
        let ask_at: Timestamp = self.0.clock.now().plus(pause(failures));
        let error = reason.to_owned();
        self.0
            .db
            .write(move |c| db::ocsp::unanswered(c, &due.id, failures, Some(&error), ask_at))
            .await
    }
}
