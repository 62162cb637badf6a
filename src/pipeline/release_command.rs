//! The plan's release command, such as migrations: run in the new image before anything of it serves.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;

use super::Pipeline;
use super::build_log::keep;
use super::job::Job;
use super::stop::Stop;
use super::unhealthy::LAST_LINES;
use crate::docker::{ContainerId, ContainerSpec};
use crate::logs::LineAssembler;
use crate::model::build_plan::BuildPlan;
use crate::model::diagnosis::Output;
use crate::model::diagnosis::ended::{self, Ended};
use crate::model::failure::{Failure, FailureCode};
use crate::model::ids::DeploymentId;

const PHASE: &str = "starting";
/// Pause between looks at whether the command has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// Name of the container the command runs in.
pub(super) fn name(deployment: &DeploymentId) -> String {
    format!("orbitra-{deployment}-release")
}

impl Job {
    /// Runs the command, if there is one, with the deployment's variables in the project's network.
    ///
    /// # Errors
    /// It failed or took too long: what served before goes on.
    pub(super) async fn run_release_command(
        &mut self,
        plan: &BuildPlan,
        image: &str,
        network: &str,
        port: u16,
    ) -> Result<(), Stop> {
        let Some(command) = plan.release_command.as_deref().filter(|text| !text.trim().is_empty())
        else {
            return Ok(());
        };
        self.say(format!("Running the release command: {command}"));
        let pipeline = &self.pipeline;
        let environment = self.environment.clone();
        let service = pipeline.container_spec(
            &self.project,
            &self.deployment,
            image,
            network.to_owned(),
            environment,
            port,
        );
        let spec = ContainerSpec {
            name: name(&self.deployment.id),
            replica: None,
            entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
            command: Some(vec![command.to_owned()]),
            hostname: format!("{}-release", service.hostname),
            ..service
        };
        let ended = self.run_to_the_end(spec).await;
        pipeline.remove_release_container(&self.deployment.id).await;
        let (code, out_of_memory, lines) = ended?;
        let diagnosis = ended::command(&Ended {
            exit_code: code,
            out_of_memory,
            memory_mb: self.project.runtime.memory_mb,
            output: Output { lines: &lines, variables: &self.deployment.environment_keys },
        });
        let failed = |code, message: String| {
            Failure::new(code, PHASE, message).explained(diagnosis).with_output(lines)
        };
        match code {
            Some(0) => {
                self.say("The release command is done.");
                Ok(())
            }
            _ if out_of_memory => {
                let limit = self.project.runtime.memory_mb;
                let message = format!(
                    "The release command was stopped: it used more than its {limit} MiB of memory. Nothing was switched."
                );
                Err(failed(FailureCode::OutOfMemory, message).with_exit_code(code).into())
            }
            Some(number) => {
                let message = format!(
                    "The release command ended with exit code {number}. Nothing was switched."
                );
                Err(failed(FailureCode::StartFailed, message).with_exit_code(code).into())
            }
            None => {
                let message = "The release command's container is gone. Nothing was switched.";
                Err(failed(FailureCode::StartFailed, message.to_owned()).into())
            }
        }
    }

    /// Exit code, whether it was killed for memory, and the last lines it wrote.
    async fn run_to_the_end(
        &self,
        spec: ContainerSpec,
    ) -> Result<(Option<i64>, bool, Vec<String>), Stop> {
        let seconds = u64::from(self.project.build.timeout_seconds);
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let stopping = self.pipeline.tasks.stopping();
        let run = async {
            let engine = &self.pipeline.engine;
            let failed = |error| Stop::engine(PHASE, &error);
            let id = self.pipeline.start_new(spec).await?;
            let lines = self.copy_release_output(&id).await;
            loop {
                match engine.inspect(&id).await.map_err(failed)? {
                    Some(state) if state.running => tokio::time::sleep(PAUSE).await,
                    Some(state) => return Ok((state.exit_code, state.out_of_memory, lines)),
                    None => return Ok((None, false, lines)),
                }
            }
        };
        tokio::select! {
            ended = run => ended,
            () = self.cancel.cancelled() => Err(Stop::Canceled),
            () = stopping.cancelled() => Err(Stop::Interrupted),
            () = tokio::time::sleep_until(deadline) => {
                let message = format!(
                    "The release command ran longer than {seconds} seconds. Nothing was switched."
                );
                Err(Failure::new(FailureCode::StartFailed, PHASE, message).into())
            }
        }
    }

    /// Writes what the command says into the build log until it ends. Answers the last lines.
    async fn copy_release_output(&self, id: &ContainerId) -> Vec<String> {
        let mut kept = VecDeque::new();
        let mut write = |stderr: bool, line: String| {
            keep(&mut kept, &self.redactor.mask(&line));
            self.build_line(PHASE, stderr, line);
        };
        let mut output = self.pipeline.engine.output(id, None, true);
        let mut assemblers = [LineAssembler::default(), LineAssembler::default()];
        while let Some(Ok(chunk)) = output.next().await {
            let lines = assemblers[usize::from(chunk.stderr)].push(&chunk.bytes);
            lines.into_iter().for_each(|line| write(chunk.stderr, line));
        }
        for (stderr, assembler) in [false, true].into_iter().zip(&mut assemblers) {
            let rest = assembler.finish();
            rest.into_iter().for_each(|line| write(stderr, line));
        }
        let more = kept.len().saturating_sub(LAST_LINES);
        kept.into_iter().skip(more).filter(|line| !line.trim().is_empty()).collect()
    }
}

impl Pipeline {
    /// Removes the container of a release command; absent is fine. Answers whether it is gone.
    pub(super) async fn remove_release_container(&self, deployment: &DeploymentId) -> bool {
        let removed = self.engine.remove(&ContainerId(name(deployment))).await;
        if let Err(error) = &removed {
            tracing::warn!(%deployment, %error, "a release command's container could not be removed");
        }
        removed.is_ok()
    }
}
