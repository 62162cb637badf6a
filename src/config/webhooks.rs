//! When and how long a webhook is tried.

use std::time::Duration;

use super::{ConfigError, Setting};

/// Up to a hundred numbers of seconds, each of them up to thirty days.
pub(super) fn schedule(setting: &Setting) -> Result<Vec<Duration>, ConfigError> {
    let wanted = "up to 100 numbers of seconds with commas between, such as 5, 300, 1800";
    let sent = setting.value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let seconds: Result<Vec<u32>, _> = sent.map(str::parse).collect();
    let seconds = seconds.ok().filter(|all| all.len() <= 100);
    let seconds = seconds.filter(|all| all.iter().all(|one| *one <= 30 * 86_400));
    let seconds = seconds.ok_or_else(|| setting.error(wanted))?;
    Ok(seconds.into_iter().map(|one| Duration::from_secs(one.into())).collect())
}

/// How long one attempt may take.
pub(super) fn timeout(setting: &Setting) -> Result<Duration, ConfigError> {
    let wanted = "a number of seconds from 1 to 60";
    let seconds: u32 = setting.parse(wanted)?;
    if !(1..=60).contains(&seconds) {
        return Err(setting.error(wanted));
    }
    Ok(Duration::from_secs(seconds.into()))
}
