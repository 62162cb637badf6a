//! Writing to a log.

use std::io;
use std::sync::Arc;

use super::redact::Redactor;
use super::store::blocking;
use super::stream::Stream;
use crate::model::ids::DeploymentId;
use crate::model::log_line::{HttpLine, NewLine};

/// Longest message that is stored, in bytes; the rest is cut.
pub const LINE_BYTES: usize = 16 * 1024;
/// What stands at the end of a line that was cut.
const CUT: &str = " … [line cut]";

/// A writer at the end of one log. Cheap to clone.
#[derive(Clone)]
pub struct LogWriter {
    stream: Arc<Stream>,
    redactor: Redactor,
    about: About,
}

/// What all lines of one writer are about.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    pub deployment: Option<DeploymentId>,
    pub instance: Option<String>,
    pub http: Option<Box<HttpLine>>,
}

impl LogWriter {
    pub(super) fn new(stream: Arc<Stream>, redactor: Redactor) -> Self {
        let about = About { deployment: stream.name.deployment().cloned(), ..About::default() };
        Self { stream, redactor, about }
    }

    /// A writer of the same log whose lines are this deployment's, and one of its containers'.
    pub fn about(&self, deployment: &DeploymentId, instance: Option<&str>) -> Self {
        let about = About {
            deployment: Some(deployment.clone()),
            instance: instance.map(str::to_owned),
            http: None,
        };
        Self { about, ..self.clone() }
    }

    /// Adds the line of a request.
    pub fn append_request(&self, line: NewLine, http: HttpLine) {
        let about = About { http: Some(Box::new(http)), ..self.about.clone() };
        self.stream.append(self.clean(line), about, false);
    }

    /// Adds a line: secrets masked, at most 16 KiB of it, dropped when the log is full or finished.
    /// Readers see it within 100 ms. Never waits for the disk longer than one write into the page cache takes.
    pub fn append(&self, line: NewLine) {
        self.stream.append(self.clean(line), self.about.clone(), false);
    }

    /// Adds a line that a full log takes too: the platform's own few words on how it ended.
    pub fn append_important(&self, line: NewLine) {
        self.stream.append(self.clean(line), self.about.clone(), true);
    }

    /// Marks the log as complete: readers that follow it end, later lines are dropped.
    ///
    /// # Errors
    /// The last lines or the mark could not be written; readers end all the same.
    pub async fn finish(&self) -> io::Result<()> {
        let stream = Arc::clone(&self.stream);
        blocking(move || stream.finish()).await
    }

    fn clean(&self, mut line: NewLine) -> NewLine {
        let (mut message, cut) = self.redactor.redact(&line.message, LINE_BYTES);
        if cut {
            message.push_str(CUT);
        }
        // A line must stay one line, also for readers that send it over a line-based protocol.
        if message.contains(['\n', '\r']) {
            message = message.replace(['\n', '\r'], " ");
        }
        line.message = message;
        line
    }
}
