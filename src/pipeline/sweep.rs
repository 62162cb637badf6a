//! Keeps what is stored within its budget. Looks at what is there, decides by `model::retention`, removes. Whatever is
//! to be removed is written down first, so that a sweep that was cut off is gone on with.

use std::sync::Arc;

use super::Pipeline;
use crate::config::machine;
use crate::db;
use crate::model::disk::Measure;
use crate::model::retention::{self, Limits, Need, Wish};

/// How often one sweep looks again because less came free than was expected.
const ROUNDS: u32 = 3;

impl Pipeline {
    /// One sweep. Whoever asks for one while another runs waits for it and gets one of their own.
    pub(super) async fn sweep(&self) {
        let _turn = self.state.sweeping.lock().await;
        self.finish_removals().await;
        for asked in 0.. {
            let wish = match self.db.read(db::gc_wishes::next).await {
                Ok(wish) => wish,
                Err(error) => return tracing::error!(%error, "wishes for room could not be read"),
            };
            if wish.is_none() && asked > 0 {
                return;
            }
            let swept = self.make_room(wish).await;
            let Some(wish) = wish.filter(|_| swept) else { return };
            let now = self.clock.now();
            let fulfilled = self.db.write(move |c| db::gc_wishes::fulfil(c, wish.seq, now)).await;
            if let Err(error) = fulfilled {
                return tracing::error!(%error, "a fulfilled wish could not be written down");
            }
            // Whoever waits for it waits for a commit.
        }
    }

    /// Removes what is to be removed now. Answers whether everything could be looked at.
    async fn make_room(&self, wish: Option<Wish>) -> bool {
        let mut thorough = wish.is_some();
        for round in 0..=ROUNDS {
            let below_floor = self.below_floor().await;
            let looked = self.measure(thorough || below_floor > 0).await;
            let (measure, rows) = match looked {
                Ok(looked) => looked,
                Err(error) => {
                    tracing::warn!(%error, "what is stored could not be measured");
                    return false;
                }
            };
            let need = Need {
                over_budget: measure.used.total().saturating_sub(measure.budget),
                below_floor,
                images: round == 0 && wish.is_some_and(|wish| wish.images),
                cache: round == 0 && wish.is_some_and(|wish| wish.build_cache),
            };
            let facts = measure.facts(rows);
            let limits = Limits { now: self.clock.now(), preview_age: self.room.preview_age };
            let items = retention::grouped(retention::plan(&facts, &limits, need));
            let settled = items.is_empty() || round == ROUNDS;
            self.measured.send_replace(Some(Measure { settled, ..measure }.into()));
            if settled {
                return true;
            }
            thorough = items.iter().any(|item| item.kind == retention::Kind::BuildCache);
            let mut removed = false;
            for item in items {
                if self.tasks.stopping().is_cancelled() {
                    return false;
                }
                removed |= self.evict(item, wish.map(|wish| wish.seq)).await;
            }
            if !removed {
                break;
            }
        }
        self.measured.send_modify(|measured| {
            if let Some(measure) = measured {
                Arc::make_mut(measure).settled = true;
            }
        });
        true
    }

    /// Sweeps when the disk is too full for a build, and not again while the last look could not help.
    pub(super) async fn sweep_when_full(&self) {
        if self.below_floor().await == 0 {
            return;
        }
        let now = self.clock.now();
        let lately = |measure: &Measure| now.millis_since(measure.at) < 60_000;
        if !self.measured.borrow().as_deref().is_some_and(lately) {
            self.sweep.wake();
        }
    }

    /// Whether there is room on the disks for a build; first makes some.
    pub(super) async fn find_room(&self) -> bool {
        if self.below_floor().await == 0 {
            return true;
        }
        self.sweep().await;
        self.below_floor().await == 0
    }

    /// What is left on the fullest disk, for people.
    pub(super) async fn free_disk(&self) -> Option<u64> {
        let engine = self.engine.storage().await;
        let places = [Some(self.room.data.clone()), engine].into_iter().flatten();
        tokio::task::spawn_blocking(move || machine::least_free_disk(places)).await.ok().flatten()
    }
}
