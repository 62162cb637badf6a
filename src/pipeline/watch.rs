//! A new deployment's first minutes: when it crashes or fails, the traffic goes back by itself.

use std::collections::{HashMap, VecDeque};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Pipeline;
use crate::db::watches::Watch;
use crate::db::{self, DbError};
use crate::docker::ContainerId;
use crate::model::deployment::{Deployment, RunState};
use crate::model::failure::{Failure, FailureCode};
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::log_line::LogLevel;
use crate::model::project::Project;
use crate::model::release::ReturnReason;
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;
use crate::routing::tally::Counts;

/// Pause between looks.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Requests of this time count.
const WINDOW: Duration = Duration::from_secs(10);
/// Looks after which what all upstreams have answered is remembered.
const LOOKS_OF_A_MARK: u32 = 10;
/// Processes that ended, in the time it is watched, that make a crash loop.
const RESTARTS: u32 = 3;
/// Looks in a row that find no process.
const GONE: u32 = 2;

/// What was seen of a deployment that is watched. A restart of Orbitra begins anew.
#[derive(Debug)]
pub(super) struct Observed {
    deployment: DeploymentId,
    /// Of its upstream, by its number.
    samples: VecDeque<(Instant, u64, Counts)>,
    /// The process of each container, and how often the engine had started it, at the last look.
    processes: HashMap<String, (Option<u32>, u32)>,
    /// How often it was another process since the first look.
    again: u32,
    /// Looks in a row that found none.
    gone: u32,
    exit_code: Option<i64>,
}

impl Observed {
    fn of(deployment: DeploymentId) -> Self {
        let (samples, processes) = (VecDeque::new(), HashMap::new());
        Self { deployment, samples, processes, again: 0, gone: 0, exit_code: None }
    }

    /// Notes what runs: whoever started it again, an end is an end.
    fn process(&mut self, container: &str, pid: Option<u32>, restarts: u32) {
        // Another container that took the place of one is no end.
        let known = self.processes.insert(container.to_owned(), (pid, restarts));
        if let Some((before, count)) = known {
            let by_the_engine = restarts.saturating_sub(count);
            self.again += by_the_engine.max(u32::from(pid != before));
        }
    }

    /// What its upstream has answered in the time that counts.
    fn lately(&mut self, upstream: u64, now: Counts, at: Instant) -> Counts {
        if self.samples.back().is_some_and(|(_, known, _)| *known != upstream) {
            self.samples.clear();
        }
        while self.samples.len() > 1 && self.samples[1].0 + WINDOW <= at {
            self.samples.pop_front();
        }
        self.samples.push_back((at, upstream, now));
        now.since(self.samples[0].2)
    }
}

/// Why the traffic goes back, with what to tell of it.
struct Finding {
    reason: ReturnReason,
    failure: Failure,
}

/// Written in the transaction of a switch to `to`: from now on it is watched, when there is something to go back to.
pub(super) fn begin(
    connection: &db::Connection,
    project: &Project,
    to: &DeploymentId,
    from: Option<&DeploymentId>,
    previous_failed: bool,
    now: Timestamp,
) -> Result<(), DbError> {
    db::watches::end(connection, &project.id)?;
    let seconds = project.runtime.release.watch_seconds;
    let Some(from) = from.filter(|from| *from != to && seconds > 0) else { return Ok(()) };
    let find = |id| db::deployments::find_any(connection, id);
    let (Some(new), Some(previous)) = (find(to)?, find(from)?) else { return Ok(()) };
    // Files do not crash; what has crashed is nothing to go back to.
    if new.run_state == RunState::Files || previous.state != State::Ready {
        return Ok(());
    }
    let until = now.plus(Duration::from_secs(seconds.into()));
    let (project, deployment, previous) = (project.id.clone(), to.clone(), from.clone());
    let watch = Watch { project, deployment, previous, previous_failed, until };
    db::watches::begin(connection, &watch)
}

impl Pipeline {
    /// Whether a deployment fails at the moment.
    pub(super) fn fails(&self, id: &DeploymentId) -> bool {
        self.publisher.upstream(id).is_some_and(|upstream| upstream.tally().lately().fails())
    }

    /// One look at every deployment that is watched.
    pub(super) async fn watch(&self) {
        let looks = self.state.looks.fetch_add(1, Ordering::Relaxed);
        if looks.is_multiple_of(LOOKS_OF_A_MARK) {
            self.publisher.mark();
        }
        let watches = match self.db.read(db::watches::all).await {
            Ok(watches) => watches,
            Err(error) => {
                tracing::error!(%error, "what is watched could not be read");
                return;
            }
        };
        let mut observed = std::mem::take(&mut *self.observed());
        let mut kept = HashMap::new();
        for watch in watches {
            let known = observed.remove(&watch.project);
            let known = known.filter(|known| known.deployment == watch.deployment);
            let mut known = known.unwrap_or_else(|| Observed::of(watch.deployment.clone()));
            match self.watch_one(&watch, &mut known).await {
                Ok(()) | Err(DbError::Stale) => {}
                Err(error) => {
                    tracing::error!(deployment = %watch.deployment, %error, "it could not be watched")
                }
            }
            kept.insert(watch.project.clone(), known);
        }
        *self.observed() = kept;
    }

    fn observed(&self) -> std::sync::MutexGuard<'_, HashMap<ProjectId, Observed>> {
        self.state.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn watch_one(&self, watch: &Watch, seen: &mut Observed) -> Result<(), DbError> {
        let id = watch.deployment.clone();
        let found = self.db.read(move |c| -> Result<_, DbError> {
            let Some(deployment) = db::deployments::find_any(c, &id)? else { return Ok(None) };
            let held = db::holds::is_held(c, &deployment.project_id)?;
            Ok(Some((deployment, held)))
        });
        let found = found.await?.filter(|(deployment, _)| deployment.is_live);
        let over = self.clock.now() >= watch.until;
        let Some((deployment, held)) = found.filter(|_| !over) else {
            let watch = watch.clone();
            return self.db.write(move |c| db::watches::take(c, &watch)).await;
        };
        // Its container is stopped on purpose, and started again as another process.
        if held || deployment.project_paused {
            seen.processes.clear();
            return Ok(());
        }
        let crash = self.crashes(&deployment, seen).await;
        match crash.or_else(|| self.answers_badly(watch, seen)) {
            Some(finding) => self.give_back(watch, deployment, finding).await,
            None => Ok(()),
        }
    }

    /// Whether its process ends again and again, or is gone.
    async fn crashes(&self, deployment: &Deployment, seen: &mut Observed) -> Option<Finding> {
        deployment.containers().next()?;
        let mut runs = false;
        for container in deployment.containers() {
            // An engine that does not answer says nothing about the application.
            let state = self.engine.inspect(&ContainerId(container.to_owned())).await.ok()?;
            let Some(state) = state else { continue };
            if state.running {
                runs = true;
                seen.process(container, state.pid, state.restarts);
            } else {
                seen.exit_code = state.exit_code.or(seen.exit_code);
            }
        }
        // One that is called stopped sleeps, or is being started again: then its new process counts.
        let gone = !runs && deployment.run_state == RunState::Running;
        seen.gone = if gone { seen.gone + 1 } else { 0 };
        let crashed = deployment.state == State::Crashed;
        if !crashed && seen.again < RESTARTS && seen.gone < GONE {
            return None;
        }
        let message = match seen.again {
            0 => "The application stopped right after it got the traffic. The deployment before gets it back.".to_owned(),
            again => format!(
                "The application stopped {again} times right after it got the traffic. The deployment before gets it back."
            ),
        };
        let failure = Failure::new(FailureCode::StartFailed, "switching", message);
        let failure = failure.with_exit_code(seen.exit_code);
        Some(Finding { reason: ReturnReason::CrashLoop, failure })
    }

    /// Whether half of its answers are failures, where those of the one before were not.
    fn answers_badly(&self, watch: &Watch, seen: &mut Observed) -> Option<Finding> {
        let upstream = self.publisher.upstream(&watch.deployment)?;
        let lately = seen.lately(upstream.counts_as(), upstream.tally().counts(), Instant::now());
        if watch.previous_failed || !lately.fails() {
            return None;
        }
        let (failures, requests) = (lately.failures, lately.requests);
        let message = format!(
            "{failures} of {requests} requests failed right after it got the traffic. The deployment before gets it back."
        );
        let failure = Failure::new(FailureCode::HealthcheckFailed, "switching", message);
        Some(Finding { reason: ReturnReason::ErrorRate, failure })
    }

    /// Writes down that the traffic goes back; the release does it.
    async fn give_back(
        &self,
        watch: &Watch,
        deployment: Deployment,
        finding: Finding,
    ) -> Result<(), DbError> {
        let (watch, now) = (watch.clone(), self.clock.now());
        let (reason, message) = (finding.reason, finding.failure.message.clone());
        let wanted = self.db.write(move |c| -> Result<bool, DbError> {
            db::watches::take(c, &watch)?;
            let (project, deleted) =
                db::projects::find_any(c, &watch.project)?.ok_or(DbError::Stale)?;
            if deleted || project.live_deployment_id.as_ref() != Some(&watch.deployment) {
                return Ok(false);
            }
            let previous = db::deployments::find(c, &watch.previous)?;
            let there = |found: &Deployment| matches!(found.state, State::Ready | State::Crashed);
            if !previous.as_ref().is_some_and(there) {
                return Ok(false);
            }
            let (from, to) = (&watch.deployment, &watch.previous);
            db::releases::request_return(c, &project.id, from, to, reason, now)?;
            db::transitions::record_failure(c, from, Some(&finding.failure))?;
            Ok(true)
        });
        if wanted.await? {
            tracing::warn!(deployment = %deployment.id, reason = reason.as_str(), "the traffic goes back");
            self.tell(&deployment, LogLevel::Error, message).await;
            self.signal.wake();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_new_process_counts_whoever_started_it() {
        let mut seen = Observed::of(DeploymentId::from_random([0; 10]));
        for (container, pid, restarts, again) in [
            ("a", 10, 0, 0),
            ("a", 10, 0, 0),
            ("a", 11, 1, 1),
            ("a", 12, 0, 2),
            ("a", 15, 2, 4),
            ("b", 20, 0, 4),
            ("b", 21, 0, 5),
        ] {
            seen.process(container, Some(pid), restarts);
            assert_eq!(seen.again, again);
        }
    }

    #[test]
    fn only_the_last_ten_seconds_count() {
        let mut seen = Observed::of(DeploymentId::from_random([0; 10]));
        let begin = Instant::now();
        let mut look = |second, upstream, requests, failures| {
            let at = begin + Duration::from_secs(second);
            let lately = seen.lately(upstream, Counts { requests, failures }, at);
            (lately.requests, lately.failures)
        };
        assert_eq!(look(0, 1, 100, 0), (0, 0), "what was before does not count");
        assert_eq!(look(5, 1, 130, 10), (30, 10));
        assert_eq!(look(11, 1, 140, 10), (40, 10));
        assert_eq!(look(16, 1, 150, 20), (20, 10));
        assert_eq!(look(17, 2, 3, 3), (0, 0), "another upstream begins anew");
    }
}
