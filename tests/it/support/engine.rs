//! An engine in this process: its images are what a commit's `app.json` says, its containers are
//! little HTTP servers on loopback addresses.

mod behaviour;
mod faults;
mod registry;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use orbitra::docker::{
    BuildError, BuildEvent, BuildEvents, BuildSpec, BuiltImage, ContainerEngine, ContainerId,
    ContainerSpec, ContainerState, ContainerUsage, EngineError, EngineInfo, Heard, ImageInfo,
    ImageSource, ImageUse, NetworkError, NetworkSpec, OutputChunk, Owned, OwnedObject, Owner,
    PullError, PullSpec,
};
use orbitra::model::build_cache::Record;
use orbitra::model::retention::Layer;
use orbitra::model::timestamp::Timestamp;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::behaviour::{Asked, Behaviour};

/// The name of the threads that applications have of their own.
pub const APPLICATION: &str = "application";

/// The engine; clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    /// Where containers run: not in the program, so that they outlive it. Without one each has a thread of its own.
    runtime: Option<tokio::runtime::Handle>,
    things: Mutex<Things>,
    down: AtomicBool,
    /// Whether nothing can be removed.
    stubborn: AtomicBool,
    /// How many requests for `/slow` have come.
    thinking: Arc<AtomicUsize>,
    /// Whether nobody is told what happens.
    silent: AtomicBool,
    next: AtomicU32,
    /// What happens to containers, and to which.
    changes: broadcast::Sender<(&'static str, String)>,
}

#[derive(Default)]
struct Things {
    images: BTreeMap<String, (Owner, Behaviour)>,
    /// Images without labels, by each of their names.
    pulled: BTreeMap<String, Behaviour>,
    registry: registry::Registry,
    networks: BTreeMap<String, NetworkSpec>,
    containers: HashMap<String, Container>,
    /// Builds under way.
    building: usize,
    /// Most builds at the same time so far.
    most_building: usize,
    /// Most applications that ran at the same time so far.
    most_running: usize,
    /// Commands that ran in place of an application.
    commands: Vec<Command>,
    /// Builds whose step ran before it was held, by image.
    unheld: HashMap<String, usize>,
    /// When images were made.
    made: HashMap<String, Timestamp>,
    /// The build cache.
    cache: Vec<Record>,
}

/// A command that ran in place of an application, and what was there when it began.
#[derive(Clone, Debug)]
pub struct Command {
    /// Entrypoint and command.
    pub words: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub network: String,
    /// Names of all the other containers.
    pub others: Vec<String>,
}

struct Container {
    spec: ContainerSpec,
    behaviour: Behaviour,
    address: IpAddr,
    starts: u32,
    exit_code: Option<i64>,
    process: Option<CancellationToken>,
    /// Whether it accepts connections and answers none.
    paused: watch::Sender<bool>,
    /// How often it was paused.
    pauses: u32,
    /// Whether it was taken out of its network.
    unplugged: bool,
    /// How often the engine has started it again by itself.
    restarts: u32,
    /// The status of all its answers, when it is not 0.
    forced: Arc<AtomicU16>,
    /// Requests its processes got.
    asked: Arc<Asked>,
}

impl Container {
    fn runs(&self) -> bool {
        self.process.is_some() && !*self.paused.borrow()
    }
}

impl Engine {
    /// An engine with nothing on it; its containers run for as long as this test.
    pub fn new() -> Self {
        Self::running_on(Some(tokio::runtime::Handle::current()))
    }

    /// The same, with a thread for each container: one that is busy leaves the others the processor.
    pub fn of_threads() -> Self {
        Self::running_on(None)
    }

    fn running_on(runtime: Option<tokio::runtime::Handle>) -> Self {
        Self(Arc::new(Inner {
            runtime,
            things: Mutex::default(),
            down: AtomicBool::default(),
            stubborn: AtomicBool::default(),
            thinking: Arc::default(),
            silent: AtomicBool::default(),
            next: AtomicU32::default(),
            changes: broadcast::channel(1024).0,
        }))
    }

    /// Runs what a container does until it is stopped.
    fn run(&self, stop: CancellationToken, serving: impl Future<Output = ()> + Send + 'static) {
        let running = async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = serving => {}
            }
        };
        match &self.0.runtime {
            Some(runtime) => drop(runtime.spawn(running)),
            None => {
                let thread = std::thread::Builder::new().name(APPLICATION.to_owned());
                let started = thread.spawn(|| {
                    let alone = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    alone.unwrap().block_on(running);
                });
                drop(started.unwrap());
            }
        }
    }

    /// Every call fails from now on, as if the engine were not running.
    pub fn set_down(&self, down: bool) {
        self.0.down.store(down, Ordering::SeqCst);
    }

    /// From now on nothing can be removed, or it can.
    pub fn set_stubborn(&self, stubborn: bool) {
        self.0.stubborn.store(stubborn, Ordering::SeqCst);
    }

    fn removes(&self) -> Result<(), EngineError> {
        if self.0.stubborn.load(Ordering::SeqCst) {
            return Err(EngineError::Refused("device or resource busy".to_owned()));
        }
        self.answers()
    }

    /// How many containers, running containers (paused ones are not), images and networks there are.
    pub fn count(&self) -> (usize, usize, usize, usize) {
        let things = self.0.things.lock().unwrap();
        let running = things.containers.values().filter(|one| one.runs()).count();
        (things.containers.len(), running, things.images.len(), things.networks.len())
    }

    /// How often a deployment's container was started; `None` when there is none.
    pub fn starts(&self, deployment: &str) -> Option<u32> {
        let things = self.0.things.lock().unwrap();
        things.containers.get(&format!("orbitra-{deployment}")).map(|one| one.starts)
    }

    /// Whether a deployment's container is paused, and how often it was.
    pub fn pauses(&self, deployment: &str) -> (bool, u32) {
        let things = self.0.things.lock().unwrap();
        let container = &things.containers[&format!("orbitra-{deployment}")];
        (container.process.is_some() && *container.paused.borrow(), container.pauses)
    }

    /// Whether a deployment has a container with a process, paused or not.
    pub fn has_process(&self, deployment: &str) -> bool {
        let things = self.0.things.lock().unwrap();
        let container = things.containers.get(&format!("orbitra-{deployment}"));
        container.is_some_and(|one| one.process.is_some())
    }

    /// Pauses or unpauses a deployment's container behind Orbitra's back.
    pub fn set_paused(&self, deployment: &str, paused: bool) {
        let things = self.0.things.lock().unwrap();
        things.containers[&format!("orbitra-{deployment}")].paused.send_replace(paused);
    }

    /// What the running containers of a deployment find in a variable.
    pub fn variable(&self, deployment: &str, name: &str) -> Vec<Option<String>> {
        let things = self.0.things.lock().unwrap();
        let of_it = things.containers.iter().filter(|(container, one)| {
            one.process.is_some() && container.starts_with(&format!("orbitra-{deployment}"))
        });
        of_it
            .map(|(_, one)| {
                let found = one.spec.environment.iter().find(|(key, _)| key == name);
                found.map(|(_, value)| value.clone())
            })
            .collect()
    }

    /// Most applications that ran at the same time so far.
    pub fn most_running(&self) -> usize {
        self.0.things.lock().unwrap().most_running
    }

    /// Names of all containers.
    pub fn names(&self) -> Vec<String> {
        self.0.things.lock().unwrap().containers.keys().cloned().collect()
    }

    /// Commands that ran in place of an application so far.
    pub fn commands(&self) -> Vec<Command> {
        self.0.things.lock().unwrap().commands.clone()
    }

    /// Ends a container's process as a crash would.
    pub fn crash(&self, deployment: &str) {
        let mut things = self.0.things.lock().unwrap();
        let container = things.containers.get_mut(&format!("orbitra-{deployment}")).unwrap();
        container.process.take().unwrap().cancel();
        container.exit_code = Some(137);
        let name = container.spec.name.clone();
        drop(things);
        self.tell("die", &name);
    }

    fn tell(&self, action: &'static str, container: &str) {
        if !self.0.silent.load(Ordering::SeqCst) {
            let _ = self.0.changes.send((action, container.to_owned()));
        }
    }

    /// What happens to containers from now on, as (action, container).
    pub fn changes(&self) -> BoxStream<'static, (&'static str, String)> {
        let changes = self.0.changes.subscribe();
        stream::unfold(changes, |mut changes| async move {
            let change = changes.recv().await.ok()?;
            Some((change, changes))
        })
        .boxed()
    }

    /// From now on every answer of a deployment's containers has this status; 0 is what they would say.
    pub fn set_status(&self, deployment: &str, status: u16) {
        let things = self.0.things.lock().unwrap();
        let name = format!("orbitra-{deployment}");
        for (_, one) in things.containers.iter().filter(|(known, _)| known.starts_with(&name)) {
            one.forced.store(status, Ordering::SeqCst);
        }
    }

    /// How many requests a deployment's container got.
    pub fn asked(&self, deployment: &str) -> u32 {
        let things = self.0.things.lock().unwrap();
        things.containers[&format!("orbitra-{deployment}")].asked.all()
    }

    /// How often a deployment's container was asked for each path below `/once/`.
    pub fn asked_below_once(&self, deployment: &str) -> HashMap<String, u32> {
        let things = self.0.things.lock().unwrap();
        things.containers[&format!("orbitra-{deployment}")].asked.below_once()
    }

    /// As if the engine had started a deployment's container again so many times.
    pub fn set_restarts(&self, deployment: &str, restarts: u32) {
        let mut things = self.0.things.lock().unwrap();
        let container = things.containers.get_mut(&format!("orbitra-{deployment}")).unwrap();
        container.restarts = restarts;
    }

    /// Whether a request for `/slow` has come.
    pub fn thinks(&self) -> bool {
        self.thinking() > 0
    }

    /// From now on a deployment's process ends at its start with this exit code, or does not.
    pub fn set_exit(&self, deployment: &str, code: Option<i64>) {
        let mut things = self.0.things.lock().unwrap();
        let container = things.containers.get_mut(&format!("orbitra-{deployment}")).unwrap();
        container.behaviour.exit = code;
    }

    /// From now on new containers of a deployment's image end at their start with this exit code.
    pub fn set_image_exit(&self, deployment: &str, code: Option<i64>) {
        let mut things = self.0.things.lock().unwrap();
        let owned =
            |owner: &Owner| owner.deployment.as_ref().is_some_and(|id| id.as_str() == deployment);
        let mut images = things.images.values_mut().filter(|(owner, _)| owned(owner));
        images.next().unwrap().1.exit = code;
    }

    /// The names of all images that were built.
    pub fn images(&self) -> Vec<String> {
        self.0.things.lock().unwrap().images.keys().cloned().collect()
    }

    /// The records of the build cache.
    pub fn cache(&self) -> Vec<Record> {
        self.0.things.lock().unwrap().cache.clone()
    }

    /// Changes the records of the build cache, as somebody else's build would.
    pub fn change_cache(&self, change: impl FnOnce(&mut Vec<Record>)) {
        change(&mut self.0.things.lock().unwrap().cache);
    }

    /// Builds that are under way now, and the most there were at the same time.
    pub fn builds(&self) -> (usize, usize) {
        let things = self.0.things.lock().unwrap();
        (things.building, things.most_building)
    }

    fn answers(&self) -> Result<(), EngineError> {
        if self.0.down.load(Ordering::SeqCst) {
            Err(EngineError::Unreachable("there is no socket".to_owned()))
        } else {
            Ok(())
        }
    }

    /// An address of the loopback network that nobody else uses.
    fn address(&self) -> IpAddr {
        let [.., process] = std::process::id().to_be_bytes();
        let number = self.0.next.fetch_add(1, Ordering::SeqCst);
        // The third number tells the tests apart that run now, the others a test's containers.
        let second = u8::try_from(1 + number % 250).unwrap();
        let fourth = u8::try_from(2 + number / 250 % 250).unwrap();
        IpAddr::V4(Ipv4Addr::new(127, second, process, fourth))
    }
}

fn now() -> Timestamp {
    orbitra::clock::Clock::System.now()
}

/// Counts a build for as long as it lives.
struct Building(Engine);

impl Building {
    fn begin(engine: &Engine) -> Self {
        let mut things = engine.0.things.lock().unwrap();
        things.building += 1;
        things.most_building = things.most_building.max(things.building);
        Self(engine.clone())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        self.0.0.things.lock().unwrap().building -= 1;
    }
}

impl Engine {
    /// Whether this build is one of the first `most` of an image.
    fn step_is_unheld(&self, image: &str, most: usize) -> bool {
        let mut things = self.0.things.lock().unwrap();
        let unheld = things.unheld.entry(image.to_owned()).or_default();
        let is_one = *unheld < most;
        *unheld += usize::from(is_one);
        is_one
    }
}

#[async_trait]
impl ContainerEngine for Engine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.answers()?;
        let (version, runtime) = ("20.10.24".to_owned(), Some("1.4.3".to_owned()));
        Ok(EngineInfo { version, api_version: "1.41".to_owned(), runtime })
    }

    async fn storage(&self) -> Option<std::path::PathBuf> {
        None
    }

    async fn build(
        &self,
        spec: BuildSpec,
        context: BoxStream<'static, Result<Bytes, std::io::Error>>,
        events: BuildEvents,
        cancel: CancellationToken,
    ) -> Result<BuiltImage, BuildError> {
        self.answers()?;
        let _building = Building::begin(self);
        let behaviour = behaviour::of_context(context).await?;
        let base = "[1/2] FROM docker.io/library/base:1@sha256:b45e".to_owned();
        let _ = events.send(BuildEvent::StepStarted { step: "base".to_owned(), name: base }).await;
        let name = "[2/2] COPY app.json ./".to_owned();
        let step = "step".to_owned();
        let _ = events.send(BuildEvent::StepStarted { step, name: name.clone() }).await;
        if behaviour.build_hangs {
            tokio::select! {
                () = cancel.cancelled() => return Err(BuildError::Canceled),
                () = tokio::time::sleep(spec.timeout) => {
                    return Err(BuildError::TimedOut(spec.timeout.as_secs()));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(behaviour.build_takes)).await;
        for number in 0..behaviour.build_lines {
            let bytes = format!("{number} {}\n", "x".repeat(4000)).into_bytes();
            let step = "step".to_owned();
            let _ = events.send(BuildEvent::Output { step, stderr: false, bytes }).await;
        }
        if behaviour.build_fills_disk {
            return Err(BuildError::DiskFull);
        }
        if self.step_is_unheld(&spec.tag, behaviour.build_unheld) {
            return Err(BuildError::Unheld(name));
        }
        if let Some(code) = behaviour.build_exit {
            let message = format!("RUN make ended with exit code {code}");
            let step = "[2/2] RUN make".to_owned();
            return Err(BuildError::Step { step, exit_code: Some(code), message });
        }
        let id = format!("sha256:{}", spec.tag);
        let mut things = self.0.things.lock().unwrap();
        things.made.insert(spec.tag.clone(), now());
        let number = things.cache.len();
        things.cache.push(Record {
            id: format!("record{number}of{}", spec.tag.rsplit('_').next().unwrap()),
            parents: Vec::new(),
            description: "fileop target".to_owned(),
            bytes: behaviour.cache_bytes,
            in_use: false,
            shared: false,
            created_at: now(),
            last_used_at: now(),
        });
        things.images.insert(spec.tag, (spec.owner, behaviour));
        Ok(BuiltImage { id })
    }

    async fn build_files(
        &self,
        spec: BuildSpec,
        context: BoxStream<'static, Result<Bytes, std::io::Error>>,
        files: mpsc::Sender<Bytes>,
        events: BuildEvents,
        cancel: CancellationToken,
    ) -> Result<(), BuildError> {
        let image = self.build(spec, context, events, cancel).await?;
        let (_, behaviour) = {
            let mut things = self.0.things.lock().unwrap();
            things.images.remove(image.id.trim_start_matches("sha256:")).unwrap()
        };
        for part in behaviour::site(&behaviour).chunks(512) {
            let gone = |_| BuildError::Invalid("nobody takes the files".to_owned());
            files.send(Bytes::copy_from_slice(part)).await.map_err(gone)?;
        }
        Ok(())
    }

    async fn resolve(&self, source: &ImageSource) -> Result<String, PullError> {
        self.answers()?;
        self.0.things.lock().unwrap().registry.resolve(source)
    }

    async fn pull(
        &self,
        spec: PullSpec,
        events: tokio::sync::mpsc::Sender<String>,
        cancel: CancellationToken,
    ) -> Result<ImageInfo, PullError> {
        self.answers()?;
        let behaviour = self.0.things.lock().unwrap().registry.pull(&spec.source)?;
        let _ = events.send("0123456789ab: Pull complete".to_owned()).await;
        if behaviour.build_hangs {
            cancel.cancelled().await;
            return Err(PullError::Canceled);
        }
        let id = format!("sha256:{}", spec.tag);
        let mut things = self.0.things.lock().unwrap();
        things.pulled.insert(spec.source.reference, behaviour.clone());
        things.pulled.insert(spec.tag, behaviour);
        Ok(ImageInfo { id, size_bytes: 1, digests: Vec::new(), exposed_ports: Vec::new() })
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError> {
        self.answers()?;
        let tag = reference.trim_start_matches("sha256:");
        let things = self.0.things.lock().unwrap();
        let found = things.images.contains_key(tag) || things.pulled.contains_key(tag);
        let id = format!("sha256:{tag}");
        let info = ImageInfo { id, size_bytes: 1, digests: Vec::new(), exposed_ports: Vec::new() };
        Ok(found.then_some(info))
    }

    async fn remove_image(&self, reference: &str) -> Result<(), EngineError> {
        self.removes()?;
        let tag = reference.trim_start_matches("sha256:");
        let mut things = self.0.things.lock().unwrap();
        things.images.remove(tag);
        things.pulled.remove(tag);
        Ok(())
    }

    async fn ensure_network(&self, spec: NetworkSpec) -> Result<(), NetworkError> {
        self.answers()?;
        let mut things = self.0.things.lock().unwrap();
        let same = |other: &NetworkSpec| other.subnet == spec.subnet && other.name != spec.name;
        if things.networks.values().any(same) {
            return Err(NetworkError::SubnetInUse);
        }
        things.networks.entry(spec.name.clone()).or_insert(spec);
        Ok(())
    }

    async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        self.answers()?;
        self.0.things.lock().unwrap().networks.remove(name);
        Ok(())
    }

    async fn create(&self, spec: ContainerSpec) -> Result<ContainerId, EngineError> {
        self.answers()?;
        let address = self.address();
        let mut things = self.0.things.lock().unwrap();
        let missing = || EngineError::NotFound(format!("No such image: {}", spec.image));
        let image = spec.image.trim_start_matches("sha256:");
        let built = things.images.get(image).map(|(_, behaviour)| behaviour);
        let behaviour = built.or(things.pulled.get(image)).ok_or_else(missing)?.clone();
        let behaviour = behaviour.of_replica(spec.replica.unwrap_or(0));
        let name = spec.name.clone();
        things.containers.entry(name.clone()).or_insert(Container {
            spec,
            behaviour,
            address,
            starts: 0,
            exit_code: None,
            process: None,
            paused: watch::Sender::new(false),
            pauses: 0,
            unplugged: false,
            restarts: 0,
            forced: Arc::default(),
            asked: Arc::default(),
        });
        Ok(ContainerId(name))
    }

    async fn start(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.answers()?;
        let hangs = {
            let things = self.0.things.lock().unwrap();
            things.containers.get(&id.0).is_some_and(|one| one.behaviour.start_hangs)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        let mut things = self.0.things.lock().unwrap();
        let others = things.containers.keys().filter(|name| **name != id.0).cloned().collect();
        let Things { containers, commands, most_running, .. } = &mut *things;
        let missing = || EngineError::NotFound(format!("No such container: {}", id.0));
        let container = containers.get_mut(&id.0).ok_or_else(missing)?;
        if container.process.is_some() {
            return if container.runs() {
                Ok(())
            } else {
                let message = "cannot start a paused container, try unpause instead";
                Err(EngineError::Refused(message.to_owned()))
            };
        }
        container.paused.send_replace(false);
        container.starts += 1;
        // A command of its own instead of the application.
        let once = container.spec.entrypoint.is_some();
        if let Some(entrypoint) = &container.spec.entrypoint {
            let words = entrypoint.iter().chain(container.spec.command.iter().flatten());
            commands.push(Command {
                words: words.cloned().collect(),
                environment: container.spec.environment.clone(),
                network: container.spec.network.clone(),
                others,
            });
        }
        container.exit_code =
            if once { Some(container.behaviour.release_exit) } else { container.behaviour.exit };
        if once && container.behaviour.release_hangs {
            container.exit_code = None;
            container.process = Some(CancellationToken::new());
            return Ok(());
        }
        if container.exit_code.is_some() {
            return Ok(());
        }
        let environment = &container.spec.environment;
        let port = environment.iter().find(|(name, _)| name == "PORT").unwrap().1.parse().unwrap();
        let address = SocketAddr::new(container.address, port);
        let (stop, behaviour) = (CancellationToken::new(), container.behaviour.clone());
        container.process = Some(stop.clone());
        let applications = containers.values().filter(|one| one.spec.entrypoint.is_none());
        let running = applications.filter(|one| one.process.is_some()).count();
        *most_running = running.max(*most_running);
        let container = &containers[&id.0];
        let (thinking, forced) = (self.0.thinking.clone(), container.forced.clone());
        let (asked, paused) = (container.asked.clone(), container.paused.subscribe());
        drop(things);
        self.tell("start", &id.0);
        self.run(stop, behaviour::serve(address, behaviour, thinking, paused, forced, asked));
        Ok(())
    }

    async fn supervise(&self, _id: &ContainerId) -> Result<(), EngineError> {
        self.answers()
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Option<ContainerState>, EngineError> {
        self.answers()?;
        Ok(self.0.things.lock().unwrap().containers.get(&id.0).map(state))
    }

    async fn container_usage(
        &self,
        ids: &[ContainerId],
    ) -> Result<Vec<(ContainerId, ContainerUsage)>, EngineError> {
        self.answers()?;
        let things = self.0.things.lock().unwrap();
        let running = |id: &&ContainerId| things.containers.get(&id.0).is_some_and(Container::runs);
        let used = |id: &ContainerId| {
            // A millisecond a request.
            let asked = things.containers[&id.0].asked.all();
            let usage = ContainerUsage { cpu_micros: 1000 * u64::from(asked), memory: 64 << 20 };
            (id.clone(), usage)
        };
        Ok(ids.iter().filter(running).map(used).collect())
    }

    async fn pause(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.answers()?;
        let mut things = self.0.things.lock().unwrap();
        let missing = || EngineError::NotFound(format!("No such container: {}", id.0));
        let container = things.containers.get_mut(&id.0).ok_or_else(missing)?;
        if container.process.is_none() {
            return Err(EngineError::Refused(format!("Container {} is not running", id.0)));
        }
        if !container.paused.send_replace(true) {
            container.pauses += 1;
        }
        drop(things);
        self.tell("pause", &id.0);
        Ok(())
    }

    async fn unpause(&self, id: &ContainerId) -> Result<bool, EngineError> {
        self.answers()?;
        let went_on = {
            let things = self.0.things.lock().unwrap();
            let container = things.containers.get(&id.0).filter(|one| one.process.is_some());
            container.is_some_and(|container| container.paused.send_replace(false))
        };
        if went_on {
            self.tell("unpause", &id.0);
        }
        Ok(went_on)
    }

    async fn stop(&self, id: &ContainerId, _grace: Duration) -> Result<(), EngineError> {
        self.answers()?;
        let ended = {
            let mut things = self.0.things.lock().unwrap();
            let container = things.containers.get_mut(&id.0);
            container.and_then(|container| {
                let process = container.process.take()?;
                container.paused.send_replace(false);
                container.exit_code = Some(0);
                Some(process)
            })
        };
        if let Some(process) = ended {
            process.cancel();
            self.tell("die", &id.0);
        }
        Ok(())
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.stop(id, Duration::ZERO).await?;
        if self.0.things.lock().unwrap().containers.remove(&id.0).is_some() {
            self.tell("destroy", &id.0);
        }
        Ok(())
    }

    async fn images(&self) -> Result<Vec<ImageUse>, EngineError> {
        self.answers()?;
        let things = self.0.things.lock().unwrap();
        let base = || Layer { key: "base".to_owned(), bytes: 1_000_000 };
        let image = |name: &String, owner: Option<Owner>, behaviour: &Behaviour| ImageUse {
            id: format!("sha256:{name}"),
            names: vec![name.clone()],
            owner,
            created_at: things.made.get(name).copied().unwrap_or_default(),
            layers: vec![base(), Layer { key: name.clone(), bytes: behaviour.image_bytes }],
        };
        let built = things
            .images
            .iter()
            .map(|(name, (owner, behaviour))| image(name, Some(owner.clone()), behaviour));
        let pulled = things.pulled.iter().map(|(name, behaviour)| image(name, None, behaviour));
        Ok(built.chain(pulled).collect())
    }

    async fn build_cache(&self) -> Result<Vec<Record>, EngineError> {
        self.answers()?;
        Ok(self.0.things.lock().unwrap().cache.clone())
    }

    async fn remove_cache(&self, ids: &[String]) -> Result<u64, EngineError> {
        self.answers()?;
        let mut things = self.0.things.lock().unwrap();
        let mut freed = 0;
        // As the engine does it: what became free of records that stand on it is looked at again.
        loop {
            let stood_on = |id: &String| things.cache.iter().any(|one| one.parents.contains(id));
            let goes = |one: &Record| !one.in_use && ids.contains(&one.id) && !stood_on(&one.id);
            let Some(at) = things.cache.iter().position(goes) else { return Ok(freed) };
            freed += things.cache.remove(at).bytes;
        }
    }

    async fn owned(&self) -> Result<Owned, EngineError> {
        self.answers()?;
        let things = self.0.things.lock().unwrap();
        let object = |name: &String, owner: &Owner| OwnedObject {
            id: name.clone(),
            name: name.clone(),
            owner: owner.clone(),
        };
        let networks = things.networks.iter().map(|(name, spec)| object(name, &spec.owner));
        let images = things.images.iter().map(|(name, (owner, _))| object(name, owner));
        Ok(Owned {
            containers: things.containers.values().map(state).collect(),
            networks: networks.collect(),
            images: images.collect(),
        })
    }

    fn events(&self) -> BoxStream<'static, Result<Heard, EngineError>> {
        let heard = |(action, container)| {
            Ok(Heard { container: ContainerId(container), unplugged: action == "disconnect" })
        };
        match self.answers() {
            Ok(()) => self.changes().map(heard).boxed(),
            Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
        }
    }

    fn output(
        &self,
        id: &ContainerId,
        tail: Option<u32>,
        _follow: bool,
    ) -> BoxStream<'static, Result<OutputChunk, EngineError>> {
        let things = self.0.things.lock().unwrap();
        let said = things.containers.get(&id.0).map(|one| match one.spec.entrypoint {
            Some(_) => one.behaviour.release_says.clone(),
            None => one.behaviour.says.clone(),
        });
        let said = said.filter(|said| !said.is_empty() && tail != Some(0));
        let chunk = said.map(|said| OutputChunk { stderr: false, bytes: Bytes::from(said + "\n") });
        stream::iter(chunk.map(Ok)).boxed()
    }
}

fn state(container: &Container) -> ContainerState {
    let running = container.process.is_some();
    ContainerState {
        id: ContainerId(container.spec.name.clone()),
        name: container.spec.name.clone(),
        owner: Some(container.spec.owner.clone()),
        restarts: container.restarts,
        running,
        paused: running && *container.paused.borrow(),
        in_network: !container.unplugged,
        address: (running && !container.unplugged).then_some(container.address),
        exit_code: container.exit_code.filter(|_| !running),
        out_of_memory: container.spec.entrypoint.is_some()
            && container.behaviour.release_takes_all_memory,
        pid: None,
        error: None,
    }
}
