//! Room on the disk: what would go, making some now, and what has gone. The pipeline's sweep does the work.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::journal::{self, Deed};
use super::may::{Action, require_instance_admin, require_scope};
use super::terms::Terms;
use super::{App, AppError};
use crate::db::page::{Page, PageRequest};
use crate::db::{self, DbError};
use crate::model::actor::Actor;
use crate::model::audit::{self, Party};
use crate::model::disk::Measure;
use crate::model::problems::Problems;
use crate::model::retention::{self, Item, Limits, Need, Removal};
use crate::model::timestamp::Timestamp;

/// How long a request waits for what it asked for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the engine may take to say that it is there.
const ENGINE_PATIENCE: Duration = Duration::from_secs(2);
/// How long the ledger is kept, in days.
const KEPT_DAYS: i64 = 400;

/// What may go.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Deployments with their images and files.
    pub images: bool,
    pub build_cache: bool,
    /// Only says what would go.
    pub dry_run: bool,
}

/// What went, or would go, each with what people call it.
#[derive(Clone, Debug)]
pub struct Freed {
    pub items: Vec<(Item, String)>,
    /// `false` when more is being removed and nobody waited for it.
    pub complete: bool,
}

impl Freed {
    /// Bytes of all of it.
    pub fn bytes(&self) -> u64 {
        self.items.iter().fold(0, |all, (item, _)| all.saturating_add(item.bytes))
    }
}

impl App {
    /// Makes room now, or says what would go. Answers when it is done, or after a while without waiting any longer.
    ///
    /// # Errors
    /// The actor is no instance admin, the key lacks `system:write`, the fields are wrong, or the engine is away.
    pub async fn free_space(
        &self,
        actor: &Actor,
        wanted: Wanted,
        problems: Problems,
        terms: &Terms<Freed>,
    ) -> Result<Freed, AppError> {
        require_scope(actor, Action::SystemWrite)?;
        require_instance_admin(actor)?;
        terms.admit(self, None).await?;
        AppError::check(problems)?;
        if wanted.dry_run {
            let freed = self.would_go(wanted).await?;
            terms.settle_alone(self, &freed).await?;
            return Ok(freed);
        }
        self.engine_is_there().await?;
        let (app, actor, settling) = (self.clone(), actor.clone(), terms.clone());
        let now = self.clock.now();
        let wish = self
            .db
            .write(move |c| -> Result<i64, AppError> {
                let wish = db::gc_wishes::ask(c, wanted.images, wanted.build_cache, now)?;
                let asked = json!({ "images": wanted.images, "build_cache": wanted.build_cache });
                let deed = Deed {
                    action: "system.gc",
                    team: &actor.team_id,
                    project: None,
                    target: Party::new("system", "disk", "disk"),
                    changes: audit::changes(&json!({}), &asked),
                    data: None,
                };
                journal::write(c, &actor, deed, now)?;
                settling.settle(&app, c, &Freed { items: Vec::new(), complete: false })?;
                Ok(wish)
            })
            .await?;
        self.sweep.wake();
        let complete = self.wait_for_wish(wish).await?;
        let removed = self.db.read(move |c| db::gc_ledger::of_wish(c, wish)).await?;
        let done = removed.into_iter().filter(|removal| removal.done_at.is_some());
        let items = done.map(|removal| (removal.item, removal.name)).collect();
        let freed = Freed { items, complete };
        terms.settle_again(self, &freed).await?;
        Ok(freed)
    }

    /// What would go if somebody asked for it now.
    ///
    /// # Errors
    /// The actor is no instance admin, or the key lacks `system:read`.
    pub async fn space_to_free(&self, actor: &Actor) -> Result<Freed, AppError> {
        require_scope(actor, Action::SystemRead)?;
        require_instance_admin(actor)?;
        self.would_go(Wanted { images: true, build_cache: true, dry_run: true }).await
    }

    /// A page of what was removed to make room, the newest first.
    ///
    /// # Errors
    /// The actor is no instance admin, or the key lacks `system:read`.
    pub async fn removals(
        &self,
        actor: &Actor,
        page: PageRequest,
    ) -> Result<Page<Removal>, AppError> {
        require_scope(actor, Action::SystemRead)?;
        require_instance_admin(actor)?;
        Ok(self.db.read(move |c| db::gc_ledger::list(c, page)).await?)
    }

    /// What the last sweep found on the disk; `None` until there was one.
    pub fn last_measure(&self) -> Option<Arc<Measure>> {
        self.measured.borrow().clone()
    }

    async fn would_go(&self, wanted: Wanted) -> Result<Freed, AppError> {
        let complete = true;
        let Some(measure) = self.last_measure() else {
            return Ok(Freed { items: Vec::new(), complete });
        };
        let free = self.free_disk().await;
        let need = Need {
            over_budget: measure.used.total().saturating_sub(measure.budget),
            below_floor: free.map_or(0, |free| self.config.disk_floor.saturating_sub(free)),
            images: wanted.images,
            cache: wanted.build_cache,
        };
        let preview_age = self.config.preview_age.map(|age| age.as_millis() as u64);
        let limits = Limits { now: self.clock.now(), preview_age };
        let items = self.db.read(move |c| -> Result<_, DbError> {
            let facts = measure.facts(db::retention::rows(c)?);
            let mut items = Vec::new();
            for item in retention::grouped(retention::plan(&facts, &limits, need)) {
                let deployment = match &item.deployment {
                    Some(id) => db::deployments::find(c, id)?,
                    None => None,
                };
                let name = deployment.map_or_else(|| item.name(), |found| found.hostname);
                items.push((item, name));
            }
            Ok(items)
        });
        Ok(Freed { items: items.await?, complete })
    }

    /// Whether it was fulfilled in time. Every step of the sweep is a commit.
    async fn wait_for_wish(&self, wish: i64) -> Result<bool, AppError> {
        let mut commits = self.db.commits();
        let deadline = tokio::time::sleep(PATIENCE);
        tokio::pin!(deadline);
        loop {
            commits.mark_unchanged();
            if self.db.read(move |c| db::gc_wishes::is_done(c, wish)).await? {
                return Ok(true);
            }
            tokio::select! {
                () = &mut deadline => return Ok(false),
                () = self.stopping.cancelled() => return Ok(false),
                changed = commits.changed() => {
                    if changed.is_err() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    async fn engine_is_there(&self) -> Result<(), AppError> {
        let away = || AppError::Unavailable {
            reason: "engine_unavailable",
            message: "Docker does not answer. Try again when it is back.",
        };
        let engine = self.engine.get().ok_or_else(away)?;
        match tokio::time::timeout(ENGINE_PATIENCE, engine.info()).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(away()),
        }
    }

    /// Forgets what was removed long ago.
    pub async fn forget_old_removals(&self) {
        let until = Timestamp(self.clock.now().0 - KEPT_DAYS * 24 * 3_600_000);
        let removed = self.db.write(move |c| db::gc_ledger::delete_until(c, until)).await;
        if let Err(error) = removed {
            tracing::warn!(%error, "old entries of the ledger could not be removed");
        }
    }
}
