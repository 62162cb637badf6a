//! Is there room on the disk for what is asked for?

use std::time::Duration;

use super::{App, AppError};
use crate::config::machine;

/// How long a request waits for the sweep to make room.
const PATIENCE: Duration = Duration::from_secs(10);
/// A sweep that could not help is not asked again for this long, in milliseconds.
const HOPELESS: u64 = 60_000;

impl App {
    /// Nothing is accepted for which there is no disk: neither a deployment nor an archive. What may go goes first.
    ///
    /// # Errors
    /// `disk_full` when less than the floor is free for the data directory or the engine.
    pub(super) async fn room_on_disk(&self) -> Result<(), AppError> {
        if self.has_room().await || self.room_was_made().await {
            return Ok(());
        }
        Err(AppError::Unavailable {
            reason: "disk_full",
            message: "The server's disk is too full to build. Free some disk space and try again.",
        })
    }

    async fn has_room(&self) -> bool {
        self.free_disk().await.is_none_or(|free| free >= self.config.disk_floor)
    }

    /// Bytes that are left on the fullest disk; `None` when that is not known.
    pub(super) async fn free_disk(&self) -> Option<u64> {
        let engine = match self.engine.get() {
            Some(engine) => engine.storage().await,
            None => None,
        };
        let places = [Some(self.config.data.clone()), engine].into_iter().flatten();
        let looked = tokio::task::spawn_blocking(move || machine::least_free_disk(places));
        looked.await.ok().flatten()
    }

    /// Wakes the sweep and waits until it has done what it can.
    async fn room_was_made(&self) -> bool {
        // Nobody sweeps in this process.
        if self.engine.get().is_none() {
            return false;
        }
        let now = self.clock.now();
        let mut measured = self.measured.subscribe();
        let settled = |since: u64| {
            let last = self.last_measure();
            last.is_some_and(|last| last.settled && now.millis_since(last.at) < since)
        };
        if settled(HOPELESS) {
            return false;
        }
        self.sweep.wake();
        let waiting = async {
            while measured.changed().await.is_ok() {
                if self.has_room().await || self.last_measure().is_some_and(|last| last.settled) {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(PATIENCE, waiting).await;
        self.has_room().await
    }
}
