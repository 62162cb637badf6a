//! A deployment that sleeps, as those requests see it that wait for it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::ids::DeploymentId;

/// Requests that wait for one deployment at the same time.
pub const MOST_WAITING: usize = 256;

/// Why a deployment did not wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwoken {
    /// The application did not start.
    Broken,
    /// Nothing is known of the application: the engine is away.
    Unavailable,
}

/// A deployment that sleeps. The publisher keeps one value for as long as it does.
#[derive(Debug)]
pub struct Sleeper {
    deployment: DeploymentId,
    waiting: AtomicUsize,
    /// How often it did not wake, and why the last time.
    failures: Mutex<(u64, Unwoken)>,
    /// The attempt that was asked for last, from 1.
    asked: AtomicU64,
}

impl Sleeper {
    /// One that nobody waits for.
    pub fn new(deployment: DeploymentId) -> Arc<Self> {
        Arc::new(Self {
            deployment,
            waiting: AtomicUsize::new(0),
            failures: Mutex::new((0, Unwoken::Unavailable)),
            asked: AtomicU64::new(0),
        })
    }

    /// Which deployment it is.
    pub fn deployment(&self) -> &DeploymentId {
        &self.deployment
    }

    /// A place among those that wait; `None` when there are too many.
    pub fn wait(self: &Arc<Self>) -> Option<Place> {
        let before = self.waiting.fetch_add(1, Ordering::SeqCst);
        // Dropped when there are too many, and so taken back.
        let place = Place { sleeper: Arc::clone(self), failures: self.failures().0 };
        (before < MOST_WAITING).then_some(place)
    }

    /// Tells everybody who waits that it did not wake. They see it with the next publication.
    pub fn fail(&self, why: Unwoken) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures = (failures.0 + 1, why);
    }

    fn failures(&self) -> (u64, Unwoken) {
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits.
#[derive(Debug)]
pub struct Place {
    sleeper: Arc<Sleeper>,
    /// Failures that were there before.
    failures: u64,
}

impl Place {
    /// Whether it waits for this one.
    pub fn is_for(&self, sleeper: &Arc<Sleeper>) -> bool {
        Arc::ptr_eq(&self.sleeper, sleeper)
    }

    /// Whether this request is the one that has to ask for the deployment: the first of an attempt.
    pub fn asks(&self) -> bool {
        let attempt = self.failures + 1;
        self.sleeper.asked.fetch_max(attempt, Ordering::SeqCst) < attempt
    }

    /// Why the deployment did not wake while this request waited.
    pub fn failure(&self) -> Option<Unwoken> {
        let (failures, why) = self.sleeper.failures();
        (failures > self.failures).then_some(why)
    }

    /// Which deployment it waits for.
    pub fn deployment(&self) -> &DeploymentId {
        &self.sleeper.deployment
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sleeper.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Arc<Sleeper> {
        Sleeper::new(DeploymentId::from_random([0; 10]))
    }

    #[test]
    fn only_so_many_wait_and_a_place_that_is_left_is_free() {
        let sleeper = sleeper();
        let mut places: Vec<_> = (0..MOST_WAITING).map(|_| sleeper.wait().unwrap()).collect();
        assert!(sleeper.wait().is_none() && sleeper.wait().is_none());
        places.pop();
        let last = sleeper.wait();
        assert!(last.is_some() && sleeper.wait().is_none());
    }

    #[test]
    fn one_request_of_an_attempt_asks_and_all_hear_of_its_failure() {
        let sleeper = sleeper();
        let (one, two) = (sleeper.wait().unwrap(), sleeper.wait().unwrap());
        assert!(one.asks() && !two.asks() && !one.asks());
        assert_eq!(one.failure(), None);
        sleeper.fail(Unwoken::Broken);
        assert_eq!((one.failure(), two.failure()), (Some(Unwoken::Broken), Some(Unwoken::Broken)));
        let next = sleeper.wait().unwrap();
        assert_eq!(next.failure(), None, "it was before its time");
        assert!(next.asks() && !sleeper.wait().unwrap().asks());
    }
}
