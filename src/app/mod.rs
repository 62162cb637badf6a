//! Use cases: every change a user can ask for, once, for API, pages, hooks and CLI.

mod error;
pub mod journal;
mod key_rules;
mod known_keys;
pub mod may;
mod memory;
pub mod metrics;
pub mod terms;

mod accept;
pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod authenticate;
pub mod build_logs;
mod cancel;
pub mod certificate_ledger;
mod certificates;
pub mod delete_deployment;
mod deployment_source;
pub mod deployments;
pub mod domain_certificates;
pub mod domain_checks;
mod domain_claims;
mod domain_rules;
pub mod domains;
pub mod env;
mod env_change;
pub mod env_preview;
pub mod env_read;
pub mod events;
pub mod forge;
pub mod gc;
pub mod git_push;
mod git_refs;
pub mod key_changes;
pub mod login;
pub mod mail;
pub mod overview;
pub mod pause;
mod previews;
pub mod project_rules;
pub mod project_tokens;
pub mod projects;
pub mod promote;
pub mod proxy_rules;
mod pull_requests;
pub mod push_hooks;
mod push_rates;
pub mod pushes;
pub mod rates;
pub mod receipts;
pub mod recipients;
pub mod redeploy;
pub mod registries;
mod room;
pub mod runtime_logs;
pub mod settings;
pub mod setup;
pub mod source;
pub mod source_rules;
pub mod system;
mod tries;
pub mod uploads;
pub mod users;
mod visits;
pub mod webhook_changes;
pub mod webhook_deliveries;
pub mod webhook_replays;
mod webhook_rules;
pub mod webhooks;
pub mod welcome;

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub use error::AppError;
use memory::Memory;

use crate::clock::Clock;
use crate::config::{Config, Hosts};
use crate::crypto::secret_box::SecretBox;
use crate::db::Db;
use crate::docker::ContainerEngine;
use crate::egress::Policy;
use crate::events::Bus;
use crate::git::pushed::Repositories;
use crate::logs::LogStore;
use crate::model::disk::Measure;
use crate::model::timestamp::Timestamp;
use crate::routing::traffic::Traffic;
use crate::task::Signal;

/// What use cases need. Clones share everything.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    parts: Parts,
    memory: Memory,
    started: Timestamp,
    settings: ArcSwap<Config>,
}

/// The parts of an [`App`].
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub secrets: Arc<SecretBox>,
    pub bus: Bus,
    pub logs: LogStore,
    pub hosts: Hosts,
    /// What this instance was started with.
    pub config: Config,
    /// Set when the process serves; asked only how it is.
    pub engine: OnceLock<Arc<dyn ContainerEngine>>,
    pub egress: Policy,
    /// What was pushed here with Git.
    pub repositories: Arc<Repositories>,
    /// Wakes the pipeline.
    pub pipeline: Signal,
    /// Wakes the publisher of routes.
    pub routes: Signal,
    /// Wakes those who ask the DNS about domains.
    pub domains: Signal,
    /// Wakes who orders certificates.
    pub orders: Signal,
    /// Wakes the keeper of certificates.
    pub certificates: Signal,
    /// Wakes who asks the responders of certificates.
    pub stapling: Signal,
    /// Wakes who writes figures down.
    pub figures: Signal,
    /// Wakes the sweep, which makes room on the disk.
    pub sweep: Signal,
    /// What the last sweep found on the disk; `None` until there was one.
    pub measured: watch::Sender<Option<Arc<Measure>>>,
    /// What the data plane has done; set when the process serves.
    pub traffic: OnceLock<Traffic>,
    /// Canceled when the process stops: streams and waits end, so that clients connect again.
    pub stopping: CancellationToken,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let started = parts.clock.now();
        let settings = ArcSwap::from_pointee(parts.config.clone());
        Self(Arc::new(Inner { parts, memory: Memory::default(), started, settings }))
    }

    /// When this process was started.
    pub fn started(&self) -> Timestamp {
        self.0.started
    }

    /// The settings as they are now: what the server was started with, and what was chosen since.
    pub fn settings(&self) -> Arc<Config> {
        self.0.settings.load_full()
    }

    fn memory(&self) -> &Memory {
        &self.0.memory
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

/// Password hashing takes 46 MiB each: two at a time on the whole machine.
pub(crate) static HASHING: Semaphore = Semaphore::const_new(2);

#[cfg(test)]
mod tests;
