//! The end of a process that another one has taken over from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::other::{Left, Other};
use super::upgrade::NotUpgraded;
use super::{Orbitra, STOP_GRACE};
use crate::config::Lock;
use crate::handover::channel::Message;
use crate::handover::command;
use crate::handover::detached::Detached;
use crate::handover::notify::Manager;
use crate::routing::successor::Successor;
use crate::routing::table::Routes;
use crate::server::{Farewell, Gate, Server};

/// How long one that is started again may take for each step.
const AGAIN: Duration = Duration::from_secs(60);
/// How long a visitor's connection without a request is kept open after the other process has taken over.
const IDLE: Duration = Duration::from_secs(10);

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
    /// The other one serves from now on.
    pub(super) fn begin(
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
        self.other.process.as_ref().map_or(0, Detached::number)
    }

    /// To be cancelled when the other process is told to end as well.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Waits for the last request. Should the other process end meanwhile, it is started again, or else this program is;
    /// should the service as a whole be ended, what waits for nothing ends sooner.
    pub async fn finish(mut self) {
        let ended = CancellationToken::new();
        let told = ended.clone();
        let server = self.server.take();
        let hurry = server.as_ref().map(Server::hurry);
        let stopping = self.stopping.clone();
        tokio::spawn(async move {
            stopping.cancelled().await;
            if let Some(hurry) = hurry {
                hurry();
            }
        });
        tokio::spawn(async move {
            if let Some(server) = server {
                server.ended().await;
            }
            told.cancel();
        });
        let limit = tokio::time::Instant::now() + self.requests + Duration::from_secs(1);
        let mut programs = vec![PathBuf::from("/proc/self/exe"), self.program.clone()];
        let mut alone = false;
        loop {
            let left = tokio::select! {
                () = ended.cancelled() => break,
                () = tokio::time::sleep_until(limit) => break,
                left = self.other.leaves(), if !alone => left,
            };
            // Somebody has stopped the service, or yet another one serves: it is not to come back.
            alone = self.stopping.is_cancelled() || self.other.ended_in_order(&self.lock);
            if let Left::Waits = left {
                self.stopping.cancel();
                alone = true;
            }
            if alone {
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
        self.other.process = None;
    }

    async fn again(&mut self, program: &Path) -> Result<(), NotUpgraded> {
        self.other = Other::start(program, &self.arguments, self.environment.as_ref()).await?;
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
