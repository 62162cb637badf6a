//! Figures over time: looks every 15 seconds at what deployments have answered and what their containers use, and adds
//! it to the stored series in one write. What sleeps, and what nothing happens to, costs nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::db::replicas::Running;
use crate::db::series::Seen;
use crate::db::{self, Db, DbError};
use crate::docker::{ContainerEngine, ContainerId, ContainerUsage};
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::series::{Point, Resolution};
use crate::model::timestamp::Timestamp;
use crate::routing::meter::{Meters, Sums};
use crate::routing::table::Routes;
use crate::task::{Signal, Tasks};

/// The parts of a [`Meter`].
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub engine: Arc<dyn ContainerEngine>,
    pub routes: Routes,
    /// Has it look before its time.
    pub signal: Signal,
}

/// Looks, and writes down what it saw. Clones share what they remember.
#[derive(Clone)]
pub struct Meter(Arc<(Parts, tokio::sync::Mutex<Memory>)>);

/// What is compared with the next look. Nothing of it is missed after a restart: what requests were answered is counted
/// elsewhere, and of processor time the interval of the first look is unknown.
#[derive(Default)]
struct Memory {
    looked: Option<Timestamp>,
    /// Deployments that were routed, also those that are not any more.
    routed: HashMap<DeploymentId, (ProjectId, Arc<Meters>)>,
    used: Used,
}

/// By container: the processor time it had used, and when.
type Used = HashMap<String, (u64, Timestamp)>;

/// The engine or the database could not be asked.
type Unknown = Box<dyn std::error::Error + Send + Sync>;

impl Meter {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new((parts, tokio::sync::Mutex::default())))
    }

    /// Looks at the end of every interval, and whenever it is told to.
    pub fn start(&self, tasks: &Tasks) {
        let (meter, stopping) = (self.clone(), tasks.stopping());
        tasks.spawn(async move {
            loop {
                meter.look().await;
                let parts = &meter.0.0;
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = parts.signal.woken() => {}
                    () = tokio::time::sleep(until_next(parts.clock.now())) => {}
                }
            }
        });
    }

    /// Adds to the stored series what has happened since the last look. What cannot be written is written with the next.
    pub async fn look(&self) {
        let (parts, memory) = &*self.0;
        let mut memory = memory.lock().await;
        let now = parts.clock.now();
        let at = middle(memory.looked, now);
        let requests = self.requests(&mut memory);
        let (containers, used) = match self.containers(&memory.used, now).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "what containers use is not known");
                Default::default()
            }
        };
        let seen: Vec<_> =
            requests.iter().map(|(seen, ..)| seen.clone()).chain(containers).collect();
        if !seen.is_empty() {
            let write = parts.db.write(move |c| -> Result<(), DbError> {
                seen.iter().try_for_each(|seen| db::series::add(c, at, seen))
            });
            if let Err(error) = write.await {
                tracing::warn!(%error, "figures could not be written");
                return;
            }
        }
        for (_, meters, sums) in requests {
            meters.told(sums);
        }
        memory.used = used;
        memory.looked = Some(now);
    }

    /// What was answered and is not stored yet.
    fn requests(&self, memory: &mut Memory) -> Vec<(Seen, Arc<Meters>, Sums)> {
        let mut routed = HashMap::new();
        for one in self.0.0.routes.applications() {
            routed.insert(one.deployment.clone(), (one.project.clone(), one.meters.clone()));
        }
        let mut gone = std::mem::take(&mut memory.routed);
        gone.retain(|id, _| !routed.contains_key(id));
        let all = routed.iter().chain(&gone);
        let seen = all.filter_map(|(deployment, (project, meters))| {
            let (now, untold) = meters.untold();
            if untold.requests() + untold.in_flight == 0 {
                return None;
            }
            let point = Point {
                classes: untold.classes,
                buckets: untold.buckets,
                bytes: untold.bytes,
                in_flight: untold.in_flight,
                ..Point::default()
            };
            let (project, deployment) = (project.clone(), deployment.clone());
            Some((Seen { project, deployment, instance: 0, point }, meters.clone(), now))
        });
        let seen = seen.collect();
        // One that is gone may still finish what it had begun.
        gone.retain(|_, (_, meters)| meters.sums().in_flight > 0);
        routed.extend(gone);
        memory.routed = routed;
        seen
    }

    /// What containers use, and what the next look is compared with.
    async fn containers(
        &self,
        before: &Used,
        now: Timestamp,
    ) -> Result<(Vec<Seen>, Used), Unknown> {
        let parts = &self.0.0;
        let running = parts.db.read(db::replicas::running).await?;
        if running.is_empty() {
            return Ok(Default::default());
        }
        let ids: Vec<_> = running.iter().map(|one| ContainerId(one.container.clone())).collect();
        let usage: HashMap<_, _> = parts.engine.container_usage(&ids).await?.into_iter().collect();
        let mut used = HashMap::new();
        let mut seen = Vec::new();
        for one in running {
            let Running { project, deployment, number, container } = one;
            let Some(usage) = usage.get(&ContainerId(container.clone())) else { continue };
            let point = point(before.get(&container).copied(), *usage, now);
            used.insert(container, (usage.cpu_micros, now));
            seen.push(Seen { project, deployment, instance: number, point });
        }
        Ok((seen, used))
    }
}

/// What a container has used since it was looked at. Its first look says nothing of processor time.
fn point(before: Option<(u64, Timestamp)>, usage: ContainerUsage, now: Timestamp) -> Point {
    let mut point = Point { memory: usage.memory, ..Point::default() };
    if let Some((micros, at)) = before {
        point.cpu_millis = now.millis_since(at);
        // A container that was started again counts from zero.
        let since = usage.cpu_micros.checked_sub(micros).unwrap_or(usage.cpu_micros);
        point.cpu_micros = if point.cpu_millis > 0 { since } else { 0 };
    }
    point
}

/// The moment that stands for everything since the last look: its middle, so that a look just after the end of an
/// interval counts for that interval.
fn middle(looked: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let interval = u64::try_from(Resolution::Fine.seconds() * 1000).unwrap_or(0);
    let since = looked.map_or(interval, |looked| now.millis_since(looked).min(interval));
    Timestamp(now.0 - i64::try_from(since / 2).unwrap_or(0))
}

fn until_next(now: Timestamp) -> Duration {
    let interval = Resolution::Fine.seconds() * 1000;
    let left = interval - now.0.rem_euclid(interval);
    Duration::from_millis(u64::try_from(left).unwrap_or(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_counts_for_the_interval_it_ends() {
        let at = |looked: Option<i64>, now: i64| middle(looked.map(Timestamp), Timestamp(now)).0;
        assert_eq!(at(Some(15_000), 30_020) / 15_000, 1);
        assert_eq!(at(Some(30_000), 31_000) / 15_000, 2);
        assert_eq!(at(None, 30_000) / 15_000, 1);
        // Stood still for long, or a clock that was set back.
        assert_eq!(at(Some(0), 300_000), 292_500);
        assert_eq!(at(Some(300_000), 30_000), 30_000);
        assert_eq!(until_next(Timestamp(30_000)), Duration::from_secs(15));
        assert_eq!(until_next(Timestamp(44_999)), Duration::from_millis(1));
    }

    #[test]
    fn there_are_no_negative_steps() {
        let usage = |cpu_micros| ContainerUsage { cpu_micros, memory: 7 };
        let seen = |before, micros, now| {
            let point = point(before, usage(micros), Timestamp(now));
            (point.cpu_micros, point.cpu_millis, point.memory)
        };
        assert_eq!(seen(None, 500, 1000), (0, 0, 7));
        assert_eq!(seen(Some((500, Timestamp(1000))), 800, 16_000), (300, 15_000, 7));
        assert_eq!(seen(Some((500, Timestamp(1000))), 20, 16_000), (20, 15_000, 7));
        assert_eq!(seen(Some((500, Timestamp(1000))), 800, 900), (0, 0, 7));
    }
}
