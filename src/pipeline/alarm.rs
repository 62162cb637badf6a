//! Tells once when the disk is nearly full or the engine does not answer, and not again until that was over. What was
//! told stands in the database, so that a restart tells nothing twice.

use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;

use super::Pipeline;
use crate::crypto::random;
use crate::db::{self, DbError};
use crate::model::alarm::{self, Alarm};
use crate::model::event::Event;
use crate::model::ids::EventId;

/// Pause between two looks, and while one alone would say too little. Each asks the engine and the database.
const LOOK: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(1);
/// How long the engine may take to say its version.
const PATIENCE: Duration = Duration::from_secs(3);

impl Pipeline {
    /// Looks until the process stops.
    pub(super) async fn watch_for_alarms(&self) {
        let stopping = self.tasks.stopping();
        loop {
            let pause = self.look_for_alarms().await;
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One look at both. Answers how long the next one can wait.
    async fn look_for_alarms(&self) -> Duration {
        let looked = async {
            let raised = self.db.read(db::alarms::raised).await?;
            self.look_at_disk(raised.contains(&Alarm::DiskLow)).await?;
            self.look_at_engine(raised.contains(&Alarm::EngineDown)).await
        };
        match looked.await {
            Ok(true) => LOOK,
            Ok(false) => AGAIN,
            Err(error) => {
                tracing::error!(%error, "it could not be told how the server is");
                LOOK
            }
        }
    }

    async fn look_at_disk(&self, raised: bool) -> Result<(), DbError> {
        let floor = self.room.disk;
        let Some(free) = self.free_disk().await else { return Ok(()) };
        let low = alarm::is_low(free, floor, raised);
        self.sound(Alarm::DiskLow, raised, low, || alarm::disk_low(free, floor)).await
    }

    /// Whether it is known by now how the engine is.
    async fn look_at_engine(&self, raised: bool) -> Result<bool, DbError> {
        let answered = tokio::time::timeout(PATIENCE, self.engine.info()).await;
        let there = matches!(answered, Ok(Ok(_)));
        let now = self.clock.now();
        let known = {
            let mut streak = self.state.engine.lock().unwrap_or_else(PoisonError::into_inner);
            streak.look(there, now)
        };
        let Some((there, since)) = known else { return Ok(false) };
        self.sound(Alarm::EngineDown, raised, !there, || alarm::engine_down(since)).await?;
        Ok(true)
    }

    /// Writes down what changed, and in the same transaction the events of it.
    async fn sound(
        &self,
        alarm: Alarm,
        raised: bool,
        wrong: bool,
        data: impl FnOnce() -> Value,
    ) -> Result<(), DbError> {
        if raised == wrong {
            return Ok(());
        }
        let (data, now) = (data(), self.clock.now());
        let written = self.db.write(move |c| -> Result<(), DbError> {
            if !wrong {
                return db::alarms::clear(c, alarm);
            }
            if !db::alarms::raise(c, alarm, now)? {
                return Ok(());
            }
            for team_id in db::alarms::told(c)? {
                let event = Event {
                    id: EventId::from_random(random::bytes()),
                    event: alarm.as_str().into(),
                    team_id,
                    project_id: None,
                    data: data.clone(),
                    created_at: now,
                };
                db::events::append(c, &event)?;
            }
            Ok(())
        });
        written.await?;
        if wrong {
            tracing::warn!(alarm = alarm.as_str(), "something is wrong with the server");
        } else {
            tracing::info!(alarm = alarm.as_str(), "it is over");
        }
        Ok(())
    }
}
