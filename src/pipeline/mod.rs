//! From an accepted deployment to one that serves, and everything that keeps it so.
//!
//! `worker` decides what runs, `run` is the way of one deployment, each stage is a file. `retire`,
//! `wake`, `reconcile` and `remove` look after what is there.

mod admission;
mod alarm;
mod build;
mod build_log;
mod build_variables;
mod capture;
mod check;
mod claim;
mod clone;
mod credential;
mod deadline;
mod detect;
mod doze;
mod evict;
mod healthy;
mod held;
mod job;
mod listen;
mod make;
mod measure;
mod mend;
mod pause;
mod precompress;
mod probe;
mod publish_build;
mod publish_files;
mod pull;
mod receipt;
mod reconcile;
mod recover;
mod release;
mod release_command;
mod release_queue;
mod release_switch;
mod remove;
mod replicas;
mod retire;
mod run;
mod runtime_log;
mod source;
mod start;
mod stop;
mod sweep;
mod switch;
mod tidy;
mod unhealthy;
mod unpack;
mod wake;
mod watch;
mod worker;

pub use admission::Room;
pub use doze::Idle;

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Hosts;
use crate::crypto::secret_box::SecretBox;
use crate::db::Db;
use crate::docker::ContainerEngine;
use crate::events::Bus;
use crate::git::SourceFetcher;
use crate::logs::LogStore;
use crate::model::alarm::Streak;
use crate::model::disk::Measure;
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::timestamp::Timestamp;
use crate::routing::publisher::Publisher;
use crate::routing::table::Routes;
use crate::task::{Signal, Tasks};

/// Longest time between two sweeps.
const SWEEP: Duration = Duration::from_secs(600);

/// What the pipeline needs. Clones share everything.
#[derive(Clone)]
pub struct Pipeline(Arc<Parts>);

/// The parts of a [`Pipeline`].
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub secrets: Arc<SecretBox>,
    pub bus: Bus,
    pub logs: LogStore,
    pub hosts: Hosts,
    pub egress: crate::egress::Policy,
    pub engine: Arc<dyn ContainerEngine>,
    pub fetcher: Arc<dyn SourceFetcher>,
    pub publisher: Publisher,
    pub routes: Routes,
    /// Name of this instance in the labels on the engine.
    pub instance: String,
    /// Directory of the static sites.
    pub sites: PathBuf,
    /// Directory of the archives that were sent.
    pub uploads: PathBuf,
    pub network_pool: (Ipv4Addr, u8),
    pub build_memory: Option<u64>,
    /// Thousandths of a core that one build may use.
    pub build_cpu_millis: u32,
    pub room: Room,
    pub drain: Duration,
    pub idle: Idle,
    /// Woken when there is something to do.
    pub signal: Signal,
    /// Woken when there may be something to remove.
    pub sweep: Signal,
    /// What the last sweep found on the disk.
    pub measured: tokio::sync::watch::Sender<Option<Arc<Measure>>>,
    pub tasks: Tasks,
    pub state: RunningState,
}

/// What is going on in this process; nothing that a restart would miss.
pub struct RunningState {
    /// Deployments under way, each with the token that cancels it.
    running: Mutex<HashMap<DeploymentId, CancellationToken>>,
    /// Clone, detect and build take one of these.
    slots: Arc<Semaphore>,
    /// Starting and stopping one deployment's container happens one at a time.
    locks: Mutex<HashMap<DeploymentId, Arc<tokio::sync::Mutex<()>>>>,
    /// When somebody last needed a deployment that may sleep.
    used: Mutex<HashMap<DeploymentId, Timestamp>>,
    /// Looks since a crashed deployment was last tried again.
    tried: Mutex<HashMap<DeploymentId, u32>>,
    /// Deployments that a request has woken.
    woken: Mutex<HashSet<DeploymentId>>,
    /// Containers whose output is being copied.
    captured: Mutex<HashSet<String>>,
    /// Releases under way: the number of the wish, and the token that ends it.
    releasing: Mutex<HashMap<ProjectId, (i64, CancellationToken)>>,
    /// Deployments that finish their requests, with how often they were told to.
    draining: Mutex<HashMap<DeploymentId, u32>>,
    /// Deployments whose missing containers are being brought back.
    mending: Mutex<HashSet<DeploymentId>>,
    /// Whether something could not be removed from the engine.
    untidy: AtomicBool,
    /// One sweep at a time.
    sweeping: tokio::sync::Mutex<()>,
    /// Requests of one project wait for one switch at a time.
    holds: Mutex<HashMap<ProjectId, Arc<tokio::sync::Mutex<()>>>>,
    /// What was seen of the deployments that are watched.
    observed: Mutex<HashMap<ProjectId, watch::Observed>>,
    /// Looks at them so far.
    looks: AtomicU32,
    /// Whether the engine was there at the last looks.
    engine: Mutex<Streak>,
}

impl RunningState {
    /// Nothing under way, and room for this many builds.
    pub fn new(builds: usize) -> Self {
        Self {
            running: Mutex::default(),
            slots: Arc::new(Semaphore::new(builds)),
            locks: Mutex::default(),
            used: Mutex::default(),
            tried: Mutex::default(),
            woken: Mutex::default(),
            captured: Mutex::default(),
            releasing: Mutex::default(),
            draining: Mutex::default(),
            mending: Mutex::default(),
            untidy: AtomicBool::default(),
            sweeping: tokio::sync::Mutex::default(),
            holds: Mutex::default(),
            observed: Mutex::default(),
            looks: AtomicU32::default(),
            engine: Mutex::default(),
        }
    }
}

impl Pipeline {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Makes database and engine agree, then starts the tasks.
    pub fn start(&self) {
        let pipeline = self.clone();
        self.tasks.spawn(async move { pipeline.write_requests().await });
        let pipeline = self.clone();
        let recovered = Arc::new(tokio::sync::OnceCell::new());
        let first = recovered.clone();
        self.tasks.periodic(self.signal.clone(), Duration::from_secs(15), move || {
            let (pipeline, first) = (pipeline.clone(), first.clone());
            async move {
                first.get_or_init(|| pipeline.remove_leftovers()).await;
                pipeline.round().await;
            }
        });
        let pipeline = self.clone();
        self.tasks.periodic(self.routes.wake_signal(), Duration::from_secs(60), move || {
            let pipeline = pipeline.clone();
            async move { pipeline.wake_wanted() }
        });
        let pipeline = self.clone();
        self.tasks.spawn(async move { pipeline.listen().await });
        let pipeline = self.clone();
        self.tasks.periodic(Signal::default(), Duration::from_secs(5), move || {
            let pipeline = pipeline.clone();
            async move { pipeline.tidy().await }
        });
        let pipeline = self.clone();
        self.tasks.periodic(Signal::default(), watch::LOOK, move || {
            let pipeline = pipeline.clone();
            async move { pipeline.watch().await }
        });
        let pipeline = self.clone();
        self.tasks.spawn(async move { pipeline.watch_for_alarms().await });
        let pipeline = self.clone();
        let before = recovered.clone();
        self.tasks.periodic(Signal::default(), Duration::from_secs(15), move || {
            let (pipeline, recovered) = (pipeline.clone(), recovered.clone());
            async move {
                recovered.get_or_init(|| pipeline.remove_leftovers()).await;
                pipeline.reconcile().await;
                pipeline.sweep_when_full().await;
            }
        });
        let pipeline = self.clone();
        self.tasks.periodic(self.sweep.clone(), SWEEP, move || {
            let (pipeline, before) = (pipeline.clone(), before.clone());
            async move {
                before.get_or_init(|| pipeline.remove_leftovers()).await;
                pipeline.sweep().await;
            }
        });
        let pipeline = self.clone();
        self.tasks.periodic(Signal::default(), self.idle.interval(), move || {
            let pipeline = pipeline.clone();
            async move { pipeline.doze().await }
        });
    }

    /// The lock under which a deployment's containers are started and stopped.
    fn lock_of(&self, id: &DeploymentId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.state.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(id.clone()).or_default().clone()
    }

    /// Publishes the routes; a failure is logged and made good by the next publication.
    async fn publish(&self) {
        if let Err(error) = self.publisher.publish().await {
            tracing::error!(%error, "the routes could not be published");
        }
    }
}

impl std::ops::Deref for Pipeline {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
