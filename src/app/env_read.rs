//! Variables of projects as they are shown: listed, and revealed with an entry in the audit log.

use serde_json::json;

use super::journal::{self, Deed};
use super::may::{Action, require_scope};
use super::{App, AppError};
use crate::db::env_vars::{EnvFilter, StoredVar};
use crate::db::page::{Page, PageRequest};
use crate::db::{self, Connection};
use crate::model::actor::Actor;
use crate::model::ids::ProjectId;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::project_env::{EnvTarget, EnvVar};

/// A variable as it is shown.
#[derive(Clone)]
pub struct Shown {
    pub variable: EnvVar,
    /// Only when it was asked for and is not sensitive.
    pub value: Option<String>,
}

impl App {
    /// A page of the variables of a project. What is revealed is written into the audit log, by name.
    ///
    /// # Errors
    /// `Invalid`, no such project, or the key lacks `env:read` or, to reveal, `env:reveal`.
    pub async fn variables(
        &self,
        actor: &Actor,
        project: &str,
        filter: EnvFilter,
        page: PageRequest,
        reveal: bool,
        problems: Problems,
    ) -> Result<Page<Shown>, AppError> {
        let project = self.project_to_show(actor, project, reveal).await?;
        AppError::check(problems)?;
        let list = move |c: &Connection, id: &ProjectId| db::env_vars::list(c, id, &filter, page);
        if !reveal {
            let found = self.db.read(move |c| list(c, &project.id)).await?;
            return Ok(found.map(hidden));
        }
        let (app, actor) = (self.clone(), actor.clone());
        self.db
            .write(move |c| {
                let found = list(c, &project.id)?;
                let shown = found.map(|stored| app.shown(&project, stored));
                app.write_revealed(c, &actor, &project, &shown.items)?;
                Ok(shown)
            })
            .await
    }

    /// One variable.
    ///
    /// # Errors
    /// As [`App::variables`], or no such variable.
    pub async fn variable(
        &self,
        actor: &Actor,
        project: &str,
        key: &str,
        target: Option<EnvTarget>,
        reveal: bool,
        problems: Problems,
    ) -> Result<Shown, AppError> {
        let project = self.project_to_show(actor, project, reveal).await?;
        AppError::check(problems)?;
        let (app, actor, key) = (self.clone(), actor.clone(), key.to_owned());
        let target = target.unwrap_or(EnvTarget::All);
        let find = move |c: &Connection, project: &Project| {
            let found = db::env_vars::find(c, &project.id, target, &key)?;
            found.ok_or_else(|| AppError::not_found("env_variable", &key))
        };
        if !reveal {
            return self.db.read(move |c| Ok(hidden(find(c, &project)?))).await;
        }
        self.db
            .write(move |c| {
                let shown = app.shown(&project, find(c, &project)?);
                app.write_revealed(c, &actor, &project, std::slice::from_ref(&shown))?;
                Ok(shown)
            })
            .await
    }

    async fn project_to_show(
        &self,
        actor: &Actor,
        project: &str,
        reveal: bool,
    ) -> Result<Project, AppError> {
        require_scope(actor, Action::EnvRead)?;
        let action = if reveal { Action::EnvReveal } else { Action::EnvRead };
        self.project_for(actor, action, project).await
    }

    fn shown(&self, project: &Project, stored: StoredVar) -> Shown {
        let value = if stored.variable.sensitive { None } else { self.env_value(project, &stored) };
        Shown { value, ..hidden(stored) }
    }

    fn write_revealed(
        &self,
        connection: &Connection,
        actor: &Actor,
        project: &Project,
        shown: &[Shown],
    ) -> Result<(), AppError> {
        let revealed = shown.iter().filter(|shown| shown.value.is_some());
        let keys: Vec<_> = revealed
            .map(|shown| format!("{}.{}", shown.variable.target.as_str(), shown.variable.key))
            .collect();
        if keys.is_empty() {
            return Ok(());
        }
        let deed = Deed::to_project("env.revealed", project, json!(null))
            .changing(json!({ "keys": { "from": null, "to": keys } }));
        let deed = Deed { data: None, ..deed };
        Ok(journal::write(connection, actor, deed, self.clock.now())?)
    }
}

fn hidden(stored: StoredVar) -> Shown {
    Shown { variable: stored.variable, value: None }
}
