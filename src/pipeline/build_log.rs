//! What the engine reports of a build, as lines of the log.

use std::collections::HashMap;

use tokio::sync::mpsc;

use super::job::Job;
use crate::docker::BuildEvent;
use crate::logs::LineAssembler;
use crate::model::log_line::{LogLevel, LogSource, LogStream, NewLine};

const PHASE: &str = "building";

impl Job {
    /// Turns what the engine reports into lines, with the duration of every step.
    pub(super) async fn write_build_log(&self, mut events: mpsc::Receiver<BuildEvent>) {
        let mut open: HashMap<(String, bool), LineAssembler> = HashMap::new();
        while let Some(event) = events.recv().await {
            match event {
                BuildEvent::StepStarted { name, .. } if housekeeping(&name) => {}
                BuildEvent::StepStarted { name, .. } => self.say(name),
                BuildEvent::Output { step, stderr, bytes } => {
                    let lines = open.entry((step, stderr)).or_default().push(&bytes);
                    lines.into_iter().for_each(|line| self.build_line(PHASE, stderr, line));
                }
                BuildEvent::StepFinished { step, name, duration, cached, error } => {
                    for stderr in [false, true] {
                        let rest =
                            open.remove(&(step.clone(), stderr)).and_then(|mut a| a.finish());
                        rest.into_iter().for_each(|line| self.build_line(PHASE, stderr, line));
                    }
                    match error {
                        Some(error) => {
                            self.line(
                                LogLevel::Error,
                                LogSource::Build,
                                format!("{name}: {error}"),
                            );
                        }
                        None if housekeeping(&name) => {}
                        None if cached => self.say(format!("{name} CACHED")),
                        None => self.say(format!("{name} done in {:.1} s", duration.as_secs_f64())),
                    }
                }
                BuildEvent::Note { message } => self.warn(message),
            }
        }
    }

    pub(super) fn build_line(&self, phase: &str, stderr: bool, message: String) {
        self.log.append(NewLine {
            ts: self.pipeline.clock.now(),
            source: LogSource::Build,
            stream: if stderr { LogStream::Stderr } else { LogStream::Stdout },
            level: LogLevel::Info,
            phase: Some(phase.to_owned()),
            message,
        });
    }
}

/// Steps of the engine's own, which tell a user nothing as long as they succeed.
fn housekeeping(step: &str) -> bool {
    step.starts_with("[internal]") || step.starts_with("copy /context") || step.contains("] FROM ")
}
