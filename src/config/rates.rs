//! How many requests the API answers.

use std::time::Duration;

use super::{ConfigError, Setting};

/// The highest number that still means a limit; the next one is said instead of "unlimited".
pub const MOST: u32 = 2_147_483_646;

/// Requests per window, by plan. `enterprise` has no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Of the plan `free`, and of an address without an account.
    pub free: u32,
    pub professional: u32,
    /// Whole seconds.
    pub window: Duration,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { free: 1_000, professional: 10_000, window: Duration::from_secs(3_600) }
    }
}

pub(super) fn read(
    free: &Setting,
    professional: &Setting,
    window: &Setting,
) -> Result<RateLimits, ConfigError> {
    let limit = |setting: &Setting| {
        let wanted = "a number of requests, at least 1";
        let number: u32 = setting.parse(wanted)?;
        if (1..=MOST).contains(&number) { Ok(number) } else { Err(setting.error(wanted)) }
    };
    let wanted = "a number of seconds from 1 to 86400";
    let seconds: u64 = window.parse(wanted)?;
    if !(1..=86_400).contains(&seconds) {
        return Err(window.error(wanted));
    }
    Ok(RateLimits {
        free: limit(free)?,
        professional: limit(professional)?,
        window: Duration::from_secs(seconds),
    })
}
