//! Asks an application until it is healthy, or says exactly why it is not.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Pipeline;
use super::probe::{self, Probe};
use super::stop::Stop;
use crate::docker::{ContainerId, ContainerState, sockets};
use crate::logs::Redactor;
use crate::model::deployment::Deployment;
use crate::model::failure::{Failure, FailureCode};
use crate::model::project::{Healthcheck, Project, parse_expected_status};

const PHASE: &str = "checking";
/// Pause between looks while nothing listens yet; small, because it is added to every deployment.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause between looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Lines of the application's output that a failure carries.
const LAST_LINES: usize = 20;

/// An application that is looked at.
pub(super) struct Subject<'a> {
    pub pipeline: &'a Pipeline,
    pub project: &'a Project,
    pub deployment: &'a Deployment,
    /// Masks the deployment's secrets in what is told of its output.
    pub redactor: &'a Redactor,
    pub cancel: &'a CancellationToken,
}

impl Subject<'_> {
    /// Waits until the application answers as the policy says. Answers where it listens and what it was asked last.
    pub(super) async fn healthy(
        &self,
        container: &ContainerId,
        told: u16,
    ) -> Result<(SocketAddr, Option<Probe>), Stop> {
        let health = self.project.runtime.healthcheck.clone();
        let stopping = self.pipeline.tasks.stopping();
        let deadline = Instant::now() + Duration::from_secs(u64::from(health.grace_seconds));
        let mut pause = FIRST_PAUSE;
        let mut seen = Seen::default();
        loop {
            if stopping.is_cancelled() {
                return Err(Stop::Interrupted);
            }
            if self.cancel.is_cancelled() {
                return Err(Stop::Canceled);
            }
            let state = self.running(container).await?;
            if let Some(ip) = state.address {
                let looked = tokio::select! {
                    looked = self.look(&state, ip, told, &health, &mut seen) => looked,
                    () = self.cancel.cancelled() => return Err(Stop::Canceled),
                    () = stopping.cancelled() => return Err(Stop::Interrupted),
                };
                if let Some(address) = looked {
                    return Ok((address, seen.probe));
                }
            }
            if Instant::now() >= deadline {
                return Err(self.unhealthy(container, told, &health, &seen).await);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.cancel.cancelled() => return Err(Stop::Canceled),
                () = stopping.cancelled() => return Err(Stop::Interrupted),
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
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
        if !probe::accepts(address, timeout).await {
            // The port is discovered: when exactly one other is open to the network, that is the one.
            match seen.open_ports().as_slice() {
                [port] if self.project.runtime.port.is_none() => address.set_port(*port),
                _ => {
                    seen.probe = Some(Probe::Refused);
                    return None;
                }
            }
        }
        let probe = probe::ask(address, &self.deployment.hostname, &health.path, timeout).await;
        let healthy =
            matches!(&probe, Probe::Answered { status, .. } if accepts_status(health, *status));
        seen.probe = Some(probe);
        healthy.then_some(address)
    }

    /// The process ended.
    async fn exited(&self, container: &ContainerId, state: Option<ContainerState>) -> Stop {
        let code = state.as_ref().and_then(|state| state.exit_code);
        let oom = state.as_ref().is_some_and(|state| state.out_of_memory);
        let limit = self.project.runtime.memory_mb;
        let mut message = match (oom, code) {
            (true, _) => {
                format!("The application was stopped: it used more than its {limit} MiB of memory.")
            }
            (false, Some(code)) => format!("The application stopped with exit code {code}."),
            (false, None) => "The application's container is gone.".to_owned(),
        };
        message.push_str(&self.last_output(container).await);
        let kind = if oom { FailureCode::OutOfMemory } else { FailureCode::StartFailed };
        Stop::Failed(Failure::new(kind, PHASE, message).with_exit_code(code))
    }

    /// The deadline passed.
    async fn unhealthy(
        &self,
        container: &ContainerId,
        told: u16,
        health: &Healthcheck,
        seen: &Seen,
    ) -> Stop {
        let seconds = health.grace_seconds;
        let (code, mut message) = match &seen.probe {
            None | Some(Probe::Refused) => {
                (FailureCode::PortNotListening, seen.not_listening(told, seconds))
            }
            Some(Probe::TimedOut) => (
                FailureCode::HealthcheckFailed,
                format!("GET {} did not answer within {} s.", health.path, health.timeout_seconds),
            ),
            Some(Probe::NotHttp(error)) => (
                FailureCode::HealthcheckFailed,
                format!("What answers on port {told} does not speak HTTP ({error})."),
            ),
            Some(Probe::Answered { status, excerpt, .. }) => {
                let body = if excerpt.is_empty() {
                    String::new()
                } else {
                    format!(" Last body: {excerpt}")
                };
                let (path, expect) = (&health.path, &health.expect);
                let message = format!(
                    "GET {path} answered {status} for {seconds} s; expected is {expect}.{body}"
                );
                (FailureCode::HealthcheckFailed, message)
            }
        };
        message.push_str(&self.last_output(container).await);
        Stop::Failed(Failure::new(code, PHASE, message))
    }

    /// The last lines the application wrote, with secrets masked.
    async fn last_output(&self, container: &ContainerId) -> String {
        let lines = self.pipeline.last_lines(container, LAST_LINES).await;
        if lines.is_empty() {
            return " It wrote nothing.".to_owned();
        }
        let shown: Vec<_> =
            lines.iter().rev().take(5).rev().map(|line| self.redactor.mask(line)).collect();
        format!(" Last output:\n{}", shown.join("\n"))
    }
}

impl Pipeline {
    /// The last lines a container wrote.
    async fn last_lines(&self, container: &ContainerId, count: usize) -> Vec<String> {
        use futures_util::StreamExt;
        let tail = u32::try_from(count).unwrap_or(u32::MAX);
        let mut output = self.engine.output(container, Some(tail), false);
        let mut assembler = crate::logs::LineAssembler::default();
        let mut lines = Vec::new();
        while let Some(Ok(chunk)) = output.next().await {
            lines.extend(assembler.push(&chunk.bytes));
        }
        lines.extend(assembler.finish());
        lines.retain(|line| !line.trim().is_empty());
        lines.drain(..lines.len().saturating_sub(count));
        lines
    }
}

/// Whether a status is healthy. Without a path of its own, a login wall counts as up.
pub(super) fn accepts_status(health: &Healthcheck, status: u16) -> bool {
    let (low, high) = parse_expected_status(&health.expect).unwrap_or((200, 399));
    (low..=high).contains(&status)
        || (health.path == "/" && health.expect == "200-399" && matches!(status, 401 | 403))
}

/// What the looks met so far.
#[derive(Default)]
struct Seen {
    probe: Option<Probe>,
    /// Sockets the container's processes listen on.
    listening: Vec<(IpAddr, u16)>,
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

    fn not_listening(&self, told: u16, seconds: u32) -> String {
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
