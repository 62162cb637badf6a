//! What nobody asks for sleeps: paused first, which keeps its memory and costs no time, stopped later.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use super::Pipeline;
use crate::db::{self, DbError};
use crate::model::deployment::RunState;
use crate::model::ids::DeploymentId;
use crate::model::project::Strategy;
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;

/// Bounds of the time between two looks; it follows from the settings.
const LOOKS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// How long nobody asks until a deployment rests.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// Until it is paused.
    pub pause_after: Duration,
    /// Until it is stopped. Not more than `pause_after` means that nothing is ever paused.
    pub stop_after: Duration,
}

impl Idle {
    /// Whether there is a pause before the stop.
    pub(super) fn pauses(self) -> bool {
        self.stop_after > self.pause_after
    }

    /// Time between two looks.
    pub(super) fn interval(self) -> Duration {
        (self.pause_after.min(self.stop_after) / 4).clamp(LOOKS.0, LOOKS.1)
    }

    /// How one that runs or is paused rests after so long; `None` when it goes on as it is.
    fn rest(self, now: RunState, idle: Duration) -> Option<RunState> {
        let wanted = match idle {
            idle if idle < self.pause_after => return None,
            idle if idle >= self.stop_after => RunState::Stopped,
            _ => RunState::Paused,
        };
        (wanted != now).then_some(wanted)
    }
}

impl Pipeline {
    /// One look at everything that may sleep.
    pub(super) async fn doze(&self) {
        let sleepy = match self.db.read(db::sleep::sleepy).await {
            Ok(sleepy) => sleepy,
            Err(error) => {
                tracing::error!(%error, "what may sleep could not be read");
                return;
            }
        };
        let now = self.clock.now();
        self.forget_others(sleepy.iter().map(|one| &one.id).collect());
        for one in sleepy {
            let upstream = self.publisher.upstream(&one.id);
            if upstream.is_some_and(|upstream| upstream.take_used()) {
                self.note_used(&one.id, now);
            }
            let idle = self.idle_since(&one.id, now);
            if let Some(rest) = self.idle.rest(one.run_state, idle)
                && let Err(error) = self.fall_asleep(&one.id, rest).await
            {
                tracing::error!(deployment = %one.id, %error, "it could not be put to sleep");
            }
        }
    }

    /// Stops what is paused: somebody needs the memory more.
    pub(super) async fn give_memory_back(&self) {
        let Ok(sleepy) = self.db.read(db::sleep::sleepy).await else { return };
        for one in sleepy.iter().filter(|one| one.run_state == RunState::Paused) {
            if let Err(error) = self.fall_asleep(&one.id, RunState::Stopped).await {
                tracing::error!(deployment = %one.id, %error, "it could not be stopped");
            }
        }
    }

    /// Lets a deployment rest, unless somebody has come for it meanwhile.
    async fn fall_asleep(&self, id: &DeploymentId, rest: RunState) -> Result<(), DbError> {
        let lock = self.lock_of(id);
        let _turn = lock.lock().await;
        // From here on a request finds nobody, and looks again until the next table is there.
        let upstream = self.publisher.upstream(id);
        if upstream.is_some_and(|upstream| !upstream.retire_unused()) {
            return Ok(());
        }
        let wanted = id.clone();
        let drains = self.draining().contains(id);
        let written = self.db.write(move |c| -> Result<_, DbError> {
            let Some(deployment) = db::deployments::find_any(c, &wanted)? else { return Ok(false) };
            let Some((project, deleted)) = db::projects::find_any(c, &deployment.project_id)?
            else {
                return Ok(false);
            };
            let wants = !deployment.is_live || project.runtime.sleep.live;
            let single = project.runtime.release.strategy == Strategy::Single;
            // What must not run twice is not kept in memory beside the one that serves.
            let rest = if single && !deployment.is_live { RunState::Stopped } else { rest };
            let rests = match deployment.run_state {
                RunState::Running => true,
                RunState::Paused => rest == RunState::Stopped,
                _ => false,
            };
            let free = deployment.state == State::Ready
                && !deleted
                && !deployment.project_paused
                && !db::releases::is_wanted(c, &wanted)?;
            let has_container = deployment.containers().next().is_some();
            let sleeps = rests && wants && free && has_container && !drains;
            if sleeps {
                db::transitions::record_run(c, &wanted, rest)?;
            }
            Ok(sleeps)
        });
        let written = written.await;
        // Also when nothing was written: the retired upstream gets a successor.
        self.publish().await;
        if written? {
            self.forget_woken(id);
            self.come_to_rest(id).await;
        }
        Ok(())
    }

    /// Somebody needs it now.
    pub(super) fn note_used(&self, id: &DeploymentId, now: Timestamp) {
        let mut used = self.state.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(id.clone(), now);
    }

    /// How long nobody has needed it; one that is seen for the first time counts as used.
    fn idle_since(&self, id: &DeploymentId, now: Timestamp) -> Duration {
        let mut used = self.state.used.lock().unwrap_or_else(PoisonError::into_inner);
        let last = *used.entry(id.clone()).or_insert(now);
        Duration::from_millis(now.millis_since(last))
    }

    fn forget_others(&self, known: HashSet<&DeploymentId>) {
        let mut used = self.state.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|id, _| known.contains(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_paused_first_and_stopped_later() {
        let seconds = Duration::from_secs;
        let idle = Idle { pause_after: seconds(300), stop_after: seconds(1800) };
        let (running, paused) = (RunState::Running, RunState::Paused);
        for (now, after, rest) in [
            (running, 299, None),
            (running, 300, Some(paused)),
            (paused, 300, None),
            (paused, 1799, None),
            (paused, 1800, Some(RunState::Stopped)),
            (running, 1800, Some(RunState::Stopped)),
        ] {
            assert_eq!(idle.rest(now, seconds(after)), rest, "{now:?} {after}");
        }
        assert!(idle.pauses());
        assert_eq!(idle.interval(), LOOKS.1);
    }

    #[test]
    fn without_time_between_the_two_nothing_is_paused() {
        let idle = Idle { pause_after: Duration::from_secs(300), stop_after: Duration::ZERO };
        assert!(!idle.pauses());
        assert_eq!(idle.rest(RunState::Running, Duration::from_secs(299)), None);
        let rest = idle.rest(RunState::Running, Duration::from_secs(300));
        assert_eq!(rest, Some(RunState::Stopped));
        assert_eq!(idle.interval(), LOOKS.0);
    }
}
