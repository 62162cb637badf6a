//! How often a hook is answered: its own window of a minute, in memory alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::App;
use super::rates::Standing;
use crate::model::ids::HookId;
use crate::model::push_hook::PER_MINUTE;
use crate::model::timestamp::Timestamp;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(60);
/// Hooks whose windows are remembered; beyond, those that are over are forgotten.
const MOST: usize = 1000;

/// The windows of hooks: when each began, and how many requests were in it. Only hooks that exist have one.
#[derive(Default)]
pub struct PushRates(Mutex<HashMap<HookId, (Timestamp, u32)>>);

impl PushRates {
    fn count(&self, id: &HookId, now: Timestamp) -> Result<Standing, Standing> {
        let over = |began: Timestamp| u128::from(now.0.abs_diff(began.0)) >= WINDOW.as_millis();
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST {
            windows.retain(|_, (began, _)| !over(*began));
        }
        // A window ends at a whole second, which is what the headers tell.
        let fresh = (Timestamp(now.seconds() * 1000), 0);
        let (began, used) = windows.entry(id.clone()).or_insert(fresh);
        if over(*began) {
            (*began, *used) = fresh;
        }
        let full = *used >= PER_MINUTE;
        *used = used.saturating_add(1).min(PER_MINUTE);
        let standing = Standing {
            policy: "hook",
            limit: PER_MINUTE,
            used: *used,
            window: WINDOW,
            resets_at: began.plus(WINDOW),
        };
        if full { Err(standing) } else { Ok(standing) }
    }
}

impl App {
    /// Counts a request of a hook.
    ///
    /// # Errors
    /// The limit is reached; nothing was counted.
    pub fn count_push(&self, id: &HookId) -> Result<Standing, Standing> {
        self.memory().push_rates.count(id, self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_after_a_minute() {
        let rates = PushRates::default();
        let (one, other) = (HookId::from_random([1; 10]), HookId::from_random([2; 10]));
        for used in 1..=PER_MINUTE {
            assert_eq!(rates.count(&one, Timestamp(5_400)).map(|standing| standing.used), Ok(used));
        }
        let refused = rates.count(&one, Timestamp(64_999)).expect_err("too many");
        assert_eq!((refused.remaining(), refused.resets_at), (0, Timestamp(65_000)));
        assert!(rates.count(&other, Timestamp(64_999)).is_ok());
        assert_eq!(rates.count(&one, Timestamp(65_000)).map(|standing| standing.used), Ok(1));
    }
}
