//! The server itself, for instance admins.

use std::sync::Arc;
use std::time::Duration;

use super::may::{Action, require_instance_admin, require_scope};
use super::{App, AppError};
use crate::config::machine::Machine;
use crate::db;
use crate::docker::EngineError;
use crate::model::actor::Actor;
use crate::model::disk::Measure;
use crate::model::transition::State;
use crate::model::vulnerability::{self, Vulnerability};
use crate::routing::traffic::Traffic;

/// How long the engine may take to say how it is.
const ENGINE_PATIENCE: Duration = Duration::from_secs(2);

/// How the server is.
#[derive(Clone, Debug)]
pub struct SystemState {
    pub machine: Machine,
    /// `None` when it does not answer in time.
    pub engine: Option<EngineState>,
    /// What is wrong with the engine, and what to do about it.
    pub engine_trouble: Option<String>,
    /// `None` when this process does not serve.
    pub traffic: Option<Traffic>,
    /// The database file.
    pub database_bytes: u64,
    /// What is written and not yet in the database file.
    pub wal_bytes: u64,
    /// What the last sweep found on the disk; `None` until there was one.
    pub disk: Option<Arc<Measure>>,
    /// Bytes left on the fullest disk that builds need.
    pub free_bytes: Option<u64>,
    /// Deployments that are under way.
    pub building: usize,
    pub queued: usize,
}

/// How the engine is.
#[derive(Clone, Debug)]
pub struct EngineState {
    pub version: String,
    /// Running containers of this instance.
    pub containers: usize,
    /// Holes it is known to have, by its version.
    pub vulnerabilities: Vec<Vulnerability>,
}

impl App {
    /// How the server is.
    ///
    /// # Errors
    /// The actor is no instance admin, or the key lacks `system:read`.
    pub async fn system_state(&self, actor: &Actor) -> Result<SystemState, AppError> {
        require_scope(actor, Action::SystemRead)?;
        require_instance_admin(actor)?;
        let data = self.config.data.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let size = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |file| file.len());
            (Machine::look(&data), size("orbitra.db"), size("orbitra.db-wal"))
        });
        let unfinished = self.db.read(db::deployments::unfinished);
        let (looked, unfinished, (engine, engine_trouble), free_bytes) =
            tokio::join!(looked, unfinished, self.engine_state(), self.free_disk());
        let (machine, database_bytes, wal_bytes) =
            looked.map_err(|error| AppError::Internal(error.to_string()))?;
        let unfinished = unfinished?;
        let queued = unfinished.iter().filter(|one| one.state == State::Queued).count();
        let building = unfinished.len() - queued;
        let traffic = self.traffic.get().cloned();
        let disk = self.last_measure();
        Ok(SystemState {
            machine,
            engine,
            engine_trouble,
            traffic,
            database_bytes,
            wal_bytes,
            disk,
            free_bytes,
            building,
            queued,
        })
    }

    /// How the engine is, and what is wrong with it.
    async fn engine_state(&self) -> (Option<EngineState>, Option<String>) {
        let Some(engine) = self.engine.get() else { return (None, None) };
        let all = async {
            let (info, owned) = tokio::try_join!(engine.info(), engine.owned())?;
            let containers = owned.containers.iter().filter(|container| container.running).count();
            let vulnerabilities = vulnerability::of(&info.version, info.runtime.as_deref());
            let state = EngineState { version: info.version, containers, vulnerabilities };
            Ok::<_, EngineError>((state, engine.warning().await))
        };
        match tokio::time::timeout(ENGINE_PATIENCE, all).await {
            Ok(Ok((state, warning))) => (Some(state), warning),
            Ok(Err(error)) => (None, Some(format!("{error}."))),
            Err(_) => {
                let seconds = ENGINE_PATIENCE.as_secs();
                (None, Some(format!("Docker did not answer within {seconds} s.")))
            }
        }
    }
}
