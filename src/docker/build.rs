//! What goes into a build and what comes out of it.

use std::time::Duration;

use tokio::sync::mpsc;

use super::Owner;
use crate::model::network::Network;

/// A build to run.
#[derive(Clone, Debug)]
pub struct BuildSpec {
    pub owner: Owner,
    /// Name the image gets, such as `orbitra/my-app:dep_…`.
    pub tag: String,
    /// Path of the Dockerfile inside the context.
    pub dockerfile: String,
    /// Build arguments the Dockerfile declares; they stay visible in the image's history, so never secrets.
    pub arguments: Vec<(String, String)>,
    /// Files under `/run/secrets/<id>` of steps that ask for them; never kept in a layer.
    pub secrets: Vec<(String, Vec<u8>)>,
    /// What the cache mounts of all steps are kept under: a build sees the mounts of its own namespace only.
    /// Letters, digits, `-` and `_`.
    pub cache_namespace: String,
    /// Runs every step again.
    pub no_cache: bool,
    /// The whole build's deadline.
    pub timeout: Duration,
    pub limits: BuildLimits,
    /// Private networks that the build's steps may reach; they reach none beside these.
    pub open_networks: Vec<Network>,
}

/// What all steps of one build together may use. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildLimits {
    pub memory_bytes: Option<u64>,
    /// Thousandths of a core.
    pub cpu_millis: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

/// Where a build reports to; bounded, so that a build that writes faster than the log is slowed down.
pub type BuildEvents = mpsc::Sender<BuildEvent>;

/// One thing that happened during a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildEvent {
    /// A step began. `name` is the engine's text, such as `[build 3/5] RUN npm ci`.
    StepStarted { step: String, name: String },
    /// Bytes a step wrote, as they came; not aligned to lines.
    Output { step: String, stderr: bool, bytes: Vec<u8> },
    /// A step ended after this long; `cached` when nothing had to run.
    StepFinished {
        step: String,
        name: String,
        duration: Duration,
        cached: bool,
        error: Option<String>,
    },
    /// Anything the engine says about the build as a whole.
    Note { message: String },
}

/// A finished image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltImage {
    /// Content address, `sha256:…`.
    pub id: String,
}
