//! Accepting a deployment: what it is made of is checked, then one transaction writes all there is of it.

use std::sync::Arc;

use super::deployment_source::{Chosen, upload_consumed};
use super::deployments::{NewDeployment, deed};
use super::journal;
use super::{App, AppError};
use crate::crypto::random;
use crate::db::{self, Connection, DbError};
use crate::events::Change;
use crate::model::actor::{Actor, Via};
use crate::model::deployment::{CreatedBy, Deployment, RunState, Target, Trigger};
use crate::model::env_var::{self, Environment};
use crate::model::event;
use crate::model::forge::WAITING;
use crate::model::hostname;
use crate::model::ids::DeploymentId;
use crate::model::problems::Problems;
use crate::model::project::{Project, Protocol};
use crate::model::transition::State;

/// What else is written in the transaction of a deployment.
pub(super) type Within =
    Arc<dyn Fn(&Connection, &Deployment) -> Result<(), AppError> + Send + Sync>;

impl App {
    /// Accepts a deployment of a project: one transaction, nothing slow.
    ///
    /// # Errors
    /// `Invalid`, a conflict, no room on the disk, or what `within` refuses.
    pub(super) async fn accept_deployment(
        &self,
        actor: &Actor,
        project: Project,
        new: NewDeployment,
        mut problems: Problems,
        within: Within,
    ) -> Result<Deployment, AppError> {
        let chosen = self.choose_source(&project, &new, &mut problems).await?;
        for problem in env_var::problems(&new.environment) {
            let field = problem
                .key
                .map_or_else(|| "environment".to_owned(), |key| format!("environment.{key}"));
            problems.invalid(&field, problem.code, problem.message);
        }
        let target = new.target.as_deref().map_or(Some(Target::Production), Target::parse);
        if target.is_none() {
            problems.unknown_value("target", Target::ALL.iter().map(|target| target.as_str()));
        }
        if let Some(message) = &new.message {
            problems.length("message", message, 0, 500);
        }
        AppError::check(problems)?;
        let target = target.unwrap_or(Target::Production);
        let mut deployment = self.draft(actor, &project, &new, target, &chosen);
        // What is made once more was used before.
        let fresh = chosen.upload.filter(|_| new.source.is_none());
        if let Some(upload) = fresh.as_ref().filter(|upload| upload.consumed) {
            return Err(upload_consumed(&upload.id));
        }
        let consumed = fresh.map(|upload| upload.id);
        self.room_on_disk().await?;
        let environment = new.environment;
        // The host name holds the start of the id; two that start alike are rare but possible.
        for _ in 0..8 {
            let (draft, values) = (deployment.clone(), environment.clone());
            let (app, owner, within) = (self.clone(), project.clone(), within.clone());
            let (actor, consumed) = (actor.clone(), consumed.clone());
            let stored = self
                .db
                .write(move |c| -> Result<Option<Deployment>, AppError> {
                    let stored = match app.insert_deployment(c, &actor, &owner, &draft, &values) {
                        // The host name is another deployment's.
                        Err(DbError::Unique(_)) => return Ok(None),
                        Err(DbError::Stale) => return Err(super::promote::paused()),
                        Err(DbError::NotFound) => {
                            return Err(AppError::not_found("project", owner.id.as_str()));
                        }
                        other => other?,
                    };
                    if let Some(upload) = &consumed {
                        match db::uploads::consume(c, upload, stored.created_at) {
                            Err(DbError::Stale) => return Err(upload_consumed(upload)),
                            other => other?,
                        }
                    }
                    within(c, &stored)?;
                    Ok(Some(stored))
                })
                .await?;
            if let Some(stored) = stored {
                let (team, project) = (project.team_id, project.id);
                self.bus.send(Change::Deployment(team, project, stored.id.clone()));
                self.pipeline.wake();
                self.routes.wake();
                return Ok(stored);
            }
            deployment.id = DeploymentId::from_random(random::bytes());
            let base = self.hosts.base_domain();
            deployment.hostname = hostname::of_deployment(&project.name, &deployment.id, base);
        }
        Err(AppError::Internal("no free host name was found".to_owned()))
    }

    fn draft(
        &self,
        actor: &Actor,
        project: &Project,
        new: &NewDeployment,
        target: Target,
        chosen: &Chosen,
    ) -> Deployment {
        let id = DeploymentId::from_random(random::bytes());
        let created_by = match &actor.via {
            Via::Session | Via::Operator => {
                ("user", actor.user_id.to_string(), actor.user_name.clone())
            }
            Via::ApiKey { id, name, .. } => ("api_key", id.to_string(), name.clone()),
            Via::Hook { id, name, .. } => ("hook", id.to_string(), name.clone()),
        };
        let trigger = new.trigger.unwrap_or(match &actor.via {
            Via::Session | Via::Operator => Trigger::Dashboard,
            Via::ApiKey { .. } => Trigger::Api,
            Via::Hook { .. } => Trigger::DeployHook,
        });
        // A branch of the project belongs to the project's own repository only.
        let branch = new.branch.clone().or_else(|| {
            (Some(&chosen.git_url) == project.source.git_url.as_ref())
                .then(|| project.source.branch.clone())
                .flatten()
        });
        Deployment {
            hostname: hostname::of_deployment(&project.name, &id, self.hosts.base_domain()),
            id,
            project_id: project.id.clone(),
            seq: 0,
            state: State::Queued,
            target,
            trigger,
            promote: new.promote.unwrap_or(target == Target::Production),
            message: new.message.clone(),
            git_url: chosen.git_url.clone(),
            branch,
            wanted_commit: new.commit_sha.clone(),
            root_dir: new.root_dir.clone().unwrap_or_else(|| project.source.root_dir.clone()),
            upload_id: chosen.upload.as_ref().map(|upload| upload.id.clone()),
            image_reference: chosen.image.clone(),
            image_pin: new.image_pin.clone(),
            clear_cache: new.clear_cache,
            commit: None,
            plan: None,
            environment_keys: Vec::new(),
            image: None,
            replicas: Vec::new(),
            run_state: RunState::None,
            alone: false,
            untrusted: new.untrusted,
            checks_until: new.checks_until,
            protocol: Protocol::default(),
            failure: None,
            cancel_reason: None,
            cancel_requested: false,
            created_at: self.clock.now(),
            started_at: None,
            built_at: None,
            live_at: None,
            finished_at: None,
            created_by: CreatedBy {
                kind: created_by.0.to_owned(),
                id: created_by.1,
                name: created_by.2,
                user_id: actor.user_id.to_string(),
            },
            revision: 1,
            is_live: false,
            source_deployment_id: new.source.clone(),
            release: None,
            project_paused: false,
            waiting: new.checks_until.map(|_| WAITING.to_owned()),
            branch_label: None,
        }
    }

    /// The transaction of acceptance: the deployment, its sealed variables (its own over the project's), its first step,
    /// the event.
    fn insert_deployment(
        &self,
        connection: &Connection,
        actor: &Actor,
        project: &Project,
        draft: &Deployment,
        environment: &Environment,
    ) -> Result<Deployment, DbError> {
        // Deleted since it was looked up: nothing is accepted any more.
        let current = db::projects::find(connection, &project.id)?.ok_or(DbError::NotFound)?;
        if current.paused_at.is_some() {
            return Err(DbError::Stale);
        }
        db::deployments::insert(connection, draft)?;
        let sealed: Vec<_> = environment
            .iter()
            .map(|(key, value)| {
                let identity = db::deployment_env::identity(&draft.id, key);
                (key.clone(), self.secrets.seal(&identity, value.as_bytes()))
            })
            .collect();
        db::deployment_env::insert(connection, &draft.id, &sealed)?;
        let reseal = |from: &str, to: &str, value: &[u8]| self.secrets.reseal(from, to, value).ok();
        db::deployment_env::refresh(connection, &draft.id, &reseal)?;
        if Some(&draft.git_url) == project.source.git_url.as_ref() {
            db::commit_statuses::begin(connection, &draft.id, &project.id, draft.created_at)?;
        }
        let queued = crate::model::deployment::Phase::Queued;
        db::deployment_phases::enter(connection, &draft.id, queued, draft.created_at)?;
        let url = self.hosts.url_of(&draft.hostname);
        let data = event::deployment(draft, "building", &url);
        let deed = deed("deployment.created", draft, project, data);
        journal::write(connection, actor, deed, draft.created_at)?;
        db::deployments::find(connection, &draft.id)?.ok_or(DbError::NotFound)
    }
}
