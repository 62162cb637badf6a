//! What the engine reports of a build, as lines of the log.

use std::collections::{HashMap, VecDeque};

use tokio::sync::mpsc;

use super::job::Job;
use crate::docker::BuildEvent;
use crate::logs::LineAssembler;
use crate::model::log_line::{LogLevel, LogSource, LogStream, NewLine};

const PHASE: &str = "building";
/// Last lines of a step that are kept to find out why it failed.
const KEPT_LINES: usize = 300;
/// Bytes of each that are kept.
const KEPT_BYTES: usize = 1000;

/// What is remembered of a build beside its log.
#[derive(Debug, Default)]
pub(super) struct BuildNotes {
    /// Images it began with, in full and in order, with the digest where the engine says one.
    pub bases: Vec<(String, Option<String>)>,
    /// The last lines of the step that failed first.
    pub failed: Vec<String>,
}

impl Job {
    /// Turns what the engine reports into lines, with the duration of every step.
    pub(super) async fn write_build_log(
        &self,
        mut events: mpsc::Receiver<BuildEvent>,
    ) -> BuildNotes {
        let mut notes = BuildNotes::default();
        let mut open: HashMap<(String, bool), LineAssembler> = HashMap::new();
        let mut last: HashMap<String, VecDeque<String>> = HashMap::new();
        while let Some(event) = events.recv().await {
            match event {
                BuildEvent::StepStarted { name, .. } => {
                    notes.note_base(&name);
                    if !housekeeping(&name) {
                        self.say(name);
                    }
                }
                BuildEvent::Output { step, stderr, bytes } => {
                    let lines = open.entry((step.clone(), stderr)).or_default().push(&bytes);
                    let kept = last.entry(step).or_default();
                    lines.into_iter().for_each(|line| {
                        keep(kept, &self.redactor.mask(&line));
                        self.build_line(PHASE, stderr, line);
                    });
                }
                BuildEvent::StepFinished { step, name, duration, cached, error } => {
                    let mut kept = last.remove(&step).unwrap_or_default();
                    for stderr in [false, true] {
                        let rest =
                            open.remove(&(step.clone(), stderr)).and_then(|mut a| a.finish());
                        rest.into_iter().for_each(|line| {
                            keep(&mut kept, &self.redactor.mask(&line));
                            self.build_line(PHASE, stderr, line);
                        });
                    }
                    if error.is_some() && notes.failed.is_empty() {
                        notes.failed = kept.into();
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
        // A build that was cut off has no step that failed: what ran last is what it was busy with.
        if notes.failed.is_empty()
            && let Some((_, lines)) = last.into_iter().next()
        {
            notes.failed = lines.into();
        }
        notes
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

impl BuildNotes {
    /// Remembers the image that a step names, such as `[build 1/5] FROM docker.io/library/node:22@sha256:…`.
    fn note_base(&mut self, step: &str) {
        let after = |mark: &str| step.split_once(mark).map(|(_, image)| image);
        let named = after("] FROM ").or_else(|| after("load metadata for "));
        let Some(image) = named.or_else(|| step.strip_prefix("FROM ")).map(str::trim) else {
            return;
        };
        let (name, digest) = match image.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (image, None),
        };
        if name == "scratch" || name.contains(char::is_whitespace) {
            return;
        }
        match self.bases.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = known.take().or(digest),
            None => self.bases.push((name.to_owned(), digest)),
        }
    }
}

/// Keeps a masked line, at the cost of the oldest one.
pub(super) fn keep(lines: &mut VecDeque<String>, line: &str) {
    if lines.len() == KEPT_LINES {
        lines.pop_front();
    }
    let plain = crate::logs::strip_ansi(line);
    lines.push_back(plain.chars().take(KEPT_BYTES).collect());
}

/// Steps of the engine's own, which tell a user nothing as long as they succeed.
fn housekeeping(step: &str) -> bool {
    step.starts_with("[internal]") || step.starts_with("copy /context") || step.contains("] FROM ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_that_a_build_begins_with_is_remembered_once() {
        let mut notes = BuildNotes::default();
        for step in [
            "[internal] load metadata for docker.io/library/node:22",
            "[build 1/4] FROM docker.io/library/node:22@sha256:aa",
            "FROM docker.io/library/composer:2",
            "[stage-1 1/2] FROM scratch",
            "[build 2/4] RUN echo ] FROM here to there",
            "[stage-1 2/2] COPY --from=build /app /app",
        ] {
            notes.note_base(step);
        }
        let known = |name: &str, digest: Option<&str>| (name.to_owned(), digest.map(str::to_owned));
        assert_eq!(
            notes.bases,
            [
                known("docker.io/library/node:22", Some("sha256:aa")),
                known("docker.io/library/composer:2", None),
            ]
        );
    }
}
