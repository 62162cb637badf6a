//! Asks an application until it is healthy, or says exactly why it is not.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Pipeline;
use super::probe::{self, Probe};
use super::replicas::Numbered;
use super::stop::Stop;
use crate::docker::{ContainerId, ContainerState, sockets};
use crate::logs::Redactor;
use crate::model::deployment::{Deployment, Replica};
use crate::model::failure::{Failure, FailureCode};
use crate::model::project::{Healthcheck, Project, parse_expected_status};
use crate::model::receipt::looks::{Look, NoAnswer};

pub(super) const PHASE: &str = "checking";
/// Pause between looks while nothing listens yet; small, because it is added to every deployment.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause between looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Good answers in a row that make an application healthy.
pub(super) const IN_A_ROW: u32 = 3;
/// Pause between good answers.
const GOOD_PAUSE: Duration = Duration::from_millis(50);
/// How long an application must have answered well.
const LEAST_HEALTHY: Duration = Duration::from_millis(200);

/// An application that is looked at.
pub(super) struct Subject<'a> {
    pub pipeline: &'a Pipeline,
    pub project: &'a Project,
    pub deployment: &'a Deployment,
    /// Masks the deployment's secrets in what is told of its output.
    pub redactor: &'a Redactor,
    pub cancel: &'a CancellationToken,
    /// Where what the looks see is noted.
    pub seen: &'a super::receipt::Seen,
    /// How much of the time that it has is over already, because the process before this one began to ask.
    pub spent: Duration,
}

impl Subject<'_> {
    /// Waits until all containers answer as the policy says; the first that does not is the reason of the failure.
    /// From then on the engine starts them again. Answers where they listen and what they were asked last.
    pub(super) async fn all_healthy(
        &self,
        containers: &[Numbered],
        told: u16,
    ) -> Result<(Vec<Replica>, Vec<(SocketAddr, Option<Probe>)>), Stop> {
        let count = containers.len();
        let looks = containers.iter().map(async |(number, container)| {
            let healthy = self.healthy(container, told).await;
            healthy.map_err(|stop| stop.of_replica(*number, count))
        });
        let found = try_join_all(looks).await?;
        let mut replicas = Vec::new();
        for ((number, container), (address, _)) in containers.iter().zip(&found) {
            if count > 1 {
                // It may have ended while the others were waited for.
                let runs = self.running(container).await;
                runs.map_err(|stop| stop.of_replica(*number, count))?;
            }
            // Only now: while it is checked, a start that fails must be seen and not be repeated.
            let supervised = self.pipeline.engine.supervise(container).await;
            supervised.map_err(|error| Stop::engine(PHASE, &error))?;
            let (container, address) = (Some(container.0.clone()), Some(address.to_string()));
            replicas.push(Replica { number: *number, container, address, serves: true });
        }
        Ok((replicas, found))
    }

    /// Waits until the application answers as the policy says. Answers where it listens and what it was asked last.
    pub(super) async fn healthy(
        &self,
        container: &ContainerId,
        told: u16,
    ) -> Result<(SocketAddr, Option<Probe>), Stop> {
        let health = self.project.runtime.healthcheck.clone();
        let stopping = self.pipeline.tasks.stopping();
        let grace = Duration::from_secs(u64::from(health.grace_seconds));
        let deadline = Instant::now() + grace.saturating_sub(self.spent);
        let mut pause = FIRST_PAUSE;
        let (mut seen, mut streak) = (Seen::default(), Streak::default());
        let mut reachable = false;
        loop {
            if stopping.is_cancelled() {
                return Err(Stop::Interrupted);
            }
            if self.cancel.is_cancelled() {
                return Err(Stop::Canceled);
            }
            let state = self.running(container).await?;
            if let Some(address) = state.address.filter(|_| !reachable) {
                self.reachable(address).await?;
                reachable = true;
            }
            let looked = match state.address {
                None => None,
                Some(ip) => tokio::select! {
                    looked = self.look(&state, ip, told, &health, &mut seen) => looked,
                    () = self.cancel.cancelled() => return Err(Stop::Canceled),
                    () = stopping.cancelled() => return Err(Stop::Interrupted),
                },
            };
            let wait = match looked {
                Some(address) if streak.grows(&state, address) => return Ok((address, seen.probe)),
                Some(_) => GOOD_PAUSE,
                None => {
                    streak = Streak::default();
                    pause
                }
            };
            // A row of good answers may come to its end.
            if Instant::now() >= deadline && looked.is_none() {
                return Err(self.unhealthy(container, told, &health, &seen).await);
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.cancel.cancelled() => return Err(Stop::Canceled),
                () = stopping.cancelled() => return Err(Stop::Interrupted),
            }
            if looked.is_none() {
                pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// The container, as long as it runs.
    async fn running(&self, container: &ContainerId) -> Result<ContainerState, Stop> {
        let state = self.pipeline.engine.inspect(container).await;
        let state = state.map_err(|error| Stop::engine(PHASE, &error))?;
        match state {
            Some(state) if state.running => Ok(state),
            other => Err(self.exited(container, other).await),
        }
    }

    /// Fails where it is known that nobody here reaches the address: to ask would only find out that nothing answers.
    async fn reachable(&self, address: IpAddr) -> Result<(), Stop> {
        match self.pipeline.engine.unreachable(address).await {
            None => Ok(()),
            Some(why) => Err(Failure::new(FailureCode::EngineError, PHASE, why).into()),
        }
    }

    /// One look. `Some` is where a healthy application listens.
    async fn look(
        &self,
        state: &ContainerState,
        ip: IpAddr,
        told: u16,
        health: &Healthcheck,
        seen: &mut Seen,
    ) -> Option<SocketAddr> {
        seen.listening =
            state.pid.and_then(|pid| sockets::listening_ports(pid).ok()).unwrap_or_default();
        let mut address = SocketAddr::new(ip, told);
        let timeout = Duration::from_secs(u64::from(health.timeout_seconds));
        let began = Instant::now();
        if !probe::accepts(address, timeout).await {
            // The port is discovered: when exactly one other is open to the network, that is the one.
            match seen.open_ports().as_slice() {
                [port] if self.project.runtime.port.is_none() => address.set_port(*port),
                _ => {
                    self.note(&Probe::Refused, began);
                    seen.probe = Some(Probe::Refused);
                    return None;
                }
            }
        }
        let (host, protocol) = (&self.deployment.hostname, self.deployment.protocol);
        let probe = probe::ask(address, protocol, host, &health.path, timeout).await;
        self.note(&probe, began);
        let healthy =
            matches!(&probe, Probe::Answered { status, .. } if accepts_status(health, *status));
        seen.probe = Some(probe);
        seen.good += u32::from(healthy);
        healthy.then_some(address)
    }

    /// Notes what a look saw.
    fn note(&self, probe: &Probe, began: Instant) {
        let (status, reason) = match probe {
            Probe::Answered { status, .. } => (Some(*status), None),
            Probe::Refused => (None, Some(NoAnswer::NotListening)),
            Probe::TimedOut => (None, Some(NoAnswer::Timeout)),
            Probe::NotHttp(_) => (None, Some(NoAnswer::NotHttp)),
        };
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let at = self.pipeline.clock.now();
        self.seen.note(Look { at, status, reason, duration_ms });
    }
}

/// Whether a status is healthy. Without a path of its own, a login wall counts as up.
pub(super) fn accepts_status(health: &Healthcheck, status: u16) -> bool {
    let (low, high) = parse_expected_status(&health.expect).unwrap_or((200, 399));
    (low..=high).contains(&status)
        || (health.path == "/" && health.expect == "200-399" && matches!(status, 401 | 403))
}

/// Good answers in a row of one process.
#[derive(Default)]
struct Streak {
    count: u32,
    began: Option<Instant>,
    /// What answered: the process, how often it was started again, and where it listens.
    who: Option<(Option<u32>, u32, SocketAddr)>,
}

impl Streak {
    /// Counts a good answer; whether there were enough, for long enough.
    fn grows(&mut self, state: &ContainerState, address: SocketAddr) -> bool {
        let who = Some((state.pid, state.restarts, address));
        if self.who != who {
            *self = Self { who, ..Self::default() };
        }
        self.count += 1;
        let began = *self.began.get_or_insert_with(Instant::now);
        self.count >= IN_A_ROW && began.elapsed() >= LEAST_HEALTHY
    }
}

/// What the looks met so far.
#[derive(Default)]
pub(super) struct Seen {
    pub probe: Option<Probe>,
    /// Good answers, in a row or not.
    pub good: u32,
    /// Sockets the container's processes listen on.
    pub listening: Vec<(IpAddr, u16)>,
}

impl Seen {
    /// Ports that are open to the project's network.
    fn open_ports(&self) -> Vec<u16> {
        let open = self.listening.iter().filter(|(ip, _)| !ip.is_loopback());
        let mut ports: Vec<_> = open.map(|(_, port)| *port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    pub fn not_listening(&self, told: u16, seconds: u32) -> String {
        let mut message = format!("Nothing listens on port {told} after {seconds} s.");
        let local = self.listening.iter().find(|(ip, port)| ip.is_loopback() && *port != 0);
        let open = self.open_ports();
        if !open.is_empty() {
            let ports: Vec<_> = open.iter().map(u16::to_string).collect();
            let ports = ports.join(", ");
            message.push_str(&format!(
                " The application listens on {ports}: set the project's port, or listen on the variable PORT."
            ));
        } else if let Some((ip, port)) = local {
            message.push_str(&format!(
                " The application listens on {ip}:{port}, which only it can reach itself: it must listen on 0.0.0.0."
            ));
        }
        message
    }
}
