//! The receipt of a deployment: gathered on its way, written when it is over.

use std::sync::{Mutex, PoisonError};

use super::Pipeline;
use super::build_log::BuildNotes;
use super::job::Job;
use crate::crypto::secret_box::SecretBox;
use crate::model::deployment::Deployment;
use crate::model::hostname;
use crate::model::ids::ProjectId;
use crate::model::project::Project;
use crate::model::receipt::looks::{Look, Looks};
use crate::model::receipt::{BaseImage, FileFacts, ImageFacts, Limits, Receipt, VariableFacts};

/// What is found out on the way and stands in no row.
#[derive(Default)]
pub(super) struct Gathered {
    pub base_images: Vec<BaseImage>,
    pub image: Option<ImageFacts>,
    pub files: Option<FileFacts>,
    pub looks: Seen,
    /// What the build said last.
    pub build: BuildNotes,
}

/// The looks of a health check that is under way.
#[derive(Default)]
pub(super) struct Seen(Mutex<Looks>);

impl Seen {
    /// Keeps a look when it saw something new.
    pub(super) fn note(&self, look: Look) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(look);
    }

    fn kept(&self) -> Vec<Look> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).kept().to_vec()
    }
}

impl Job {
    /// What is known of this deployment now.
    pub(super) fn receipt(&self) -> Receipt {
        let of_row = self.pipeline.receipt_of(&self.deployment, &self.project);
        let gathered = &self.gathered;
        Receipt {
            image: gathered.image.clone(),
            base_images: gathered.base_images.clone(),
            files: gathered.files,
            variables: variables(&self.pipeline.secrets, &self.project.id, &self.environment),
            probes: gathered.looks.kept(),
            ..of_row
        }
    }

    /// Looks up the content of the images that the build named.
    pub(super) async fn note_base_images(&mut self) {
        for (name, digest) in std::mem::take(&mut self.gathered.build.bases) {
            // Whoever removes an image now takes nothing from the build but these facts.
            let there = self.pipeline.engine.image(&name).await.ok().flatten();
            let of_registry = there.as_ref().and_then(|image| image.digests.first().cloned());
            self.gathered.base_images.push(BaseImage {
                name: short_name(&name).to_owned(),
                digest: digest.or(of_registry),
                id: there.map(|image| image.id),
            });
        }
    }
}

impl Pipeline {
    /// What row and settings say of a deployment.
    pub(super) fn receipt_of(&self, deployment: &Deployment, project: &Project) -> Receipt {
        let of_project = hostname::of_project(&project.name, self.hosts.base_domain());
        Receipt {
            limits: Some(Limits::of(&project.runtime)),
            project_hostnames: vec![of_project],
            ..Receipt::of(deployment, &[])
        }
    }
}

/// Names with digests that change with the value, and say nothing about it without the instance's key.
pub(super) fn variables(
    key: &SecretBox,
    project: &ProjectId,
    environment: &[(String, String)],
) -> Vec<VariableFacts> {
    let digest = |name: &str, value: &str| {
        key.digest(format!("variable of a receipt of {project}\0{name}\0{value}").as_bytes())
    };
    let all = environment.iter();
    all.map(|(name, value)| VariableFacts { name: name.clone(), hash: Some(digest(name, value)) })
        .collect()
}

/// As people write it in a Dockerfile.
fn short_name(image: &str) -> &str {
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    image.strip_prefix("library/").unwrap_or(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_of_one_name_in_one_project_are_equal_and_nothing_else_is() {
        let (key, other_key) = (SecretBox::new(&[1; 32]), SecretBox::new(&[2; 32]));
        let (one, two) = (ProjectId::from_random([1; 10]), ProjectId::from_random([2; 10]));
        let of = |key: &SecretBox, project: &ProjectId, name: &str, value: &str| {
            let all = variables(key, project, &[(name.to_owned(), value.to_owned())]);
            all[0].hash.clone().unwrap()
        };
        let hash = of(&key, &one, "TOKEN", "hunter2");
        assert_eq!(hash, of(&key, &one, "TOKEN", "hunter2"));
        assert!(!hash.contains("hunter2"));
        for other in [
            of(&key, &one, "TOKEN", "hunter3"),
            of(&key, &one, "TOKEN2", "hunter2"),
            of(&key, &two, "TOKEN", "hunter2"),
            of(&other_key, &one, "TOKEN", "hunter2"),
            // Where the name ends is part of it.
            of(&key, &one, "TOKENh", "unter2"),
        ] {
            assert_ne!(hash, other);
        }
    }
}
