//! The containers of a deployment: what they are called, and how the ones that are missing are made.

use super::Pipeline;
use super::stop::Stop;
use crate::db;
use crate::docker::{ContainerId, ContainerSpec};
use crate::model::deployment::{Deployment, Replica};
use crate::model::failure::{Failure, FailureCode};
use crate::model::ids::DeploymentId;
use crate::model::project::Project;

/// A container with its number among those of its deployment.
pub(super) type Numbered = (u32, ContainerId);

/// Name of a deployment's container: known before it is made.
pub(super) fn name_of(id: &DeploymentId, number: u32) -> String {
    numbered(&format!("orbitra-{id}"), number)
}

/// The name of one of several. The first has the name of one that is alone.
pub(super) fn numbered(name: &str, number: u32) -> String {
    if number == 1 { name.to_owned() } else { format!("{name}.{number}") }
}

/// What one of several containers is made of: the same as all others.
pub(super) fn spec_of(spec: &ContainerSpec, number: u32) -> ContainerSpec {
    let name = numbered(&spec.name, number);
    ContainerSpec { name, replica: Some(number), ..spec.clone() }
}

/// The containers that a deployment is known to have, with what they are called when nothing is known of them.
pub(super) fn known(deployment: &Deployment) -> Vec<ContainerId> {
    let id = &deployment.id;
    let name = |one: &Replica| one.container.clone().unwrap_or_else(|| name_of(id, one.number));
    let mut all: Vec<_> = deployment.replicas.iter().map(name).map(ContainerId).collect();
    if all.is_empty() {
        all.push(ContainerId(name_of(id, 1)));
    }
    all
}

impl Pipeline {
    /// A deployment's containers; those that the engine does not have are made anew from the recorded image. Written
    /// down before any is started.
    pub(super) async fn containers_of(
        &self,
        deployment: &Deployment,
        project: &Project,
    ) -> Result<Vec<Numbered>, Stop> {
        let mut numbers: Vec<_> = deployment.replicas.iter().map(|one| one.number).collect();
        if numbers.is_empty() {
            numbers.push(1);
            let id = deployment.id.clone();
            self.db.write(move |c| db::replicas::plan(c, &id, 1)).await?;
        }
        let mut all = Vec::new();
        for number in numbers {
            all.push((number, self.container_of(deployment, project, number).await?));
        }
        Ok(all)
    }

    /// One of a deployment's containers that is there and can be reached once it runs, or a new one from the recorded
    /// image, which is written down.
    pub(super) async fn container_of(
        &self,
        deployment: &Deployment,
        project: &Project,
        number: u32,
    ) -> Result<ContainerId, Stop> {
        let engine_error = |error| Stop::engine("starting", &error);
        let known = deployment.replicas.iter().find(|one| one.number == number);
        if let Some(id) = known.and_then(|one| one.container.clone()).map(ContainerId)
            && let Some(state) = self.engine.inspect(&id).await.map_err(engine_error)?
        {
            if state.in_network {
                return Ok(id);
            }
            // No start brings it back to where it is reached.
            self.engine.remove(&id).await.map_err(engine_error)?;
        }
        let failed = |message: &str| {
            Stop::Failed(Failure::new(FailureCode::ImageNotFound, "starting", message))
        };
        let gone = || failed("The image of this deployment is gone. Deploy it again.");
        let image = deployment.image.clone().ok_or_else(gone)?;
        let info = self.engine.image(&image).await.map_err(engine_error)?.ok_or_else(gone)?;
        let environment = self.open_environment(deployment).await?;
        let network = self.network_of(project, deployment).await?;
        let port = self.told_port(project, deployment, &environment, &info.exposed_ports);
        let spec = self.container_spec(project, deployment, &image, network, environment, port);
        let made = self.engine.create(spec_of(&spec, number)).await.map_err(engine_error)?;
        let (id, container) = (deployment.id.clone(), made.0.clone());
        self.db.write(move |c| db::replicas::made(c, &id, number, &container)).await?;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_containers_of_a_deployment_apart() {
        let id = DeploymentId::from_random([0; 10]);
        assert_eq!(name_of(&id, 1), format!("orbitra-{id}"));
        assert_eq!(name_of(&id, 2), format!("orbitra-{id}.2"));
        assert_eq!(numbered("orbitra-x-7", 20), "orbitra-x-7.20");
    }
}
