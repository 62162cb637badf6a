//! Stage 4: a new container beside the old one, in the project's own network.

use std::net::Ipv4Addr;

use super::Pipeline;
use super::held;
use super::job::Job;
use super::stop::Stop;
use crate::db::{self, DbError};
use crate::docker::{ContainerId, ContainerSpec, EngineError, NetworkError, NetworkSpec};
use crate::model::build_plan::{BuildPlan, Output};
use crate::model::deployment::{Deployment, RunState, Target};
use crate::model::diagnosis::{Cause, start};
use crate::model::failure::{Failure, FailureCode};
use crate::model::hostname;
use crate::model::ids::ProjectId;
use crate::model::project::{Project, Strategy};
use crate::model::receipt::ImageFacts;
use crate::model::transition::State;

const PHASE: &str = "starting";
/// Port an application is told when nothing says otherwise.
const DEFAULT_PORT: u16 = 3000;
/// Most processes and threads of one container.
const PIDS: u32 = 512;
/// Prefix length of a project's network: 62 addresses.
const NETWORK_PREFIX: u8 = 26;
/// How many subnets are tried before giving up.
const SUBNET_TRIES: u32 = 32;

/// A container that was started, and the port its application was told.
pub(super) struct Started {
    pub container: ContainerId,
    pub port: u16,
}

impl Job {
    /// Makes and starts the container. An image that was not built here has no plan. `None` when it is not started: it
    /// may not run beside what serves, and takes nothing from it.
    pub(super) async fn start(
        &mut self,
        image: &str,
        plan: Option<&BuildPlan>,
    ) -> Result<Option<Started>, Stop> {
        self.advance(State::Starting).await?;
        self.record_alone().await?;
        let network = self.pipeline.network_of(&self.project).await?;
        let exposed = match self.pipeline.engine.image(image).await {
            Ok(Some(info)) => {
                self.gathered.image = Some(ImageFacts {
                    id: info.id,
                    size_bytes: info.size_bytes,
                    reference: self.deployment.image_pin.clone(),
                });
                info.exposed_ports
            }
            Ok(None) => Vec::new(),
            Err(error) => return Err(Stop::engine(PHASE, &error)),
        };
        let framework = plan.and_then(|plan| plan.port);
        let port = port_of(&self.project, &self.environment, &exposed, framework);
        if let Some(plan) = plan {
            self.run_release_command(plan, image, &network, port).await?;
        }
        self.stop_if_canceled()?;
        let spec = self.pipeline.container_spec(
            &self.project,
            &self.deployment,
            image,
            network,
            self.environment.clone(),
            port,
        );
        let creating = self.pipeline.create_new(spec);
        let id = self.unless_canceled(creating).await?;
        self.deployment.container_id = Some(id.0.clone());
        self.failpoint("container.created").await?;
        let (deployment, container) = (self.deployment.id.clone(), id.0.clone());
        self.pipeline
            .db
            .write(move |c| {
                db::transitions::record_run(c, &deployment, RunState::None, Some(&container), None)
            })
            .await?;
        let wanted = self.gets_the_traffic().await?;
        if self.deployment.alone && !wanted {
            let (deployment, container) = (self.deployment.id.clone(), id.0.clone());
            let rest = move |c: &db::Connection| {
                let stopped = RunState::Stopped;
                db::transitions::record_run(c, &deployment, stopped, Some(&container), None)
            };
            self.pipeline.db.write(rest).await?;
            self.say("It does not run beside what serves: it is started when it is promoted.");
            return Ok(None);
        }
        if wanted {
            self.hold().await?;
        }
        self.say(format!("Starting the container, PORT={port}"));
        let starting = self.pipeline.start_one(id.clone());
        self.unless_canceled(starting).await?;
        self.pipeline.claim_address(&self.deployment.id, &id).await;
        self.failpoint("container.started").await?;
        self.pipeline.capture(
            &self.deployment.id,
            &id,
            true,
            Some(self.log.clone()),
            Some(self.redactor.clone()),
        );
        Ok(Some(Started { container: id, port }))
    }
}

/// The project's setting, else the variable PORT, else the one port the image declares, else the framework's own,
/// else 3000.
pub(super) fn port_of(
    project: &Project,
    environment: &[(String, String)],
    exposed: &[u16],
    framework: Option<u16>,
) -> u16 {
    let variable = environment.iter().find(|(key, _)| key == "PORT");
    let variable = variable.and_then(|(_, value)| value.parse().ok()).filter(|port| *port > 0);
    let single = (exposed.len() == 1).then(|| exposed[0]);
    project.runtime.port.or(variable).or(single).or(framework).unwrap_or(DEFAULT_PORT)
}

impl Job {
    /// Writes down whether it may run beside another deployment. A preview has no part in what production keeps to itself.
    async fn record_alone(&mut self) -> Result<(), Stop> {
        let single = self.project.runtime.release.strategy == Strategy::Single;
        let (id, alone) =
            (self.deployment.id.clone(), single && self.deployment.target == Target::Production);
        self.deployment.alone = alone;
        let write = self.pipeline.db.write(move |c| db::transitions::record_alone(c, &id, alone));
        Ok(write.await?)
    }

    /// Stops what serves when the two may not run side by side; its requests wait.
    async fn hold(&mut self) -> Result<(), Stop> {
        let project = self.project.id.clone();
        let live = self.pipeline.db.read(move |c| db::deployments::live(c, &project)).await?;
        if held::is_exclusive(live.as_ref(), &self.deployment) {
            self.say("Requests wait while the deployment before stops and this one starts.");
            let (id, cancel) = (&self.deployment.id, &self.cancel);
            self.held = self.pipeline.hold(&self.project, id, cancel).await?;
        }
        Ok(())
    }

    /// Waits for work on the engine, but not longer than the deployment is wanted.
    async fn unless_canceled<T>(
        &self,
        work: impl Future<Output = Result<T, Stop>>,
    ) -> Result<T, Stop> {
        let stopping = self.pipeline.tasks.stopping();
        tokio::select! {
            done = work => done,
            () = self.cancel.cancelled() => Err(Stop::Canceled),
            () = stopping.cancelled() => Err(Stop::Interrupted),
        }
    }
}

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
    async fn create_new(&self, spec: ContainerSpec) -> Result<ContainerId, Stop> {
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
    async fn start_one(&self, id: ContainerId) -> Result<(), Stop> {
        self.engine.start(&id).await.map_err(|error| refused(error, true))
    }

    /// Makes and starts a container.
    pub(super) async fn start_new(&self, spec: ContainerSpec) -> Result<ContainerId, Stop> {
        let id = self.create_new(spec).await?;
        self.start_one(id.clone()).await?;
        Ok(id)
    }

    /// What a deployment's container is made of.
    pub(super) fn container_spec(
        &self,
        project: &Project,
        deployment: &Deployment,
        image: &str,
        network: String,
        mut environment: Vec<(String, String)>,
        port: u16,
    ) -> ContainerSpec {
        environment.retain(|(key, _)| key != "PORT");
        let host = hostname::of_project(&project.name, self.hosts.base_domain());
        let commit = deployment.commit.as_ref().map(|commit| commit.sha.clone());
        environment.extend([
            ("PORT".to_owned(), port.to_string()),
            ("ORBITRA_URL".to_owned(), self.hosts.url_of(&host)),
            ("ORBITRA_DEPLOYMENT_URL".to_owned(), self.hosts.url_of(&deployment.hostname)),
            ("ORBITRA_DEPLOYMENT_ID".to_owned(), deployment.id.to_string()),
            ("ORBITRA_PROJECT".to_owned(), project.name.clone()),
            ("ORBITRA_COMMIT".to_owned(), commit.unwrap_or_default()),
        ]);
        ContainerSpec {
            owner: self.owner(&project.id, Some(&deployment.id)),
            name: format!("orbitra-{}", deployment.id),
            image: image.to_owned(),
            entrypoint: None,
            network,
            environment,
            // A generated image has its command; one from a Dockerfile takes the project's, if there is one.
            command: deployment.plan.as_ref().and_then(start_command),
            memory_bytes: u64::from(project.runtime.memory_mb) * 1024 * 1024,
            cpu_millis: project.runtime.cpu_millis,
            pids: PIDS,
            hostname: project.name.clone(),
        }
    }

    /// The project's network; made when it is not there, on the next free subnet when its own is in use.
    pub(super) async fn network_of(&self, project: &Project) -> Result<String, Stop> {
        let name = network_name(&project.id);
        let mut index = project.network_index;
        for _ in 0..SUBNET_TRIES {
            let Some(address) = subnet(self.network_pool, index) else { break };
            let made = self
                .engine
                .ensure_network(NetworkSpec {
                    owner: self.owner(&project.id, None),
                    name: name.clone(),
                    subnet: (address, NETWORK_PREFIX),
                })
                .await;
            match made {
                Ok(()) => return Ok(name),
                Err(NetworkError::Engine(error)) => return Err(Stop::engine(PHASE, &error)),
                Err(NetworkError::SubnetInUse) => {
                    let id = project.id.clone();
                    index = self
                        .db
                        .write(move |c| -> Result<u32, DbError> {
                            db::projects::move_network(c, &id)
                        })
                        .await?;
                }
            }
        }
        Err(Stop::Failed(Failure::new(
            FailureCode::EngineError,
            PHASE,
            "No free network is left. Set ORBITRA_NETWORK_POOL to a larger private network.",
        )))
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

/// The command that replaces the image's: the user's own words, run by the shell of the user's own container.
fn start_command(plan: &BuildPlan) -> Option<Vec<String>> {
    let own_dockerfile = matches!(plan.output, Output::Container { path: Some(_), .. });
    let command = plan.start_command.clone().filter(|_| own_dockerfile)?;
    Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), command])
}

/// Name of a project's network.
pub(super) fn network_name(project: &ProjectId) -> String {
    format!("orbitra-{project}")
}

/// The `index`-th subnet of the pool.
fn subnet(pool: (Ipv4Addr, u8), index: u32) -> Option<Ipv4Addr> {
    let count = 1u32 << (NETWORK_PREFIX - pool.1);
    let size = 1u32 << (32 - NETWORK_PREFIX);
    (index < count).then(|| Ipv4Addr::from(u32::from(pool.0) + index * size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_follow_each_other_to_the_end_of_the_pool() {
        let pool = (Ipv4Addr::new(10, 200, 0, 0), 13);
        assert_eq!(subnet(pool, 0), Some(Ipv4Addr::new(10, 200, 0, 0)));
        assert_eq!(subnet(pool, 1), Some(Ipv4Addr::new(10, 200, 0, 64)));
        assert_eq!(subnet(pool, 8191), Some(Ipv4Addr::new(10, 207, 255, 192)));
        assert_eq!(subnet(pool, 8192), None);
    }
}
