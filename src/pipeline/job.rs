//! One deployment on its way: what is known of it, its log, its token.

use tokio_util::sync::CancellationToken;

use super::Pipeline;
use super::held::Held;
use super::receipt::Gathered;
use super::stop::Stop;
use crate::db;
use crate::db::deployment_env::Snapshot;
use crate::docker::Owner;
use crate::events::Change;
use crate::failpoint;
use crate::git::{Access, Credential};
use crate::logs::{LogName, LogWriter, Redactor};
use crate::model::deployment::Deployment;
use crate::model::failure::{Failure, FailureCode};
use crate::model::log_line::{LogLevel, LogSource, LogStream, NewLine};
use crate::model::project::Project;
use crate::model::transition::State;

/// A deployment under way.
pub struct Job {
    pub pipeline: Pipeline,
    pub deployment: Deployment,
    pub project: Project,
    /// The state the database was last told.
    pub state: State,
    /// The variables this deployment was made with.
    pub environment: Vec<(String, String)>,
    /// What its repository is read with.
    pub access: Option<Access>,
    pub log: LogWriter,
    /// Masks this deployment's secrets.
    pub redactor: Redactor,
    pub cancel: CancellationToken,
    /// What goes into its receipt.
    pub(super) gathered: Gathered,
    /// Requests wait for this one.
    pub(super) held: Option<Held>,
}

impl Job {
    /// Opens the variables and the log.
    pub async fn open(
        pipeline: &Pipeline,
        deployment: Deployment,
        project: Project,
        cancel: CancellationToken,
    ) -> Result<Self, Stop> {
        let environment = pipeline.open_environment(&deployment).await?;
        let access = pipeline.access(&deployment, &project).await?;
        let password = match access.as_ref().map(|access| &access.credential) {
            Some(Credential::Basic { password, .. }) => Some(password.as_str()),
            _ => None,
        };
        let values = environment.iter().map(|(_, value)| value.as_str());
        let redactor = Redactor::new(values.chain(password));
        let name = LogName::Build(deployment.id.clone());
        let log = pipeline
            .logs
            .writer(name, redactor.clone())
            .await
            .map_err(|error| Stop::Lost(db::DbError::Unwritable(error.to_string())))?;
        let (pipeline, state) = (pipeline.clone(), deployment.state);
        Ok(Self {
            pipeline,
            deployment,
            project,
            state,
            environment,
            access,
            log,
            redactor,
            cancel,
            gathered: Gathered::default(),
            held: None,
        })
    }

    /// Begins the next stage: first in the database, then for everybody who watches.
    pub async fn advance(&mut self, to: State) -> Result<(), Stop> {
        self.stop_if_canceled()?;
        let (id, from, now) = (self.deployment.id.clone(), self.state, self.pipeline.clock.now());
        self.pipeline.db.write(move |c| db::transitions::advance(c, &id, from, to, now)).await?;
        self.state = to;
        self.announce();
        match to {
            State::Cloning => self.failpoint("clone.start").await,
            State::Building => self.failpoint("build.start").await,
            State::Starting => self.failpoint("start.start").await,
            State::Checking => self.failpoint("check.start").await,
            _ => Ok(()),
        }
    }

    /// A place where a test lets this deployment fail.
    pub async fn failpoint(&self, name: &'static str) -> Result<(), Stop> {
        failpoint::at(name).await.map_err(|injected| {
            let phase = self.state.as_str();
            Failure::new(FailureCode::EngineError, phase, injected.to_string()).into()
        })
    }

    /// Ends the stage when somebody canceled or the process stops.
    pub fn stop_if_canceled(&self) -> Result<(), Stop> {
        if self.pipeline.tasks.stopping().is_cancelled() {
            Err(Stop::Interrupted)
        } else if self.cancel.is_cancelled() {
            Err(Stop::Canceled)
        } else {
            Ok(())
        }
    }

    /// Tells everybody who watches that something changed.
    pub fn announce(&self) {
        self.pipeline.announce(&self.project, &self.deployment.id);
    }

    /// Writes a line of Orbitra's own into the log.
    pub fn say(&self, message: impl Into<String>) {
        self.line(LogLevel::Info, LogSource::System, message.into());
    }

    /// Writes a warning of Orbitra's own into the log.
    pub fn warn(&self, message: impl Into<String>) {
        self.line(LogLevel::Warn, LogSource::System, message.into());
    }

    /// Writes a line of any kind.
    pub fn line(&self, level: LogLevel, source: LogSource, message: String) {
        let stream = if level == LogLevel::Error { LogStream::Stderr } else { LogStream::Stdout };
        let (ts, phase) = (self.pipeline.clock.now(), Some(self.state.to_string()));
        let line = NewLine { ts, source, stream, level, phase, message };
        if level == LogLevel::Info {
            self.log.append(line);
        } else {
            self.log.append_important(line);
        }
    }

    /// Whose the objects on the engine are.
    pub fn owner(&self) -> Owner {
        self.pipeline.owner(&self.project.id, Some(&self.deployment.id))
    }
}

impl Pipeline {
    /// Tells everybody who watches that a deployment changed.
    pub(super) fn announce(&self, project: &Project, id: &crate::model::ids::DeploymentId) {
        let (team, project) = (project.team_id.clone(), project.id.clone());
        self.bus.send(Change::Deployment(team.clone(), project.clone(), id.clone()));
        self.bus.send(Change::Project(team, project));
    }

    /// Labels of this instance.
    pub(super) fn owner(
        &self,
        project: &crate::model::ids::ProjectId,
        deployment: Option<&crate::model::ids::DeploymentId>,
    ) -> Owner {
        Owner {
            instance: self.instance.clone(),
            project: project.clone(),
            deployment: deployment.cloned(),
        }
    }

    /// The variables a deployment was made with, in byte order of their names.
    pub(super) async fn open_environment(
        &self,
        deployment: &Deployment,
    ) -> Result<Vec<(String, String)>, Stop> {
        self.environment_with(deployment, None).await
    }

    /// The same with `drawn` in the place of what it has from its project.
    pub(super) async fn environment_with(
        &self,
        deployment: &Deployment,
        drawn: Option<&Snapshot>,
    ) -> Result<Vec<(String, String)>, Stop> {
        let (id, drawn) = (deployment.id.clone(), drawn.cloned());
        let sealed = self.db.read(move |c| match drawn {
            Some(drawn) => db::deployment_env::load_with(c, &id, drawn),
            None => db::deployment_env::load(c, &id),
        });
        let sealed = sealed.await?;
        sealed
            .into_iter()
            .map(|(key, sealed)| {
                let identity = db::deployment_env::identity(&deployment.id, &key);
                let plain = self.secrets.open(&identity, &sealed).ok();
                let value = plain.and_then(|plain| String::from_utf8(plain).ok());
                let broken = || {
                    let message =
                        format!("The variable {key} does not open: was the key file replaced?");
                    Failure::new(FailureCode::EngineError, deployment.state.as_str(), message)
                };
                Ok((key.clone(), value.ok_or_else(broken)?))
            })
            .collect()
    }
}
