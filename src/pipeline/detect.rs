//! Stage 2: decide how the commit becomes something that serves.

use std::sync::Arc;

use super::job::Job;
use super::stop::Stop;
use crate::builder::{self, DetectError, Overrides};
use crate::db;
use crate::git::{FetchedCommit, SourceTree};
use crate::model::build_plan::BuildPlan;
use crate::model::diagnosis::plan::{self, Refusal};
use crate::model::failure::{Failure, FailureCode};
use crate::model::project::normal_path;
use crate::model::transition::State;

const PHASE: &str = "detecting";

impl Job {
    /// Makes and stores the plan.
    pub(super) async fn detect(&mut self, source: &FetchedCommit) -> Result<BuildPlan, Stop> {
        self.advance(State::Detecting).await?;
        let tree = source.tree.clone();
        let (request, project) = (self.request(), self.settings(self.pins().await?));
        let planned = tokio::task::spawn_blocking(move || {
            builder::plan_within(tree.as_ref(), &request, &project)
        });
        let planned = planned.await.map_err(|error| detect_failed(error.to_string()))?;
        let plan = planned.map_err(|error| no_plan(&error))?;
        self.project.runtime.apply(&plan.repository);
        self.say(&*plan.reason);
        for version in &plan.versions {
            self.say(format!("{} {} ({})", version.name, version.version, version.source));
        }
        for warning in &plan.warnings {
            self.warn(warning.clone());
        }
        let (id, stored) = (self.deployment.id.clone(), plan.clone());
        self.pipeline.db.write(move |c| db::transitions::record_plan(c, &id, &stored)).await?;
        self.deployment.plan = Some(plan.clone());
        Ok(plan)
    }

    /// The tree that is built: the directory the project lives in, or what its plan names instead.
    pub(super) async fn root(&self, source: &FetchedCommit) -> Result<Arc<dyn SourceTree>, Stop> {
        let planned = self.deployment.plan.as_ref().and_then(|plan| plan.context.as_deref());
        let directory =
            planned.unwrap_or_else(|| normal_path(&self.deployment.root_dir).unwrap_or_default());
        let directory = directory.to_owned();
        if directory.is_empty() {
            return Ok(source.tree.clone());
        }
        let tree = source.tree.clone();
        let subtree = tokio::task::spawn_blocking(move || tree.subtree(&directory)).await;
        let subtree = subtree.map_err(|error| detect_failed(error.to_string()))?;
        subtree.map_err(|error| no_plan(&error.into()))
    }

    /// Versions the project was built with before. A deployment that clears the cache chooses anew.
    async fn pins(&self) -> Result<Vec<(String, String)>, Stop> {
        let id = self.project.id.clone();
        let pins = self.pipeline.db.read(move |c| db::pins::of_project(c, &id)).await?;
        if self.deployment.clear_cache && !pins.is_empty() {
            self.say(
                "The cache is cleared: versions are chosen anew, whatever they were pinned to.",
            );
            return Ok(Vec::new());
        }
        Ok(pins)
    }

    /// What the request says of the build: so far where the project lives.
    fn request(&self) -> Overrides {
        Overrides {
            root_directory: normal_path(&self.deployment.root_dir)
                .filter(|path| !path.is_empty())
                .map(str::to_owned),
            ..Overrides::default()
        }
    }

    /// What the project's settings say.
    fn settings(&self, pins: Vec<(String, String)>) -> Overrides {
        let build = &self.project.build;
        let by_dockerfile = build.builder == "dockerfile";
        // Only what a person chose: the framework that was detected last time must not hide a change.
        Overrides {
            framework: by_dockerfile.then(|| "dockerfile".to_owned()),
            install_command: build.install_command.clone(),
            build_command: build.build_command.clone(),
            start_command: build.start_command.clone(),
            output_directory: build.output_dir.as_deref().and_then(normal_path).map(str::to_owned),
            // The usual name is looked for anyway; only another one says that there must be one.
            dockerfile: normal_path(&build.dockerfile)
                .filter(|path| by_dockerfile || *path != "Dockerfile")
                .map(str::to_owned),
            pins,
            ..Overrides::default()
        }
    }
}

fn detect_failed(message: String) -> Stop {
    Stop::Failed(Failure::new(FailureCode::DetectFailed, PHASE, message))
}

fn no_plan(error: &DetectError) -> Stop {
    let refusal = match error {
        DetectError::Nothing(_) => Refusal::Nothing,
        DetectError::Unsupported(_) => Refusal::Unsupported,
        DetectError::Invalid(_) => Refusal::Invalid,
        DetectError::Unreadable(_) => Refusal::Unreadable,
    };
    let failure = Failure::new(FailureCode::DetectFailed, PHASE, error.to_string());
    Stop::Failed(failure.explained(plan::refused(refusal)))
}
