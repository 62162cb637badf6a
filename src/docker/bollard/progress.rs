//! From BuildKit's reports to build events.

use std::collections::HashMap;
use std::time::Duration;

use bollard::moby::buildkit::v1::{StatusResponse, Vertex};

use crate::docker::BuildEvent;

/// What has been said about each step. BuildKit repeats itself; events do not.
#[derive(Default)]
pub struct Progress {
    steps: HashMap<String, Step>,
    failed: Option<(String, String)>,
}

#[derive(Default)]
struct Step {
    started: bool,
    finished: bool,
}

impl Progress {
    /// The events of one report, in the order a reader expects: starts, output, ends.
    pub fn events(&mut self, report: StatusResponse) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        for vertex in &report.vertexes {
            let step = self.steps.entry(vertex.digest.clone()).or_default();
            let begun = vertex.started.is_some() || vertex.completed.is_some();
            if begun && !step.started {
                step.started = true;
                events.push(BuildEvent::StepStarted {
                    step: vertex.digest.clone(),
                    name: vertex.name.clone(),
                });
            }
        }
        for log in report.logs {
            events.push(BuildEvent::Output {
                step: log.vertex,
                stderr: log.stream == 2,
                bytes: log.msg,
            });
        }
        for warning in report.warnings {
            let message = String::from_utf8_lossy(&warning.short).into_owned();
            events.push(BuildEvent::Note { message });
        }
        for vertex in report.vertexes {
            let step = self.steps.entry(vertex.digest.clone()).or_default();
            if vertex.completed.is_none() || step.finished {
                continue;
            }
            step.finished = true;
            // A step that fails takes others down; they report being canceled, which is not the reason.
            let reason = !vertex.error.is_empty() && !vertex.error.ends_with("context canceled");
            if reason && self.failed.is_none() {
                self.failed = Some((vertex.name.clone(), vertex.error.clone()));
            }
            events.push(finished(vertex));
        }
        events
    }

    /// Name and error of the step that failed first.
    pub fn failed(&self) -> Option<(&str, &str)> {
        self.failed.as_ref().map(|(name, error)| (name.as_str(), error.as_str()))
    }
}

fn finished(vertex: Vertex) -> BuildEvent {
    let took = match (vertex.started, vertex.completed) {
        (Some(start), Some(end)) => {
            let seconds = i128::from(end.seconds) - i128::from(start.seconds);
            seconds * 1_000_000_000 + i128::from(end.nanos) - i128::from(start.nanos)
        }
        _ => 0,
    };
    BuildEvent::StepFinished {
        step: vertex.digest,
        name: vertex.name,
        duration: Duration::from_nanos(u64::try_from(took).unwrap_or(0)),
        cached: vertex.cached,
        error: Some(vertex.error).filter(|error| !error.is_empty()),
    }
}
