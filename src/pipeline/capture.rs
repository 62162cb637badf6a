//! The output of a running container, from its first byte into the deployment's runtime log.

use std::sync::PoisonError;

use futures_util::StreamExt;

use super::Pipeline;
use crate::db;
use crate::docker::ContainerId;
use crate::logs::{LineAssembler, LogName, LogWriter, Redactor};
use crate::model::ids::DeploymentId;
use crate::model::log_line::{LogLevel, LogSource, LogStream, NewLine};

impl Pipeline {
    /// Copies a container's output until it ends. While the deployment is being checked the lines go into the build log too.
    pub(super) fn capture(
        &self,
        id: &DeploymentId,
        container: &ContainerId,
        build: Option<LogWriter>,
    ) {
        let (pipeline, id, container) = (self.clone(), id.clone(), container.clone());
        // After a restart of the process the rest of the output is what is new.
        let tail = build.is_none().then_some(0);
        self.tasks.spawn(async move {
            let stopping = pipeline.tasks.stopping();
            let captured = &pipeline.state.captured;
            captured.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
            tokio::select! {
                () = pipeline.copy_output(&id, &container, tail, build) => {}
                () = stopping.cancelled() => {}
            }
            captured.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        });
    }

    async fn copy_output(
        &self,
        id: &DeploymentId,
        container: &ContainerId,
        tail: Option<u32>,
        build: Option<LogWriter>,
    ) {
        let found = self.db.read({
            let id = id.clone();
            move |c| db::deployments::find_any(c, &id)
        });
        let Ok(Some(deployment)) = found.await else { return };
        let Ok(environment) = self.open_environment(&deployment).await else { return };
        let redactor = Redactor::new(environment.iter().map(|(_, value)| value.as_str()));
        let Ok(log) = self.logs.writer(LogName::Runtime(id.clone()), redactor).await else {
            return;
        };
        let mut output = self.engine.output(container, tail, true);
        let (mut out, mut err) = (LineAssembler::default(), LineAssembler::default());
        let write = |stderr: bool, message: String| {
            let line = NewLine {
                ts: self.clock.now(),
                source: LogSource::App,
                stream: if stderr { LogStream::Stderr } else { LogStream::Stdout },
                level: LogLevel::Info,
                phase: None,
                message,
            };
            if let Some(build) = &build {
                let phase = Some("starting".to_owned());
                build.append(NewLine { phase, ..line.clone() });
            }
            log.append(line);
        };
        while let Some(Ok(chunk)) = output.next().await {
            let assembler = if chunk.stderr { &mut err } else { &mut out };
            assembler.push(&chunk.bytes).into_iter().for_each(|line| write(chunk.stderr, line));
        }
        out.finish().into_iter().for_each(|line| write(false, line));
        err.finish().into_iter().for_each(|line| write(true, line));
    }
}
