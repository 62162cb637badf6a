//! Says why an application is not healthy: collects what is known and asks for the cause.

use super::Pipeline;
use super::healthy::{IN_A_ROW, PHASE, Seen, Subject};
use super::probe::Probe;
use super::stop::Stop;
use crate::docker::{ContainerId, ContainerState};
use crate::logs::strip_ansi;
use crate::model::diagnosis::Output;
use crate::model::diagnosis::ended::{self, Ended};
use crate::model::diagnosis::health::{self, Answer, Asked};
use crate::model::diagnosis::listening::{self, Sockets};
use crate::model::failure::{Failure, FailureCode};
use crate::model::project::Healthcheck;

/// Lines of the application's output that are kept with a failure.
pub(super) const LAST_LINES: usize = 100;
/// Lines of them that its message ends with.
const TOLD_LINES: usize = 5;
/// Bytes of each.
const LINE_BYTES: usize = 2000;

impl Subject<'_> {
    /// The process ended.
    pub(super) async fn exited(
        &self,
        container: &ContainerId,
        state: Option<ContainerState>,
    ) -> Stop {
        let code = state.as_ref().and_then(|state| state.exit_code);
        let oom = state.as_ref().is_some_and(|state| state.out_of_memory);
        let limit = self.project.runtime.memory_mb;
        let message = match (oom, code) {
            (true, _) => {
                format!("The application was stopped: it used more than its {limit} MiB of memory.")
            }
            (false, Some(code)) => format!("The application stopped with exit code {code}."),
            (false, None) => "The application's container is gone.".to_owned(),
        };
        let lines = self.last_output(container).await;
        let diagnosis = ended::process(&Ended {
            exit_code: code,
            out_of_memory: oom,
            memory_mb: limit,
            output: self.output(&lines),
        });
        let kind = if oom { FailureCode::OutOfMemory } else { FailureCode::StartFailed };
        let message = format!("{message}{}", told(&lines));
        let failure = Failure::new(kind, PHASE, message).with_exit_code(code).explained(diagnosis);
        Stop::Failed(failure.with_output(lines))
    }

    /// The deadline passed.
    pub(super) async fn unhealthy(
        &self,
        container: &ContainerId,
        told_port: u16,
        health: &Healthcheck,
        seen: &Seen,
    ) -> Stop {
        let seconds = health.grace_seconds;
        let lines = self.last_output(container).await;
        let output = self.output(&lines);
        let by_answer = |answer: Answer<'_>| {
            health::unhealthy(&Asked {
                path: &health.path,
                expect: &health.expect,
                timeout_seconds: health.timeout_seconds,
                answer,
                output,
            })
        };
        let (code, message, diagnosis) = match &seen.probe {
            None | Some(Probe::Refused) => {
                let fixed = self.project.runtime.port.is_some();
                let listening = &seen.listening;
                let sockets = Sockets { told: told_port, fixed, listening, output };
                let message = seen.not_listening(told_port, seconds);
                (FailureCode::PortNotListening, message, listening::nobody(&sockets))
            }
            Some(Probe::TimedOut) => (
                FailureCode::HealthcheckFailed,
                format!("GET {} did not answer within {} s.", health.path, health.timeout_seconds),
                by_answer(Answer::TimedOut),
            ),
            Some(Probe::NotHttp(error)) => (
                FailureCode::HealthcheckFailed,
                format!("What answers on port {told_port} does not speak HTTP ({error})."),
                by_answer(Answer::NotHttp(error)),
            ),
            Some(Probe::Answered { status, .. }) if seen.good > 0 => {
                let (path, good) = (&health.path, seen.good);
                let message = format!(
                    "GET {path} answered well {good} times in {seconds} s, but never {IN_A_ROW} times in a row; the last answer was {status}."
                );
                let diagnosis = health::flapping(path, *status, good);
                (FailureCode::HealthcheckFailed, message, diagnosis)
            }
            Some(Probe::Answered { status, excerpt, location, .. }) => {
                let body = if excerpt.is_empty() {
                    String::new()
                } else {
                    format!(" Last body: {excerpt}")
                };
                let (path, expect) = (&health.path, &health.expect);
                let message = format!(
                    "GET {path} answered {status} for {seconds} s; expected is {expect}.{body}"
                );
                let (status, location) = (*status, location.as_deref());
                let answer = Answer::Status { status, location, body: excerpt };
                (FailureCode::HealthcheckFailed, message, by_answer(answer))
            }
        };
        let message = format!("{message}{}", told(&lines));
        let failure = Failure::new(code, PHASE, message).explained(diagnosis);
        Stop::Failed(failure.with_output(lines))
    }

    /// What the causes of a failure are looked for in.
    fn output<'a>(&'a self, lines: &'a [String]) -> Output<'a> {
        Output { lines, variables: &self.deployment.environment_keys }
    }

    /// The last lines the application wrote, with secrets masked and without terminal sequences.
    async fn last_output(&self, container: &ContainerId) -> Vec<String> {
        let lines = self.pipeline.last_lines(container, LAST_LINES).await;
        let plain = |line: &String| {
            let masked = strip_ansi(&self.redactor.mask(line));
            masked.char_indices().take_while(|(at, _)| *at < LINE_BYTES).map(|(_, c)| c).collect()
        };
        lines.iter().map(plain).collect()
    }
}

/// The end of a failure's message: the last few lines.
fn told(lines: &[String]) -> String {
    if lines.is_empty() {
        return " It wrote nothing.".to_owned();
    }
    let last = &lines[lines.len().saturating_sub(TOLD_LINES)..];
    format!(" Last output:\n{}", last.join("\n"))
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
