//! Long runs that end in a figure: `certificates`, `floods`, `redeploy`, `rollback`, `stale`, `upgrade` and `webhooks` of `bench/` run
//! them; a usual run of the tests does not, or makes a short one.

mod certificates;
mod floods;
mod redeploy;
mod rollback;
mod stale;
mod upgrade;
mod webhook_judges;
mod webhook_visitors;
mod webhooks;

use std::time::Duration;

/// Median and longest.
fn summary(times: &mut [Duration]) -> String {
    times.sort_unstable();
    format!(
        "median {:?}, longest {:?} of {}",
        times[times.len() / 2],
        times[times.len() - 1],
        times.len()
    )
}
