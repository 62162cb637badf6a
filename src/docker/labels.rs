//! The labels that mark what Orbitra made on the engine, and whose it is.

use std::collections::HashMap;

use crate::model::ids::{DeploymentId, ProjectId};

/// The instance: a random name kept in the data directory. Two instances on one engine never touch each other's objects.
pub const INSTANCE: &str = "orbitra.instance";
/// The project's identifier.
pub const PROJECT: &str = "orbitra.project";
/// The deployment's identifier; absent on networks of projects.
pub const DEPLOYMENT: &str = "orbitra.deployment";

/// Which of its deployment's containers one is, from 1; for people, and for tools that look from outside.
pub const REPLICA: &str = "orbitra.replica";

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    pub instance: String,
    pub project: ProjectId,
    pub deployment: Option<DeploymentId>,
}

impl Owner {
    /// The labels to put on an object.
    pub fn labels(&self) -> HashMap<String, String> {
        let mut labels = HashMap::from([
            (INSTANCE.to_owned(), self.instance.clone()),
            (PROJECT.to_owned(), self.project.to_string()),
        ]);
        if let Some(deployment) = &self.deployment {
            labels.insert(DEPLOYMENT.to_owned(), deployment.to_string());
        }
        labels
    }

    /// Reads the owner back; `None` for an object that is not Orbitra's.
    pub fn from_labels(labels: &HashMap<String, String>) -> Option<Self> {
        Some(Self {
            instance: labels.get(INSTANCE)?.clone(),
            project: ProjectId::parse(labels.get(PROJECT)?)?,
            deployment: labels.get(DEPLOYMENT).and_then(|text| DeploymentId::parse(text)),
        })
    }
}
