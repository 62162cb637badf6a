//! Use cases: every change a user can ask for, once, for API, pages, hooks and CLI.

mod error;
pub mod may;

pub mod api_keys;
pub mod authenticate;
pub mod build_logs;
pub mod deployments;
pub mod events;
pub mod login;
pub mod overview;
pub mod project_rules;
pub mod projects;
pub mod redeploy;
pub mod setup;
pub mod users;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use error::AppError;

use crate::clock::Clock;
use crate::config::Hosts;
use crate::crypto::secret_box::SecretBox;
use crate::db::Db;
use crate::egress::Policy;
use crate::events::Bus;
use crate::logs::LogStore;
use crate::task::Signal;

/// What use cases need. Clones share everything.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub secrets: Arc<SecretBox>,
    pub bus: Bus,
    pub logs: LogStore,
    pub hosts: Hosts,
    pub egress: Policy,
    /// Wakes the pipeline.
    pub pipeline: Signal,
    /// Wakes the publisher of routes.
    pub routes: Signal,
    /// Canceled when the process stops: streams and waits end, so that clients connect again.
    pub stopping: CancellationToken,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Password hashing takes 46 MiB each: two at a time on the whole machine.
pub(crate) static HASHING: Semaphore = Semaphore::const_new(2);
