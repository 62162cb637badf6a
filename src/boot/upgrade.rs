//! How a running process is replaced by another one. The visitors' requests go on all the time; those for the control
//! plane wait for the moment in which nobody owns the database. Whatever goes wrong, this process goes on as before.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{BootError, Control, Orbitra, STOP_GRACE, open};
use crate::clock::Clock;
use crate::config::Lock;
use crate::db::{DbError, migrate, snapshot};
use crate::failpoint;
use crate::handover::channel::{self, Channel, Message};
use crate::handover::command;
use crate::handover::notify::Manager;
use crate::routing::successor::Successor;
use crate::routing::table::Routes;
use crate::server::{Farewell, Gate, Server};
use crate::web;

/// How long a program may take to say its version.
const VERSION: Duration = Duration::from_secs(10);
/// How long one that is started again may take for each step.
const AGAIN: Duration = Duration::from_secs(60);
/// How long requests to the control plane may take to finish; who changes something is waited for no longer.
const REQUESTS: Duration = Duration::from_secs(20);
/// How long a visitor's connection without a request is kept open after the other process has taken over.
const IDLE: Duration = Duration::from_secs(10);

/// Another process serves.
#[derive(Clone, Debug)]
pub struct Upgraded {
    pub version: String,
    pub process: u32,
}

/// Nothing has changed, and why.
#[derive(Debug, thiserror::Error)]
pub enum NotUpgraded {
    #[error("{path}: {reason}")]
    Program { path: String, reason: String },
    #[error("The new version does not start: {0}")]
    Refused(String),
    #[error("The new version was not ready in time.")]
    TooLate,
    #[error("Requests to the dashboard or the API still change something. Try again.")]
    Busy,
    #[error("The database could not be copied: {0}")]
    Copy(DbError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// The other process, which ends with this value unless it has taken over.
struct Other {
    child: Option<Child>,
    channel: Channel,
}

impl Orbitra {
    /// Lets another program take over. With an error this one serves as before, but for `None`, after which it cannot.
    pub async fn upgrade(
        mut self,
        asked: &command::Upgrade,
        arguments: &[OsString],
        mut step: impl FnMut(&str),
    ) -> Result<(Leaving, Upgraded), (Option<Self>, NotUpgraded)> {
        let mut other = match self.prepare_other(asked, arguments, &mut step).await {
            Ok(other) => other,
            Err(error) => return Err((Some(self), error)),
        };
        let checked = other.hear(limit(asked), |message| match message {
            Message::Checked { version } => Some(version),
            _ => None,
        });
        let version = match checked.await {
            Ok(version) => version,
            Err(error) => {
                other.end().await;
                return Err((Some(self), error));
            }
        };
        step(&format!("Version {version} can run on this data."));
        let (handed, mut other) = self.hand_over(other, asked, &mut step).await;
        if let Err(error) = handed {
            other.end().await;
            let resumed = self.resume().await;
            return match resumed {
                Ok(resumed) => Err((Some(resumed), error)),
                Err(fatal) => {
                    tracing::error!(%fatal, "the control plane could not be started again");
                    Err((None, error))
                }
            };
        }
        let leaving = Leaving::begin(self, other, asked, arguments);
        let process = leaving.process();
        Ok((leaving, Upgraded { version, process }))
    }

    /// Starts the other program, and gives it everything it looks at before anything stops.
    async fn prepare_other(
        &self,
        asked: &command::Upgrade,
        arguments: &[OsString],
        step: &mut impl FnMut(&str),
    ) -> Result<Other, NotUpgraded> {
        let path = asked.binary.clone();
        let said = tokio::task::spawn_blocking(move || version_of(&path)).await;
        let said = said.map_err(std::io::Error::other)??;
        step(&format!("{} says it is {said}.", asked.binary.display()));
        let other = Other::start(&asked.binary, arguments, asked.environment.as_ref())?;
        // When it has ended already, that is heard next.
        let _ = other.give(&self.lock, self.plane.server.listeners());
        Ok(other)
    }

    /// From the end of this control plane to the beginning of the other one.
    async fn hand_over(
        &mut self,
        mut other: Other,
        asked: &command::Upgrade,
        step: &mut impl FnMut(&str),
    ) -> (Result<(), NotUpgraded>, Other) {
        let handed = self.hand_over_to(&mut other, asked, step).await;
        (handed, other)
    }

    async fn hand_over_to(
        &mut self,
        other: &mut Other,
        asked: &command::Upgrade,
        step: &mut impl FnMut(&str),
    ) -> Result<(), NotUpgraded> {
        // Still with an API: what is accepted now is begun by the other one.
        self.control.end_tasks().await;
        let gate = self.plane.server.gate().clone();
        gate.close();
        if !gate.emptied(REQUESTS).await {
            return Err(NotUpgraded::Busy);
        }
        self.control.store().await;
        self.app.db.close().await;
        let (database, now) = (self.config.data.join("orbitra.db"), self.app.clock.now());
        let copied = tokio::task::spawn_blocking(move || snapshot::take(&database, now)).await;
        let copied = copied.map_err(std::io::Error::other)?.map_err(NotUpgraded::Copy)?;
        step(&format!("The database was copied to {}.", copied.display()));
        failpoint::pass("upgrade.copied").await;
        other.say(&Message::Take)?;
        let limit = limit(asked);
        let ready = other.hear(limit, |message| (message == Message::Ready).then_some(()));
        if let Err(error) = ready.await {
            other.end().await;
            self.go_back(&copied).await.map_err(NotUpgraded::Copy)?;
            return Err(error);
        }
        failpoint::pass("upgrade.before_serve").await;
        other.say(&Message::Serve)?;
        let serving = other.hear(limit, |message| (message == Message::Serving).then_some(()));
        match serving.await {
            Ok(()) => Ok(()),
            Err(error) => {
                other.end().await;
                // It answers nobody before it has said so.
                self.go_back(&copied).await.map_err(NotUpgraded::Copy)?;
                Err(error)
            }
        }
    }

    /// Puts the copy back where the other program has changed the database beyond this one's understanding.
    async fn go_back(&self, copy: &Path) -> Result<(), DbError> {
        let (database, copy) = (self.config.data.join("orbitra.db"), copy.to_owned());
        let work = move || -> Result<(), DbError> {
            if snapshot::schema(&database).is_ok_and(|schema| schema <= migrate::newest()) {
                return Ok(());
            }
            tracing::warn!(copy = %copy.display(), "the database is put back as it was");
            snapshot::put_back(&database, &copy)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(DbError::Unwritable(error.to_string())))
    }

    /// Builds the control plane again, below the data plane that has gone on all the time.
    async fn resume(mut self) -> Result<Self, BootError> {
        self.control.tasks.stop(STOP_GRACE).await;
        self.app.db.close().await;
        self.lock.sign();
        let instance = open(&self.config, Clock::System).await?;
        let publisher = self.control.publisher.on(instance.app.db.clone());
        let plane = &self.plane;
        let control = Control::build(
            instance.app,
            instance.name,
            instance.tasks,
            &instance.data,
            &self.engine,
            publisher,
            &plane.routes,
            &plane.certificates,
        )
        .await?;
        control.start(&plane.certificates)?;
        plane.server.gate().open(web::router(&control.app));
        self.app = control.app.clone();
        self.control = control;
        Ok(self)
    }
}

/// A process that another one has taken over from: it finishes what it has.
pub struct Leaving {
    /// `None` once somebody waits for its end.
    server: Option<Server>,
    routes: Routes,
    gate: Gate,
    lock: Lock,
    listeners: Vec<TcpListener>,
    other: Other,
    /// How the other one is started again.
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Option<BTreeMap<String, String>>,
    requests: Duration,
    /// Cancelled when the service as a whole is to end.
    stopping: CancellationToken,
}

impl Leaving {
    fn begin(
        orbitra: Orbitra,
        other: Other,
        asked: &command::Upgrade,
        arguments: &[OsString],
    ) -> Self {
        let Orbitra { plane, config, lock, .. } = orbitra;
        let requests = STOP_GRACE.max(config.drain);
        let copies = plane.server.listeners().iter().map(TcpListener::try_clone);
        let leaving = Self {
            // Without them it cannot be started again, and that is all.
            listeners: copies.flatten().collect(),
            gate: plane.server.gate().clone(),
            server: Some(plane.server),
            routes: plane.routes,
            lock,
            other,
            program: asked.binary.clone(),
            arguments: arguments.to_vec(),
            environment: asked.environment.clone(),
            requests,
            stopping: CancellationToken::new(),
        };
        leaving.pass_on();
        let farewell = Farewell { idle: IDLE, tunnels: config.drain, requests };
        if let Some(server) = &leaving.server {
            server.leave(farewell);
        }
        leaving
    }

    /// Lets the other one answer what this one cannot, and be the service.
    fn pass_on(&self) {
        let sender = self.other.channel.sender();
        self.routes.pass_on(Some(Successor::new(move |peer, secure| {
            let (ours, theirs) = UnixStream::pair()?;
            sender.send(&Message::Relay { peer, secure }, Some(theirs.as_fd()))?;
            Ok(ours)
        })));
        self.gate.remind();
        Manager::from_environment(|name| std::env::var(name).ok()).main_process(self.process());
    }

    /// The number of the process that serves.
    pub fn process(&self) -> u32 {
        self.other.child.as_ref().map_or(0, Child::id)
    }

    /// To be cancelled when the other process is told to end as well.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Waits for the last request. Should the other process end meanwhile, it is started again, or else this program is.
    pub async fn finish(mut self) {
        let ended = CancellationToken::new();
        let told = ended.clone();
        let server = self.server.take();
        tokio::spawn(async move {
            if let Some(server) = server {
                server.ended().await;
            }
            told.cancel();
        });
        let limit = tokio::time::Instant::now() + self.requests + Duration::from_secs(1);
        let mut programs = vec![PathBuf::from("/proc/self/exe"), self.program.clone()];
        loop {
            tokio::select! {
                () = ended.cancelled() => break,
                () = tokio::time::sleep_until(limit) => break,
                () = self.other.gone(), if !self.stopping.is_cancelled() => {}
            }
            if self.stopping.is_cancelled() {
                continue;
            }
            tracing::error!("the process that took over has ended");
            self.other.end().await;
            let Some(program) = programs.pop() else { break };
            match self.again(&program).await {
                Ok(()) => tracing::warn!(process = self.process(), "another one has taken over"),
                Err(error) => tracing::error!(%error, "nobody could take over"),
            }
        }
        // It is on its own from now on.
        self.other.child = None;
    }

    async fn again(&mut self, program: &Path) -> Result<(), NotUpgraded> {
        self.other = Other::start(program, &self.arguments, self.environment.as_ref())?;
        let other = &mut self.other;
        let _ = other.give(&self.lock, &self.listeners);
        other.hear(AGAIN, |said| matches!(said, Message::Checked { .. }).then_some(())).await?;
        other.say(&Message::Take)?;
        other.hear(AGAIN, |said| (said == Message::Ready).then_some(())).await?;
        other.say(&Message::Serve)?;
        other.hear(AGAIN, |said| (said == Message::Serving).then_some(())).await?;
        self.pass_on();
        Ok(())
    }
}

impl Other {
    fn start(
        program: &Path,
        arguments: &[OsString],
        environment: Option<&BTreeMap<String, String>>,
    ) -> Result<Self, NotUpgraded> {
        let (ours, theirs) = channel::pair()?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::from(theirs));
        for name in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
            command.env_remove(name);
        }
        if let Some(environment) = environment {
            let ours = std::env::vars_os().map(|(name, _)| name);
            for name in ours.filter(|name| is_setting(&name.to_string_lossy())) {
                command.env_remove(name);
            }
            command.envs(environment.iter().filter(|(name, _)| is_setting(name)));
        }
        let channel = Channel::over(ours)?;
        let child = command.spawn().map_err(|error| NotUpgraded::Program {
            path: program.display().to_string(),
            reason: error.to_string(),
        })?;
        // Its end of the channel is its alone, so that its death is heard.
        drop(command);
        Ok(Self { child: Some(child), channel })
    }

    /// Gives it what it is to take over, and lets it look.
    fn give(&self, lock: &Lock, listeners: &[TcpListener]) -> std::io::Result<()> {
        let sender = self.channel.sender();
        sender.send(&Message::Lock, Some(lock.descriptor()))?;
        for listener in listeners {
            sender.send(&Message::Listener, Some(listener.as_fd()))?;
        }
        sender.send(&Message::Check, None)
    }

    /// Completes when the process has ended.
    async fn gone(&mut self) {
        while self.channel.hear().await.is_some() {}
    }

    fn say(&self, message: &Message) -> Result<(), NotUpgraded> {
        self.channel.say(message).map_err(|_| NotUpgraded::Refused("it has ended.".to_owned()))
    }

    /// The next message that is wanted.
    async fn hear<T>(
        &mut self,
        limit: Duration,
        wanted: impl Fn(Message) -> Option<T>,
    ) -> Result<T, NotUpgraded> {
        let hearing = async {
            while let Some(packet) = self.channel.hear().await {
                match packet.message {
                    Message::Failed { reason } => return Err(NotUpgraded::Refused(reason)),
                    message => {
                        if let Some(found) = wanted(message) {
                            return Ok(found);
                        }
                    }
                }
            }
            Err(NotUpgraded::Refused("it ended without a word.".to_owned()))
        };
        tokio::time::timeout(limit, hearing).await.unwrap_or(Err(NotUpgraded::TooLate))
    }

    /// Ends the process, and returns when it is gone: nobody but this one has the database then.
    async fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = child.kill();
        let _ = tokio::task::spawn_blocking(move || child.wait()).await;
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How long the other program may take for each step.
fn limit(asked: &command::Upgrade) -> Duration {
    Duration::from_secs(asked.seconds.clamp(1, 600))
}

fn is_setting(name: &str) -> bool {
    name.starts_with("ORBITRA_")
}

/// What a program says it is, when it is one of ours.
fn version_of(program: &Path) -> Result<String, NotUpgraded> {
    let wrong =
        |reason: String| NotUpgraded::Program { path: program.display().to_string(), reason };
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| wrong(error.to_string()))?;
    let begin = Instant::now();
    while child.try_wait()?.is_none() {
        if begin.elapsed() > VERSION {
            let _ = child.kill();
            let _ = child.wait();
            return Err(wrong("it does not say its version.".to_owned()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || !said.starts_with("orbitra ") || said.len() > 100 {
        return Err(wrong("it is not an Orbitra that runs on this machine.".to_owned()));
    }
    Ok(said)
}
