//! What containers use: read from this machine's control groups where they are, asked of the engine where not.

use std::path::Path;

use bollard::query_parameters::StatsOptions;
use futures_util::{StreamExt, stream};

use super::endpoint::Endpoint;
use super::{Bollard, CALL, checked, errors};
use crate::docker::cgroup::ROOT;
use crate::docker::{ContainerId, ContainerUsage, EngineError, cgroup_usage};

/// Containers asked about at the same time: the engine has no call for several.
const PARALLEL: usize = 4;

/// What these containers use. Those that do not run are left out.
pub async fn all(
    engine: &Bollard,
    ids: &[ContainerId],
) -> Result<Vec<(ContainerId, ContainerUsage)>, EngineError> {
    let mut found = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    let is_here = matches!(engine.endpoint, Endpoint::Unix(_));
    for id in ids {
        match cgroup_usage::of(Path::new(ROOT), &id.0).filter(|_| is_here) {
            Some(usage) => found.push((id.clone(), usage)),
            None => missing.push(id.clone()),
        }
    }
    let asked = stream::iter(missing)
        .map(|id| async move { asked(engine, &id).await.map(|usage| Some((id, usage?))) })
        .buffer_unordered(PARALLEL)
        .collect::<Vec<_>>()
        .await;
    for answer in asked {
        found.extend(answer?);
    }
    Ok(found)
}

/// Asks the engine about one; `None` when it does not run or is gone.
async fn asked(engine: &Bollard, id: &ContainerId) -> Result<Option<ContainerUsage>, EngineError> {
    let client = engine.client()?;
    let options = StatsOptions { stream: false, one_shot: true };
    let mut answers = client.stats(checked(&id.0)?, Some(options));
    let first = match tokio::time::timeout(CALL, answers.next()).await {
        Ok(first) => first,
        Err(_) => return Err(EngineError::TimedOut("stats")),
    };
    let stats = match first.transpose().map_err(errors::engine) {
        Ok(stats) => stats,
        Err(EngineError::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let Some(stats) = stats else { return Ok(None) };
    let nanos = stats.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage).unwrap_or(0);
    let (used, files) = stats.memory_stats.map_or((0, 0), |memory| {
        let all = memory.stats.unwrap_or_default();
        let files = ["inactive_file", "total_inactive_file"].iter().find_map(|name| all.get(*name));
        (memory.usage.unwrap_or(0), files.copied().unwrap_or(0))
    });
    let usage = ContainerUsage { cpu_micros: nanos / 1000, memory: used.saturating_sub(files) };
    // The engine answers with zeros for one that has stopped.
    Ok((nanos > 0).then_some(usage))
}
