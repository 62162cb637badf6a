//! Making and starting a container, and what it means when the engine does neither.

use super::Pipeline;
use super::stop::Stop;
use crate::docker::{ContainerId, ContainerSpec, EngineError};
use crate::model::diagnosis::{Cause, start};
use crate::model::failure::{Failure, FailureCode};

const PHASE: &str = "starting";

/// Removes a container whose maker is not waited for any more.
struct Abandoned {
    pipeline: Pipeline,
    name: String,
    armed: bool,
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if self.armed {
            let (pipeline, id) = (self.pipeline.clone(), ContainerId(self.name.clone()));
            self.pipeline.tasks.spawn(async move {
                if let Err(error) = pipeline.engine.remove(&id).await {
                    tracing::warn!(container = id.0, %error, "a container could not be removed");
                }
            });
        }
    }
}

impl Pipeline {
    /// Makes a container. When nobody waits for it any more, the engine ends what it is doing and it is removed.
    pub(super) async fn create_new(&self, spec: ContainerSpec) -> Result<ContainerId, Stop> {
        let (pipeline, name) = (self.clone(), spec.name.clone());
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.tasks.spawn(async move {
            let mut abandoned = Abandoned { pipeline: pipeline.clone(), name, armed: false };
            let made = pipeline.engine.create(spec).await;
            abandoned.armed = sender.send(made).is_err();
        });
        let made = receiver.await.map_err(|_| Stop::Interrupted)?;
        made.map_err(|error| refused(error, false))
    }

    /// Starts a container.
    pub(super) async fn start_one(&self, id: &ContainerId) -> Result<(), Stop> {
        self.engine.start(id).await.map_err(|error| refused(error, true))
    }

    /// Makes and starts a container.
    pub(super) async fn start_new(&self, spec: ContainerSpec) -> Result<ContainerId, Stop> {
        let id = self.create_new(spec).await?;
        self.start_one(&id).await?;
        Ok(id)
    }
}

/// What a container that the engine does not make or start means. Only of a start is every refusal the application's.
fn refused(error: EngineError, starting: bool) -> Stop {
    let text = match &error {
        EngineError::Refused(text) | EngineError::NotFound(text) => text,
        _ => return Stop::engine(PHASE, &error),
    };
    let diagnosis = start::refused(text);
    let code = match &diagnosis {
        Some(diagnosis) if diagnosis.cause == Cause::DiskFull => FailureCode::DiskFull,
        Some(_) => FailureCode::StartFailed,
        None if starting && matches!(error, EngineError::Refused(_)) => FailureCode::StartFailed,
        None => return Stop::engine(PHASE, &error),
    };
    let message = match &diagnosis {
        Some(_) => "The application could not be started.".to_owned(),
        None => text.clone(),
    };
    Stop::Failed(Failure::new(code, PHASE, message).maybe_explained(diagnosis))
}
