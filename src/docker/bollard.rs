//! The one adapter of [`ContainerEngine`]: Docker through its API.
//!
//! Requests carry no version in their path, so that every engine answers in its own: 20.10 (API 1.41)
//! and every later one. Nothing used here is newer than 1.41.

mod build;
mod container;
mod container_usage;
mod endpoint;
mod errors;
mod events;
mod network;
mod owned;
mod progress;
mod pull;
mod session;
mod usage;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::query_parameters::RemoveImageOptions;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::sync::{Mutex, OnceCell, mpsc};
use tokio_util::sync::CancellationToken;

use self::endpoint::Endpoint;
use super::{
    BuildError, BuildEvents, BuildSpec, BuiltImage, ContainerEngine, ContainerId, ContainerSpec,
    ContainerState, ContainerUsage, EngineError, EngineInfo, Heard, ImageInfo, ImageSource,
    ImageUse, NetworkError, NetworkSpec, OutputChunk, Owned, PullError, PullSpec, reach,
};
use crate::model::build_cache::Record;

/// How long an ordinary call may take.
const CALL: Duration = Duration::from_secs(30);
/// How long a start may take: the engine mounts layers and waits for the runtime.
const START: Duration = Duration::from_secs(60);
/// bollard's own deadline is set out of the way, because it ends at the first byte of an answer.
const UNLIMITED_SECONDS: u64 = 7 * 24 * 3600;

/// A Docker engine.
pub struct Bollard {
    endpoint: Endpoint,
    instance: String,
    /// What the engine says of itself that does not change, once it was asked.
    about: OnceCell<About>,
    /// What images are made of, which never changes.
    layers: usage::KnownLayers,
    /// Older engines accept two networks of one name; one maker at a time never makes them.
    making_network: Mutex<()>,
}

impl Bollard {
    /// An engine at `docker_host`: `unix:///path` or `tcp://host:port`, as in `DOCKER_HOST`; `None`
    /// is `unix:///var/run/docker.sock`. `instance` is the value of this Orbitra's own label.
    /// Nothing is sent yet: an engine that is down fails the calls, not the start.
    ///
    /// # Errors
    /// The address is of another kind.
    pub fn connect(docker_host: Option<&str>, instance: String) -> Result<Self, EngineError> {
        Ok(Self {
            endpoint: Endpoint::parse(docker_host)?,
            instance,
            about: OnceCell::new(),
            layers: usage::KnownLayers::default(),
            making_network: Mutex::new(()),
        })
    }

    /// A client. Made for each call, because bollard refuses to make one while the socket does not exist.
    fn client(&self) -> Result<Docker, EngineError> {
        let version = bollard::API_DEFAULT_VERSION;
        match &self.endpoint {
            Endpoint::Unix(path) => Docker::connect_with_unix(path, UNLIMITED_SECONDS, version),
            Endpoint::Tcp(address) => {
                Docker::connect_with_http(address, UNLIMITED_SECONDS, version)
            }
        }
        .map_err(errors::engine)
    }
}

/// What an engine says of itself.
struct About {
    /// Where it keeps its images; `None` when that is not on this machine.
    storage: Option<PathBuf>,
    /// Whether another user than root runs it, in namespaces of its own.
    rootless: bool,
}

/// What to do about an engine without root.
const WITH_ROOT: &str =
    "Set ORBITRA_DOCKER_HOST to a Docker that root runs, such as unix:///var/run/docker.sock";

impl Bollard {
    /// What it says of itself; `None` when it does not answer.
    async fn about(&self) -> Option<&About> {
        let asked = self.about.get_or_try_init(|| async {
            let info = within(CALL, "info", self.client()?.info()).await?;
            let storage = info.docker_root_dir.map(PathBuf::from).filter(|path| path.is_dir());
            let options = info.security_options.unwrap_or_default();
            Ok::<_, EngineError>(About {
                storage: storage.filter(|_| !matches!(self.endpoint, Endpoint::Tcp(_))),
                rootless: options.iter().any(|option| option == "name=rootless"),
            })
        });
        asked.await.ok()
    }
}

/// Runs one call under its deadline. `what` names it in the error.
async fn within<T>(
    limit: Duration,
    what: &'static str,
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, EngineError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result.map_err(errors::engine),
        Err(_) => Err(EngineError::TimedOut(what)),
    }
}

/// Turns "there is no such object" into `None`.
fn found<T>(result: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(EngineError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// References become part of a request's path, so nothing may be in them that means something there.
fn checked(reference: &str) -> Result<&str, EngineError> {
    let plain =
        reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte));
    let dots = reference.split('/').any(|part| part.is_empty() || part == "." || part == "..");
    if plain && !dots {
        Ok(reference)
    } else {
        Err(EngineError::Refused(format!("{reference:?} is not a valid name")))
    }
}

#[async_trait]
impl ContainerEngine for Bollard {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let client = self.client()?;
        let version = within(CALL, "version", client.version()).await?;
        let mut components = version.components.unwrap_or_default().into_iter();
        let runtime = components.find(|one| one.name == "runc");
        Ok(EngineInfo {
            version: version.version.unwrap_or_default(),
            api_version: version.api_version.unwrap_or_default(),
            runtime: runtime.map(|one| one.version),
        })
    }

    async fn warning(&self) -> Option<String> {
        self.about().await?.rootless.then(|| {
            format!(
                "Docker runs without root (rootless): its containers are in a network that only its own processes reach, \
                 and Orbitra's applications would get no visitors. {WITH_ROOT}."
            )
        })
    }

    async fn unreachable(&self, address: IpAddr) -> Option<String> {
        // Orbitra may run in the same namespaces.
        if !self.about().await?.rootless || reach::has_bridge_to(address) {
            return None;
        }
        Some(format!(
            "Docker runs without root (rootless), so the container's address {address} is in a network that only Docker's \
             own processes reach. {WITH_ROOT}, and deploy again."
        ))
    }

    async fn storage(&self) -> Option<PathBuf> {
        self.about().await?.storage.clone()
    }

    async fn build(
        &self,
        spec: BuildSpec,
        context: BoxStream<'static, Result<Bytes, std::io::Error>>,
        events: BuildEvents,
        cancel: CancellationToken,
    ) -> Result<BuiltImage, BuildError> {
        build::image(self, spec, context, events, cancel).await
    }

    async fn build_files(
        &self,
        spec: BuildSpec,
        context: BoxStream<'static, Result<Bytes, std::io::Error>>,
        files: mpsc::Sender<Bytes>,
        events: BuildEvents,
        cancel: CancellationToken,
    ) -> Result<(), BuildError> {
        build::files(self, spec, context, files, events, cancel).await
    }

    async fn resolve(&self, source: &ImageSource) -> Result<String, PullError> {
        pull::resolve(self, source).await
    }

    async fn pull(
        &self,
        spec: PullSpec,
        events: mpsc::Sender<String>,
        cancel: CancellationToken,
    ) -> Result<ImageInfo, PullError> {
        pull::run(self, spec, events, cancel).await
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError> {
        let client = self.client()?;
        let call = client.inspect_image(checked(reference)?);
        let Some(image) = found(within(CALL, "inspect image", call).await)? else {
            return Ok(None);
        };
        let ports = image.config.and_then(|config| config.exposed_ports);
        let mut exposed_ports: Vec<u16> = ports
            .unwrap_or_default()
            .iter()
            .filter_map(|port| port.strip_suffix("/tcp").unwrap_or(port).parse().ok())
            .collect();
        exposed_ports.sort_unstable();
        Ok(Some(ImageInfo {
            id: image.id.unwrap_or_default(),
            size_bytes: image.size.and_then(|size| size.try_into().ok()).unwrap_or(0),
            digests: image
                .repo_digests
                .unwrap_or_default()
                .iter()
                .filter_map(|name| digest(name))
                .collect(),
            exposed_ports,
        }))
    }

    async fn remove_image(&self, reference: &str) -> Result<(), EngineError> {
        let client = self.client()?;
        let options = RemoveImageOptions::default();
        let call = client.remove_image(checked(reference)?, Some(options), None);
        // Deleting layers takes as long as the disk needs.
        found(within(START, "remove image", call).await).map(|_| ())
    }

    async fn ensure_network(&self, spec: NetworkSpec) -> Result<(), NetworkError> {
        network::ensure(self, spec).await
    }

    async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        let client = self.client()?;
        let call = client.remove_network(checked(name)?);
        found(within(CALL, "remove network", call).await).map(|_| ())
    }

    async fn create(&self, spec: ContainerSpec) -> Result<ContainerId, EngineError> {
        container::create(self, spec).await
    }

    async fn start(&self, id: &ContainerId) -> Result<(), EngineError> {
        let client = self.client()?;
        let call = client.start_container(checked(&id.0)?, None);
        within(START, "start container", call).await
    }

    async fn supervise(&self, id: &ContainerId) -> Result<(), EngineError> {
        container::supervise(&self.client()?, &id.0).await
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Option<ContainerState>, EngineError> {
        container::inspect(&self.client()?, &id.0).await
    }

    async fn container_usage(
        &self,
        ids: &[ContainerId],
    ) -> Result<Vec<(ContainerId, ContainerUsage)>, EngineError> {
        container_usage::all(self, ids).await
    }

    async fn pause(&self, id: &ContainerId) -> Result<(), EngineError> {
        container::pause(&self.client()?, &id.0).await
    }

    async fn unpause(&self, id: &ContainerId) -> Result<bool, EngineError> {
        container::unpause(&self.client()?, &id.0).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), EngineError> {
        container::stop(&self.client()?, &id.0, grace).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        container::remove(&self.client()?, &id.0).await
    }

    async fn images(&self) -> Result<Vec<ImageUse>, EngineError> {
        usage::images(&self.client()?, &self.instance, &self.layers).await
    }

    async fn build_cache(&self) -> Result<Vec<Record>, EngineError> {
        usage::build_cache(&self.endpoint).await
    }

    async fn remove_cache(&self, ids: &[String]) -> Result<u64, EngineError> {
        usage::remove_cache(&self.client()?, ids).await
    }

    async fn owned(&self) -> Result<Owned, EngineError> {
        owned::list(&self.client()?, &self.instance).await
    }

    fn events(&self) -> BoxStream<'static, Result<Heard, EngineError>> {
        events::stream(self.client(), &self.instance)
    }

    fn output(
        &self,
        id: &ContainerId,
        tail: Option<u32>,
        follow: bool,
    ) -> BoxStream<'static, Result<OutputChunk, EngineError>> {
        container::output(self.client(), &id.0, tail, follow)
    }
}

/// The digest of `node@sha256:…`.
fn digest(reference: &str) -> Option<String> {
    reference.split_once('@').map(|(_, digest)| digest.to_owned())
}
