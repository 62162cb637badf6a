//! On what terms a change is made: only once (`Idempotency-Key`), only if nothing changed (`If-Match`).
//!
//! A use case calls [`Terms::admit`] when it has found its target and before it looks at the fields, and
//! [`Terms::settle`] in the transaction of the change.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::memory::Claim;
use super::{App, AppError};
use crate::crypto::token;
use crate::db::{self, Connection, DbError};
use crate::model::timestamp::Timestamp;

/// How long an answer is given again, in milliseconds.
pub const KEPT: i64 = 24 * 3_600_000;

/// An answer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    pub status: u16,
    /// Headers of this answer alone, such as `location`.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What `If-Match` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: that it exists.
    Any,
    /// One of these revisions.
    Revisions(Vec<i64>),
}

/// A request that may be repeated.
pub struct Repeatable {
    /// SHA-256 of account, method, path and key.
    pub slot: [u8; 32],
    /// SHA-256 of what is asked.
    pub fingerprint: [u8; 32],
}

/// The terms of a request whose use case gives a `T`.
pub struct Terms<T> {
    if_match: Option<IfMatch>,
    once: Option<Arc<Once<T>>>,
}

struct Once<T> {
    request: Repeatable,
    claim: OnceLock<Claim>,
    answer: Box<dyn Fn(&T) -> Settled + Send + Sync>,
}

impl<T> Clone for Terms<T> {
    fn clone(&self) -> Self {
        Self { if_match: self.if_match.clone(), once: self.once.clone() }
    }
}

impl<T> Default for Terms<T> {
    fn default() -> Self {
        Self { if_match: None, once: None }
    }
}

impl<T> Terms<T> {
    /// No terms: for pages and commands.
    pub fn none() -> Self {
        Self::default()
    }

    /// Terms of a request that may be repeated; `answer` is what it is answered with.
    pub fn once(
        request: Repeatable,
        answer: impl Fn(&T) -> Settled + Send + Sync + 'static,
    ) -> Self {
        let once = Once { request, claim: OnceLock::new(), answer: Box::new(answer) };
        Self { if_match: None, once: Some(Arc::new(once)) }
    }

    /// The same terms with what `If-Match` asks for.
    pub fn matching(self, if_match: Option<IfMatch>) -> Self {
        Self { if_match, ..self }
    }

    /// Lets a request in that is neither a repetition nor too late. `revision` is that of the target.
    ///
    /// # Errors
    /// `Replay` with the stored answer, a conflict `idempotency_key_in_use`, `Unprocessable` when the key
    /// was used for something else, `PreconditionFailed`.
    pub async fn admit(&self, app: &App, revision: Option<i64>) -> Result<(), AppError> {
        if let Some(once) = &self.once
            && once.claim.get().is_none()
        {
            let claim = app.memory().claims.take(once.request.slot).ok_or_else(in_use)?;
            let (slot, since) = (once.request.slot, since(app.clock.now()));
            let stored = app.db.read(move |c| db::idempotency::find(c, &slot, since)).await?;
            if let Some(stored) = stored {
                if stored.fingerprint != once.request.fingerprint {
                    return Err(AppError::Unprocessable);
                }
                return Err(AppError::Replay(open(app, &slot, &stored.sealed)?));
            }
            // Dropped with the terms, which the transaction holds as well.
            let _ = once.claim.set(claim);
        }
        revision.map_or(Ok(()), |revision| self.check(revision))
    }

    /// Checks `If-Match` alone; for the transaction that reads the target again.
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub fn check(&self, revision: i64) -> Result<(), AppError> {
        match &self.if_match {
            Some(IfMatch::Revisions(wanted)) if !wanted.contains(&revision) => {
                Err(AppError::PreconditionFailed { revision })
            }
            _ => Ok(()),
        }
    }

    /// Stores the answer, in the transaction of what it tells.
    ///
    /// # Errors
    /// The database cannot be written, or another request with the same key was faster.
    pub fn settle(&self, app: &App, connection: &Connection, value: &T) -> Result<(), AppError> {
        let Some(once) = &self.once else { return Ok(()) };
        let (slot, now) = (&once.request.slot, app.clock.now());
        let plain = serde_json::to_vec(&(once.answer)(value))
            .map_err(|error| AppError::Internal(error.to_string()))?;
        let sealed = app.secrets.seal(&identity(slot), &plain);
        let stored = db::idempotency::Stored { fingerprint: once.request.fingerprint, sealed };
        match db::idempotency::insert(connection, slot, &stored, since(now), now) {
            Err(DbError::Unique(_)) => Err(in_use()),
            other => Ok(other?),
        }
    }

    /// Refuses a request that asks with `If-Match` for something that is there.
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub fn check_absent(&self) -> Result<(), AppError> {
        match &self.if_match {
            Some(_) => Err(AppError::PreconditionFailed { revision: 0 }),
            None => Ok(()),
        }
    }

    /// Stores another answer in the place of the one that was stored, once more is known.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn settle_again(&self, app: &App, value: &T) -> Result<(), AppError> {
        let Some(once) = &self.once else { return Ok(()) };
        let slot = once.request.slot;
        let plain = serde_json::to_vec(&(once.answer)(value))
            .map_err(|error| AppError::Internal(error.to_string()))?;
        let sealed = app.secrets.seal(&identity(&slot), &plain);
        app.db.write(move |c| Ok(db::idempotency::replace(c, &slot, &sealed)?)).await
    }

    /// Stores the answer of a request that changed nothing.
    ///
    /// # Errors
    /// As [`Terms::settle`].
    pub async fn settle_alone(&self, app: &App, value: &T) -> Result<(), AppError>
    where
        T: Clone + Send + Sync + 'static,
    {
        if self.once.is_none() {
            return Ok(());
        }
        let (terms, writer, value) = (self.clone(), app.clone(), value.clone());
        app.db.write(move |c| terms.settle(&writer, c, &value)).await
    }
}

fn since(now: Timestamp) -> Timestamp {
    Timestamp(now.0 - KEPT)
}

fn identity(slot: &[u8; 32]) -> String {
    format!("idempotency/{}", token::hex(slot))
}

fn open(app: &App, slot: &[u8; 32], sealed: &[u8]) -> Result<Settled, AppError> {
    let plain = app.secrets.open(&identity(slot), sealed);
    let settled = plain.ok().and_then(|plain| serde_json::from_slice(&plain).ok());
    settled.ok_or_else(|| AppError::Internal("a stored answer does not open".to_owned()))
}

fn in_use() -> AppError {
    AppError::conflict(
        "idempotency_key_in_use",
        "A request with this Idempotency-Key is being answered. Try again in a second.",
    )
}

impl App {
    /// Removes stored answers that are too old to be given again.
    pub async fn forget_old_answers(&self) {
        let since = since(self.clock.now());
        let removed = self.db.write(move |c| db::idempotency::delete_until(c, since)).await;
        if let Err(error) = removed {
            tracing::warn!(%error, "old answers could not be removed");
        }
    }
}
