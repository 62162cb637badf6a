//! Stage 4: new containers beside the old ones, in the project's own network. What strangers have written gets one that
//! nothing else is in.

use std::net::Ipv4Addr;

use futures_util::future::try_join_all;

use super::Pipeline;
use super::held;
use super::job::Job;
use super::replicas::{self, Numbered};
use super::stop::Stop;
use crate::crypto::digest::Sha256;
use crate::db::{self, DbError};
use crate::docker::{ContainerId, ContainerSpec, NetworkError, NetworkSpec, Owner};
use crate::model::build_plan::{BuildPlan, Output};
use crate::model::deployment::{Deployment, Replica, RunState, Target};
use crate::model::failure::{Failure, FailureCode};
use crate::model::hostname;
use crate::model::ids::{DeploymentId, ProjectId};
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

/// Containers that were started, and the port their application was told.
pub(super) struct Started {
    pub containers: Vec<Numbered>,
    pub port: u16,
}

impl Job {
    /// Makes and starts the containers. An image that was not built here has no plan. `None` when it is not started: it
    /// may not run beside what serves, and takes nothing from it.
    pub(super) async fn start(
        &mut self,
        image: &str,
        plan: Option<&BuildPlan>,
    ) -> Result<Option<Started>, Stop> {
        self.advance(State::Starting).await?;
        self.record_manner().await?;
        let network = self.pipeline.network_of(&self.project, &self.deployment).await?;
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
        let count = self.plan_replicas().await?;
        let mut containers = Vec::new();
        for number in 1..=count {
            let creating = self.pipeline.create_new(replicas::spec_of(&spec, number));
            let container = self.unless_canceled(creating).await?;
            self.made(number, &container).await?;
            containers.push((number, container));
        }
        let wanted = self.gets_the_traffic().await?;
        if self.deployment.alone && !wanted {
            let id = self.deployment.id.clone();
            let rest =
                move |c: &db::Connection| db::transitions::record_run(c, &id, RunState::Stopped);
            self.pipeline.db.write(rest).await?;
            self.say("It does not run beside what serves: it is started when it is promoted.");
            return Ok(None);
        }
        if wanted {
            self.hold().await?;
        }
        self.say(match count {
            1 => format!("Starting the container, PORT={port}"),
            _ => format!("Starting {count} containers, PORT={port}"),
        });
        let starting = containers.iter().map(|(number, container)| self.run(*number, container));
        self.unless_canceled(try_join_all(starting)).await?;
        Ok(Some(Started { containers, port }))
    }

    /// Writes down how many containers there will be, before any is made.
    async fn plan_replicas(&mut self) -> Result<u32, Stop> {
        let runtime = &self.project.runtime;
        let count = runtime.replicas();
        if count < runtime.instances {
            self.warn("Only one instance is started: it may not run beside another one.");
        }
        // Of a way that was cut off when there were to be more.
        for more in self.deployment.replicas.iter().filter(|one| one.number > count) {
            let left = ContainerId(replicas::name_of(&self.deployment.id, more.number));
            let removed = self.pipeline.engine.remove(&left).await;
            removed.map_err(|error| Stop::engine(PHASE, &error))?;
        }
        let id = self.deployment.id.clone();
        self.pipeline.db.write(move |c| db::replicas::plan(c, &id, count)).await?;
        let planned = |number| Replica { number, container: None, address: None, serves: false };
        self.deployment.replicas = (1..=count).map(planned).collect();
        Ok(count)
    }

    async fn made(&mut self, number: u32, container: &ContainerId) -> Result<(), Stop> {
        for replica in self.deployment.replicas.iter_mut().filter(|one| one.number == number) {
            replica.container = Some(container.0.clone());
        }
        self.failpoint("container.created").await?;
        let (id, container) = (self.deployment.id.clone(), container.0.clone());
        let made = move |c: &db::Connection| db::replicas::made(c, &id, number, &container);
        Ok(self.pipeline.db.write(made).await?)
    }

    /// Starts one of the containers.
    async fn run(&self, number: u32, container: &ContainerId) -> Result<(), Stop> {
        self.pipeline.start_one(container).await?;
        self.pipeline.claim_address(container).await;
        self.failpoint("container.started").await?;
        let (log, redactor) = (Some(self.log.clone()), Some(self.redactor.clone()));
        self.pipeline.capture(&self.deployment.id, number, container, true, log, redactor);
        Ok(())
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
    /// Writes down whether it may run beside another deployment, and what it speaks. A preview has no part in what
    /// production keeps to itself.
    async fn record_manner(&mut self) -> Result<(), Stop> {
        let single = self.project.runtime.release.strategy == Strategy::Single;
        let (id, alone) =
            (self.deployment.id.clone(), single && self.deployment.target == Target::Production);
        let protocol = self.project.runtime.protocol;
        (self.deployment.alone, self.deployment.protocol) = (alone, protocol);
        let write =
            move |c: &db::Connection| db::transitions::record_manner(c, &id, alone, protocol);
        Ok(self.pipeline.db.write(write).await?)
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

impl Pipeline {
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
            name: replicas::name_of(&deployment.id, 1),
            replica: Some(1),
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

    /// The network of a deployment's containers; made when it is not there. It is the project's, or for code of a fork, which
    /// may do whatever it likes there, one that nothing else is in.
    pub(super) async fn network_of(
        &self,
        project: &Project,
        deployment: &Deployment,
    ) -> Result<String, Stop> {
        if deployment.untrusted {
            return self.own_network(project, &deployment.id).await;
        }
        let name = network_name(&project.id);
        let mut index = project.network_index;
        for _ in 0..SUBNET_TRIES {
            let Some(address) = subnet(self.network_pool, index) else { break };
            if self.make_network(self.owner(&project.id, None), &name, address).await? {
                return Ok(name);
            }
            // The next free subnet, when its own is in use.
            let id = project.id.clone();
            let moved = move |c: &db::Connection| -> Result<u32, DbError> {
                db::projects::move_network(c, &id)
            };
            index = self.db.write(moved).await?;
        }
        Err(no_network_left())
    }

    /// The network of one deployment. Its subnet stands nowhere: it is one from the end of the pool, and projects take
    /// theirs from the beginning.
    async fn own_network(&self, project: &Project, id: &DeploymentId) -> Result<String, Stop> {
        let name = own_network_name(id);
        let hash = Sha256::of(id.as_str().as_bytes());
        let wanted = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        for index in last_subnets(self.network_pool, wanted).take(SUBNET_TRIES as usize) {
            let Some(address) = subnet(self.network_pool, index) else { break };
            if self.make_network(self.owner(&project.id, Some(id)), &name, address).await? {
                return Ok(name);
            }
        }
        Err(no_network_left())
    }

    /// Makes a network unless it is there. Answers whether it is there now; its subnet may be in use.
    async fn make_network(
        &self,
        owner: Owner,
        name: &str,
        address: Ipv4Addr,
    ) -> Result<bool, Stop> {
        let subnet = (address, NETWORK_PREFIX);
        let made =
            self.engine.ensure_network(NetworkSpec { owner, name: name.to_owned(), subnet }).await;
        match made {
            Ok(()) => Ok(true),
            Err(NetworkError::SubnetInUse) => Ok(false),
            Err(NetworkError::Engine(error)) => Err(Stop::engine(PHASE, &error)),
        }
    }
}

fn no_network_left() -> Stop {
    Stop::Failed(Failure::new(
        FailureCode::EngineError,
        PHASE,
        "No free network is left. Set ORBITRA_NETWORK_POOL to a larger private network.",
    ))
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

/// Name of the network that one deployment has for itself.
pub(super) fn own_network_name(deployment: &DeploymentId) -> String {
    format!("orbitra-{deployment}")
}

/// How many subnets a pool has.
fn subnets(pool: (Ipv4Addr, u8)) -> u32 {
    1u32 << (NETWORK_PREFIX - pool.1)
}

/// Subnets to try for one deployment: from somewhere in the second half of the pool, down to its beginning and on from
/// its end. `wanted` is any number.
fn last_subnets(pool: (Ipv4Addr, u8), wanted: u32) -> impl Iterator<Item = u32> {
    let count = subnets(pool);
    let first = count - 1 - wanted % (count / 2).max(1);
    (0..count).map(move |step| (first + count - step) % count)
}

/// The `index`-th subnet of the pool.
fn subnet(pool: (Ipv4Addr, u8), index: u32) -> Option<Ipv4Addr> {
    let count = subnets(pool);
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

    #[test]
    fn one_deployment_is_given_a_subnet_from_the_end() {
        let pool = (Ipv4Addr::new(10, 200, 0, 0), 13);
        for wanted in [0, 1, 4095, 4096, u32::MAX] {
            let tried: Vec<_> = last_subnets(pool, wanted).take(3).collect();
            assert!(tried[0] >= 4096 && tried[0] < 8192, "{tried:?}");
            assert!(tried[1] == tried[0] - 1 && tried[2] == tried[1] - 1, "{tried:?}");
        }
        let small = (Ipv4Addr::new(10, 200, 0, 0), 24);
        assert_eq!(last_subnets(small, 1).collect::<Vec<_>>(), [2, 1, 0, 3]);
        let one = (Ipv4Addr::new(10, 200, 0, 0), 26);
        assert_eq!(last_subnets(one, 7).collect::<Vec<_>>(), [0]);
    }
}
