//! The output of a running container, from its first byte into its project's runtime log.

use std::sync::PoisonError;

use futures_util::StreamExt;

use super::Pipeline;
use crate::db;
use crate::docker::ContainerId;
use crate::logs::{LineAssembler, LogName, LogWriter, Redactor};
use crate::model::deployment::Deployment;
use crate::model::ids::DeploymentId;
use crate::model::log_line::{LogLevel, LogSource, LogStream, NewLine};

impl Pipeline {
    /// Copies a container's output until it ends, with the deployment's variables masked unless `redactor` knows others. While the deployment is being checked the lines go into the build log too.
    pub(super) fn capture(
        &self,
        id: &DeploymentId,
        number: u32,
        container: &ContainerId,
        from_start: bool,
        build: Option<LogWriter>,
        redactor: Option<Redactor>,
    ) {
        let (pipeline, id, container) = (self.clone(), id.clone(), container.clone());
        // What it wrote before was copied before.
        let tail = (!from_start).then_some(0);
        self.tasks.spawn(async move {
            let stopping = pipeline.tasks.stopping();
            let captured = &pipeline.state.captured;
            let fresh =
                captured.lock().unwrap_or_else(PoisonError::into_inner).insert(container.0.clone());
            if !fresh {
                return;
            }
            tokio::select! {
                () = pipeline.copy_output(&id, number, &container, tail, build, redactor) => {}
                () = stopping.cancelled() => {}
            }
            captured.lock().unwrap_or_else(PoisonError::into_inner).remove(&container.0);
        });
    }

    async fn copy_output(
        &self,
        id: &DeploymentId,
        number: u32,
        container: &ContainerId,
        tail: Option<u32>,
        build: Option<LogWriter>,
        redactor: Option<Redactor>,
    ) {
        let wanted = id.clone();
        let found = self.db.read(move |c| db::deployments::find_any(c, &wanted)).await;
        let Ok(Some(deployment)) = found else { return };
        let redactor = match redactor {
            Some(redactor) => redactor,
            None => match self.redactor_of(&deployment).await {
                Some(redactor) => redactor,
                None => return,
            },
        };
        let name = LogName::Runtime(deployment.project_id.clone());
        let Ok(log) = self.logs.writer(name, redactor).await else { return };
        let log = log.about(id, Some(&number.to_string()));
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

    pub(super) async fn redactor_of(&self, deployment: &Deployment) -> Option<Redactor> {
        let environment = self.open_environment(deployment).await.ok()?;
        Some(Redactor::new(environment.iter().map(|(_, value)| value.as_str())))
    }
}
