//! Variables of projects: made, set, removed. They count from the next deployment or restart on.

use std::collections::BTreeMap;

use super::env_change::{Edit, Rule, Touched};
use super::may::Action;
use super::promote::paused;
use super::redeploy::Again;
use super::terms::Terms;
use super::{App, AppError};
use crate::db::env_vars::StoredVar;
use crate::db::{self, Connection};
use crate::events::Change;
use crate::model::actor::Actor;
use crate::model::env_var::{self, Environment};
use crate::model::ids::{DeploymentId, ProjectId};
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::project_env::{EnvTarget, EnvVar};

/// A variable to set. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Default)]
pub struct NewVariable {
    pub key: Option<String>,
    pub value: Option<String>,
    pub sensitive: Option<bool>,
}

/// What is to be changed, and whether it is to be deployed.
#[derive(Clone, Copy, Debug)]
pub struct ChangeTo<'a> {
    /// Id or name.
    pub project: &'a str,
    /// All when `None`.
    pub target: Option<EnvTarget>,
    /// Repeats the live deployment, or else the last one, with the change.
    pub redeploy: bool,
}

/// How many variables changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub created: usize,
    pub updated: usize,
    pub deleted: usize,
}

/// A change that was made.
#[derive(Clone, Debug)]
pub struct Changed<T> {
    pub outcome: T,
    pub project: ProjectId,
    /// The deployment that was started with it, if one was wanted and the project had one to repeat.
    pub deployment: Option<DeploymentId>,
}

impl App {
    /// Makes a variable.
    ///
    /// # Errors
    /// `Invalid`, a conflict `key_exists` or `project_paused`, or no such project.
    pub async fn create_variable(
        &self,
        actor: &Actor,
        to: ChangeTo<'_>,
        new: NewVariable,
        mut problems: Problems,
        terms: &Terms<Changed<EnvVar>>,
    ) -> Result<Changed<EnvVar>, AppError> {
        let project = self.project_for(actor, Action::EnvWrite, to.project).await?;
        terms.admit(self, None).await?;
        problems.require("key", new.key.as_ref());
        let edit = single(new, &mut problems);
        AppError::check(problems)?;
        let (target, redeploy) = (to.target.unwrap_or(EnvTarget::All), to.redeploy);
        let (app, writer, owner, within) =
            (self.clone(), actor.clone(), project.clone(), terms.clone());
        let mut changed = self
            .db
            .write(move |c| -> Result<_, AppError> {
                let current = app.project_to_change(c, &owner, redeploy)?;
                let edits = [edit];
                app.change_env(c, &writer, &current, target, &edits, Rule::Create)?;
                let made = db::env_vars::find(c, &current.id, target, &edits[0].key)?;
                let made =
                    made.ok_or_else(|| AppError::not_found("env_variable", &edits[0].key))?;
                let changed = unrepeated(&current, made.variable);
                within.settle(&app, c, &changed)?;
                Ok(changed)
            })
            .await?;
        changed.deployment = self.env_changed(actor, &project, true, redeploy).await;
        if changed.deployment.is_some() {
            terms.settle_again(self, &changed).await?;
        }
        Ok(changed)
    }

    /// Sets a variable that may be there. Answers whether it is new.
    ///
    /// # Errors
    /// `Invalid`, a conflict `project_paused`, or no such project.
    pub async fn set_variable(
        &self,
        actor: &Actor,
        to: ChangeTo<'_>,
        new: NewVariable,
        mut problems: Problems,
        terms: &Terms<()>,
    ) -> Result<Changed<(EnvVar, bool)>, AppError> {
        let project = self.project_for(actor, Action::EnvWrite, to.project).await?;
        let (target, redeploy) = (to.target.unwrap_or(EnvTarget::All), to.redeploy);
        let key = new.key.clone().unwrap_or_default();
        let (id, wanted) = (project.id.clone(), key.clone());
        let found = self.db.read(move |c| db::env_vars::find(c, &id, target, &wanted)).await?;
        check_terms(terms, found.as_ref())?;
        let edit = single(new, &mut problems);
        AppError::check(problems)?;
        let (app, writer, owner, within) =
            (self.clone(), actor.clone(), project.clone(), terms.clone());
        let (mut changed, touched) = self
            .db
            .write(move |c| -> Result<_, AppError> {
                let current = app.project_to_change(c, &owner, redeploy)?;
                let find = || db::env_vars::find(c, &current.id, target, &key);
                check_terms(&within, find()?.as_ref())?;
                let touched = app.change_env(c, &writer, &current, target, &[edit], Rule::Set)?;
                let set = find()?.ok_or_else(|| AppError::not_found("env_variable", &key))?;
                let new = !touched.created.is_empty();
                Ok((unrepeated(&current, (set.variable, new)), !touched.keys().is_empty()))
            })
            .await?;
        changed.deployment = self.env_changed(actor, &project, touched, redeploy).await;
        Ok(changed)
    }

    /// Sets several variables and removes those without a value, all or none. With `replace` all others
    /// of the target are removed.
    ///
    /// # Errors
    /// `Invalid`, a conflict `project_paused`, or no such project.
    pub async fn set_variables(
        &self,
        actor: &Actor,
        to: ChangeTo<'_>,
        wanted: Option<BTreeMap<String, Option<String>>>,
        replace: bool,
        mut problems: Problems,
    ) -> Result<Changed<Counts>, AppError> {
        let project = self.project_for(actor, Action::EnvWrite, to.project).await?;
        problems.require("variables", wanted.as_ref());
        let rule = if replace { Rule::Replace } else { Rule::Merge };
        let edits: Vec<_> = wanted
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| Edit { key, value, sensitive: None })
            .collect();
        check_values(&edits, rule, &mut problems);
        AppError::check(problems)?;
        let (target, redeploy) = (to.target.unwrap_or(EnvTarget::All), to.redeploy);
        let (app, writer, owner) = (self.clone(), actor.clone(), project.clone());
        let counts = self
            .db
            .write(move |c| -> Result<_, AppError> {
                let current = app.project_to_change(c, &owner, redeploy)?;
                let touched = app.change_env(c, &writer, &current, target, &edits, rule)?;
                Ok(Counts::from(&touched))
            })
            .await?;
        let mut changed = unrepeated(&project, counts);
        changed.deployment =
            self.env_changed(actor, &project, counts != Counts::default(), redeploy).await;
        Ok(changed)
    }

    /// Removes a variable.
    ///
    /// # Errors
    /// `Invalid`, a conflict `project_paused`, no such project or variable.
    pub async fn remove_variable(
        &self,
        actor: &Actor,
        to: ChangeTo<'_>,
        key: &str,
        problems: Problems,
        terms: &Terms<()>,
    ) -> Result<Changed<()>, AppError> {
        let project = self.project_for(actor, Action::EnvWrite, to.project).await?;
        AppError::check(problems)?;
        let (target, redeploy) = (to.target.unwrap_or(EnvTarget::All), to.redeploy);
        let (app, writer, owner, within) =
            (self.clone(), actor.clone(), project.clone(), terms.clone());
        let edit = Edit { key: key.to_owned(), value: None, sensitive: None };
        self.db
            .write(move |c| -> Result<(), AppError> {
                let current = app.project_to_change(c, &owner, redeploy)?;
                if let Some(found) = db::env_vars::find(c, &current.id, target, &edit.key)? {
                    within.check(found.variable.revision)?;
                }
                app.change_env(c, &writer, &current, target, &[edit], Rule::Remove)?;
                Ok(())
            })
            .await?;
        let mut changed = unrepeated(&project, ());
        changed.deployment = self.env_changed(actor, &project, true, redeploy).await;
        Ok(changed)
    }

    /// The project as it is in the transaction of a change.
    fn project_to_change(
        &self,
        connection: &Connection,
        project: &Project,
        redeploy: bool,
    ) -> Result<Project, AppError> {
        let current = db::projects::find(connection, &project.id)?
            .ok_or_else(|| AppError::not_found("project", project.id.as_str()))?;
        // Better nothing is changed than half of what was asked.
        if redeploy && current.paused_at.is_some() {
            return Err(paused());
        }
        Ok(current)
    }

    /// Tells everybody who watches, and repeats the deployment visitors get, or else the last one.
    async fn env_changed(
        &self,
        actor: &Actor,
        project: &Project,
        changed: bool,
        redeploy: bool,
    ) -> Option<DeploymentId> {
        if changed {
            self.bus.send(Change::Project(project.team_id.clone(), project.id.clone()));
        }
        let from = project.live_deployment_id.as_ref().or(project.latest_deployment_id.as_ref());
        let from = from.filter(|_| redeploy)?;
        let (again, problems) = (Again::default(), Problems::default());
        match self.redeploy(actor, from.as_str(), again, problems, &Terms::none()).await {
            Ok(deployment) => Some(deployment.id),
            // The change is made and stays; that nothing was started shows in the answer.
            Err(error) => {
                tracing::warn!(project = %project.id, %error, "a change of variables was not deployed");
                None
            }
        }
    }
}

impl From<&Touched> for Counts {
    fn from(touched: &Touched) -> Self {
        Self {
            created: touched.created.len(),
            updated: touched.updated.len(),
            deleted: touched.deleted.len(),
        }
    }
}

fn unrepeated<T>(project: &Project, outcome: T) -> Changed<T> {
    Changed { outcome, project: project.id.clone(), deployment: None }
}

fn check_terms(terms: &Terms<()>, found: Option<&StoredVar>) -> Result<(), AppError> {
    match found {
        Some(found) => terms.check(found.variable.revision),
        None => terms.check_absent(),
    }
}

/// The change of one variable, checked.
fn single(new: NewVariable, problems: &mut Problems) -> Edit {
    problems.require("value", new.value.as_ref());
    let edit = Edit {
        key: new.key.clone().unwrap_or_default(),
        // A missing one stands in the problems already.
        value: Some(new.value.unwrap_or_default()),
        sensitive: new.sensitive,
    };
    if new.key.is_some() {
        check_values(std::slice::from_ref(&edit), Rule::Set, problems);
    }
    edit
}

/// Notes what is wrong with names and values. No value becomes part of a message.
fn check_values(edits: &[Edit], rule: Rule, problems: &mut Problems) {
    let set: Environment =
        edits.iter().filter_map(|edit| Some((edit.key.clone(), edit.value.clone()?))).collect();
    for problem in env_var::problems(&set) {
        let single = if problem.code == "too_long" { "value" } else { "key" };
        let field = match &problem.key {
            Some(key) => rule.field(key, single),
            None => rule.field("", single).trim_end_matches('.').to_owned(),
        };
        problems.invalid(&field, problem.code, problem.message);
    }
}
