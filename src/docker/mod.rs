//! The container engine: the port `ContainerEngine` and its value types. The one adapter is [`bollard`].
//!
//! Nothing above this module may assume that a container is a local process: it knows identifiers,
//! addresses and states, all of them asked for through the port.

pub mod bollard;
pub mod build;
mod build_bundle;
mod build_failure;
mod build_fence;
mod build_guard;
mod build_network;
mod build_steps;
mod cgroup;
mod cgroup_usage;
pub mod error;
pub mod labels;
pub mod pull;
mod reach;
mod route_rules;
pub mod sockets;
pub mod usage;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use build::{BuildEvent, BuildEvents, BuildLimits, BuildSpec, BuiltImage};
pub use error::{BuildError, EngineError};
pub use labels::Owner;
pub use pull::{Credentials, ImageSource, PullError, PullSpec};
pub use usage::ImageUse;

use crate::model::build_cache::Record;

/// The engine's own identifier of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerId(pub String);

/// What the engine says of itself.
#[derive(Clone, Debug)]
pub struct EngineInfo {
    /// Engine version, such as `20.10.24`.
    pub version: String,
    /// Negotiated API version, such as `1.41`.
    pub api_version: String,
    /// Version of runc, which starts the containers; `None` when the engine does not say.
    pub runtime: Option<String>,
}

/// A bridge network for one project, or for one deployment alone when its owner names that.
#[derive(Clone, Debug)]
pub struct NetworkSpec {
    pub owner: Owner,
    pub name: String,
    /// Subnet chosen by Orbitra, as (address, prefix length), so that the engine's default pool of about thirty is no limit.
    pub subnet: (Ipv4Addr, u8),
}

/// Why a network could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The subnet is in use on this machine; the caller tries its next one.
    #[error("the subnet is in use on this machine")]
    SubnetInUse,
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A container to make. Everything not said here is fixed by the adapter: no new privileges, all
/// capabilities dropped but the few that official images need, an init process, bounded logs, no
/// published port, no host mount.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    pub owner: Owner,
    pub name: String,
    /// Which of the deployment's containers it is, from 1; none is for something that does not serve.
    pub replica: Option<u32>,
    /// Image id or reference that is present on the engine.
    pub image: String,
    pub network: String,
    /// Exact bytes the process gets, in this order.
    pub environment: Vec<(String, String)>,
    /// Replaces the image's entry point when given.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command when given (argument vector, never a shell string).
    pub command: Option<Vec<String>>,
    pub memory_bytes: u64,
    pub cpu_millis: u32,
    pub pids: u32,
    /// Name other containers of the network reach it by.
    pub hostname: String,
}

/// What is true of a container now.
#[derive(Clone, Debug)]
pub struct ContainerState {
    pub id: ContainerId,
    /// The name it was made with.
    pub name: String,
    pub owner: Option<Owner>,
    /// How often the engine has started it again after it failed.
    pub restarts: u32,
    pub running: bool,
    pub paused: bool,
    /// Whether it belongs to a network. One that was taken out of its own is reached by nobody, also after a start.
    pub in_network: bool,
    /// Address in the project's network; `None` while it does not run.
    pub address: Option<IpAddr>,
    pub exit_code: Option<i64>,
    pub out_of_memory: bool,
    /// Process id on the host of the container's first process, when the engine is local.
    pub pid: Option<u32>,
    /// The engine's own words when a start failed.
    pub error: Option<String>,
}

/// Something has happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub container: ContainerId,
    /// It was taken out of a network, as every one is that ends.
    pub unplugged: bool,
}

/// What a container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerUsage {
    /// Processor time since it was started, in microseconds, of all its processes.
    pub cpu_micros: u64,
    /// Bytes of memory, without files that the kernel could forget.
    pub memory: u64,
}

/// One chunk of a container's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputChunk {
    pub stderr: bool,
    pub bytes: Bytes,
}

/// An image that is present on the engine.
#[derive(Clone, Debug)]
pub struct ImageInfo {
    /// Content address, `sha256:…`.
    pub id: String,
    pub size_bytes: u64,
    /// Digests it has in registries it was pulled from, `sha256:…`; none for one that was made here.
    pub digests: Vec<String>,
    /// Ports the image declares, TCP only.
    pub exposed_ports: Vec<u16>,
}

/// The engine as the rest of Orbitra sees it. Every call has a deadline of its own inside the
/// adapter, so that an engine that hangs fails the call and not the caller.
#[async_trait]
pub trait ContainerEngine: Send + Sync {
    /// Version and health; the cheapest call there is.
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// What is wrong with it although it answers, and what to do about it; `None` when nothing is, or it does not answer.
    async fn warning(&self) -> Option<String> {
        None
    }

    /// Why nobody on this machine reaches a container's address, and what to do about it, where that is known.
    async fn unreachable(&self, _address: IpAddr) -> Option<String> {
        None
    }

    /// Directory of this machine the engine keeps its images in; `None` when that is unknown or elsewhere.
    async fn storage(&self) -> Option<PathBuf>;

    /// Builds an image from a tar stream. Progress goes into `events` while it runs; `cancel` really
    /// stops the work inside the engine. The image carries the owner's labels and `spec.tag`.
    async fn build(
        &self,
        spec: BuildSpec,
        context: BoxStream<'static, Result<Bytes, std::io::Error>>,
        events: BuildEvents,
        cancel: CancellationToken,
    ) -> Result<BuiltImage, BuildError>;

    /// Builds like [`ContainerEngine::build`], but keeps no image: the file system of the last stage goes as a tar into
    /// `files`. When nobody takes it any more the build fails. `spec.tag` is not used.
    async fn build_files(
        &self,
        spec: BuildSpec,
        context: BoxStream<'static, Result<Bytes, std::io::Error>>,
        files: mpsc::Sender<Bytes>,
        events: BuildEvents,
        cancel: CancellationToken,
    ) -> Result<(), BuildError>;
    /// The digest an image has in its registry now, `sha256:…`. The engine asks, with the source's credentials.
    async fn resolve(&self, source: &ImageSource) -> Result<String, PullError>;

    /// Pulls an image by its digest and gives it the name `spec.tag`. Lines of progress go into `events` while it runs;
    /// `cancel` ends it. A pulled image carries no label: whose it is stands in the database.
    async fn pull(
        &self,
        spec: PullSpec,
        events: mpsc::Sender<String>,
        cancel: CancellationToken,
    ) -> Result<ImageInfo, PullError>;

    /// Looks an image up by id or reference.
    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError>;

    /// Removes an image; absent is success.
    async fn remove_image(&self, reference: &str) -> Result<(), EngineError>;

    /// Makes the network unless one of this name and owner exists.
    async fn ensure_network(&self, spec: NetworkSpec) -> Result<(), NetworkError>;

    /// Removes a network; absent is success.
    async fn remove_network(&self, name: &str) -> Result<(), EngineError>;

    /// Makes a container without starting it. When one of this name and owner exists it is returned.
    async fn create(&self, spec: ContainerSpec) -> Result<ContainerId, EngineError>;

    /// Starts it; already running is success.
    async fn start(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// From now on the engine itself starts the container again when it fails, a bounded number of times. A new
    /// container is not started again, so that the exit code of a first start that fails can be seen.
    async fn supervise(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// What is true of it now; `None` when there is no such container.
    async fn inspect(&self, id: &ContainerId) -> Result<Option<ContainerState>, EngineError>;

    /// What these containers use now. Those that do not run are left out; none is woken.
    async fn container_usage(
        &self,
        ids: &[ContainerId],
    ) -> Result<Vec<(ContainerId, ContainerUsage)>, EngineError>;

    /// Takes all time from its processes; they keep their memory, and connections to them are accepted and wait. Already
    /// paused is success, not running is not.
    async fn pause(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// Lets a paused one go on. Answers whether it was paused; not paused, not running or absent is `false`.
    async fn unpause(&self, id: &ContainerId) -> Result<bool, EngineError>;

    /// SIGTERM, then after `grace` SIGKILL; not running or absent is success. A paused one goes on first, so that it can
    /// end itself.
    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), EngineError>;

    /// Removes it by force with its anonymous volumes; absent is success.
    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// Every image on the engine, also those of others, with the layers it is made of.
    async fn images(&self) -> Result<Vec<ImageUse>, EngineError>;

    /// Every record of the build cache, also those of others. The engine adds up, which may take a while.
    async fn build_cache(&self) -> Result<Vec<Record>, EngineError>;

    /// Removes records of the build cache, except those that a build uses or that a record not named here stands on.
    /// Answers the bytes that came free; none for those that are not there.
    async fn remove_cache(&self, ids: &[String]) -> Result<u64, EngineError>;

    /// All containers, networks and images of this instance, by label. Foreign objects never appear.
    async fn owned(&self) -> Result<Owned, EngineError>;

    /// Names the containers of this instance that start, stop, pause or go, and those of anybody that are taken out of a
    /// network, as it happens. The stream ends when the engine does; what happened before and in between is not told.
    fn events(&self) -> BoxStream<'static, Result<Heard, EngineError>>;

    /// Output of a container from its first byte (or its last `tail` lines); follows while it runs when `follow`.
    fn output(
        &self,
        id: &ContainerId,
        tail: Option<u32>,
        follow: bool,
    ) -> BoxStream<'static, Result<OutputChunk, EngineError>>;
}

/// Everything on the engine that carries this instance's labels.
#[derive(Clone, Debug, Default)]
pub struct Owned {
    pub containers: Vec<ContainerState>,
    pub networks: Vec<OwnedObject>,
    pub images: Vec<OwnedObject>,
}

/// A network or an image of this instance.
#[derive(Clone, Debug)]
pub struct OwnedObject {
    /// The engine's identifier.
    pub id: String,
    pub name: String,
    pub owner: Owner,
}
