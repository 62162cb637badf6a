//! Removing one thing to make room: written down with what it means in one transaction, then done, then said to be done.

use super::Pipeline;
use crate::crypto::random;
use crate::db::{self, DbError};
use crate::model::deployment::RunState;
use crate::model::ids::{DeploymentId, RemovalId};
use crate::model::retention::{Item, Kind, Removal};

impl Pipeline {
    /// Removes it. Answers whether anything was removed.
    pub(super) async fn evict(&self, item: Item, wish: Option<i64>) -> bool {
        // Before the row changes: whoever publishes next forgets an upstream that has no row.
        let upstream = item.deployment.as_ref().and_then(|id| self.publisher.upstream(id));
        let lock = item.deployment.as_ref().map(|id| self.lock_of(id));
        let turn = match &lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        let removal = match self.begin_removal(item, wish).await {
            Ok(removal) => removal,
            // Somebody needs it by now.
            Err(DbError::Stale) => return false,
            Err(error) => {
                tracing::error!(%error, "what is to be removed could not be written down");
                return false;
            }
        };
        if removal.item.kind == Kind::Deployment {
            self.publish().await;
            self.drain(upstream, self.drain).await;
        }
        let done = self.carry_out(&removal).await;
        drop(turn);
        done
    }

    /// Goes on with what was written down and not done: the process or the engine had ended.
    pub(super) async fn finish_removals(&self) {
        let unfinished = match self.db.read(db::gc_ledger::unfinished).await {
            Ok(unfinished) => unfinished,
            Err(error) => return tracing::error!(%error, "the ledger could not be read"),
        };
        for removal in unfinished {
            let lock = removal.item.deployment.as_ref().map(|id| self.lock_of(id));
            let turn = match &lock {
                Some(lock) => Some(lock.lock().await),
                None => None,
            };
            self.carry_out(&removal).await;
            drop(turn);
        }
    }

    async fn begin_removal(&self, item: Item, wish: Option<i64>) -> Result<Removal, DbError> {
        let (id, now) = (RemovalId::from_random(random::bytes()), self.clock.now());
        let begun = self.db.write(move |c| -> Result<_, DbError> {
            let mut owner = None;
            let name = match (item.kind, &item.deployment) {
                (Kind::Deployment, Some(deployment)) => {
                    let removed = db::retention::remove(c, deployment, now)?;
                    db::transitions::record_run(c, deployment, RunState::None)?;
                    owner = db::projects::find_any(c, &removed.project_id)?.map(|(found, _)| found);
                    removed.hostname
                }
                _ => item.name(),
            };
            Ok((db::gc_ledger::begin(c, &id, &item, &name, wish, now)?, owner))
        });
        let (removal, owner) = begun.await?;
        if let (Some(owner), Some(deployment)) = (owner, &removal.item.deployment) {
            self.announce(&owner, deployment);
        }
        Ok(removal)
    }

    /// Does what was written down. Safe to repeat. Answers whether it is done.
    async fn carry_out(&self, removal: &Removal) -> bool {
        let item = &removal.item;
        let freed = match (item.kind, &item.deployment) {
            (Kind::Deployment, Some(deployment)) => {
                self.discard_removed(deployment).await.then_some(item.bytes)
            }
            (Kind::Deployment, None) => Some(0),
            (Kind::Image, _) => self.remove_images(item).await,
            (Kind::BuildCache, _) => Some(self.remove_records(item).await),
            (Kind::Mirror, _) => self.remove_mirrors(item).await,
        };
        let Some(freed) = freed else { return false };
        // Builds use it by now, or others stand on it.
        let untouched = item.kind == Kind::BuildCache && freed == 0;
        let (seq, now) = (removal.seq, self.clock.now());
        let written = self.db.write(move |c| {
            if untouched {
                db::gc_ledger::withdraw(c, seq)
            } else {
                db::gc_ledger::done(c, seq, freed, now)
            }
        });
        match written.await {
            Ok(()) => {
                let (kind, rule) = (item.kind.as_str(), item.rule.as_str());
                tracing::info!(kind, rule, name = removal.name, freed, "removed to make room");
                !untouched
            }
            Err(error) => {
                tracing::error!(%error, "a removal could not be written down");
                false
            }
        }
    }

    /// Container, image and files of a deployment that counts as removed. Answers whether nothing is left.
    async fn discard_removed(&self, id: &DeploymentId) -> bool {
        let wanted = id.clone();
        match self.db.read(move |c| db::deployments::find_any(c, &wanted)).await {
            Ok(Some(deployment)) => self.discard(&deployment).await,
            // Deleted with all there was of it.
            Ok(None) => true,
            Err(error) => {
                tracing::error!(deployment = %id, %error, "it could not be read");
                false
            }
        }
    }

    async fn remove_images(&self, item: &Item) -> Option<u64> {
        for name in &item.names {
            if let Err(error) = self.engine.remove_image(name).await {
                tracing::warn!(image = name, %error, "an image could not be removed");
                return None;
            }
        }
        Some(item.bytes)
    }

    /// What is in use by now stays, and is no failure.
    async fn remove_records(&self, item: &Item) -> u64 {
        match self.engine.remove_cache(&item.names).await {
            Ok(freed) => freed,
            Err(error) => {
                tracing::warn!(records = item.names.len(), %error, "build cache could not be removed");
                0
            }
        }
    }

    async fn remove_mirrors(&self, item: &Item) -> Option<u64> {
        for name in &item.names {
            if !self.fetcher.drop_mirror(name).await {
                return None;
            }
        }
        Some(item.bytes)
    }
}
