//! Projects: made, listed, changed, deleted.

use serde_json::json;

use super::api_keys::deed;
use super::journal::{self, Deed};
use super::may::{Action, Decision, Resource, may, require_scope};
use super::project_rules::{self, ProjectPatch};
use super::terms::Terms;
use super::{App, AppError, users};
use crate::crypto::{random, token};
use crate::db::page::{Page, PageRequest};
use crate::db::projects::ProjectFilter;
use crate::db::{self, DbError};
use crate::events::Change;
use crate::model::actor::{Actor, Via};
use crate::model::audit;
use crate::model::deployment::CancelReason;
use crate::model::event;
use crate::model::hostname;
use crate::model::ids::ProjectId;
use crate::model::problems::Problems;
use crate::model::project::{BuildSettings, Project, RuntimeSettings, SourceSettings};

fn taken(name: &str) -> AppError {
    AppError::Conflict {
        reason: "name_taken",
        message: format!("The name `{name}` is taken."),
        details: json!({ "name": name }),
    }
}

impl App {
    /// Makes a project.
    ///
    /// # Errors
    /// `Invalid`, or a conflict `name_taken`.
    pub async fn create_project(
        &self,
        actor: &Actor,
        new: ProjectPatch,
        mut problems: Problems,
        terms: &Terms<Project>,
    ) -> Result<Project, AppError> {
        require_scope(actor, Action::ProjectsWrite)?;
        terms.admit(self, None).await?;
        problems.require("name", new.name.as_ref());
        problems.require("region", new.region.as_ref());
        let now = self.clock.now();
        let mut project = Project {
            id: ProjectId::from_random(random::bytes()),
            team_id: actor.team_id.clone(),
            name: String::new(),
            region: new.region.clone().unwrap_or_default(),
            framework: None,
            description: None,
            source: SourceSettings { root_dir: "/".to_owned(), ..SourceSettings::default() },
            build: BuildSettings::default(),
            runtime: RuntimeSettings::default(),
            auto_deploy: true,
            preview_deployments: false,
            keep_images: 5,
            live_deployment_id: None,
            latest_deployment_id: None,
            live_crashed: false,
            pending_redeploy: false,
            paused_at: None,
            release_paused_at: None,
            network_index: 0,
            created_at: now,
            updated_at: now,
            revision: 1,
        };
        if let Some(region) = &new.region {
            project_rules::check_region(region, &mut problems);
        }
        for field in new.read_only.keys() {
            problems.invalid(field, "read_only", "This field is set by Orbitra.");
        }
        project_rules::apply(&new, &mut project, &self.egress, &mut problems);
        AppError::check(problems)?;
        hash_login(&new, &mut project).await?;
        if let Via::ApiKey { project_ids, .. } = &actor.via
            && !project_ids.is_empty()
        {
            return Err(AppError::Forbidden {
                reason: "missing_scope",
                message: "This key is limited to other projects.".to_owned(),
                details: json!({ "required_scopes": [Action::ProjectsWrite.scope()] }),
            });
        }
        let stored = project.clone();
        let (app, actor, terms) = (self.clone(), actor.clone(), terms.clone());
        self.db
            .write(move |c| {
                match db::projects::insert(c, &stored) {
                    Err(DbError::Unique(_)) => return Err(taken(&stored.name)),
                    other => other?,
                }
                app.write_credentials(c, &stored, None)?;
                let data = event::project_created(&stored);
                let deed = Deed::to_project("project.created", &stored, data);
                journal::write(c, &actor, deed, now)?;
                terms.settle(&app, c, &stored)
            })
            .await?;
        self.changed(&project);
        // Its host name answers that it is being set up.
        self.routes.wake();
        Ok(project)
    }

    /// A page of the projects this actor sees. `filter.team` narrows it further; `filter.only` is set here.
    ///
    /// # Errors
    /// The key lacks `projects:read`.
    pub async fn projects(
        &self,
        actor: &Actor,
        mut filter: ProjectFilter,
        page: PageRequest,
    ) -> Result<Page<Project>, AppError> {
        require_scope(actor, Action::ProjectsRead)?;
        if !actor.instance_admin {
            if filter.team.as_ref().is_some_and(|team| *team != actor.team_id) {
                return Ok(Page { items: Vec::new(), total: 0 });
            }
            filter.team = Some(actor.team_id.clone());
        }
        if let Via::ApiKey { project_ids, .. } = &actor.via {
            filter.only = project_ids.clone();
        }
        self.db.read(move |c| Ok(db::projects::list(c, &filter, page)?)).await
    }

    /// A project by id or name.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `projects:read`.
    pub async fn project(&self, actor: &Actor, id_or_name: &str) -> Result<Project, AppError> {
        self.project_for(actor, Action::ProjectsRead, id_or_name).await
    }

    /// A name like this one that no project has: `web-2` for `web`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn free_name(&self, name: &str) -> Result<Option<String>, AppError> {
        let stem: String = name.chars().take(37).collect();
        let stem = stem.trim_end_matches('-').to_owned();
        self.db
            .read(move |c| {
                for number in 2..100 {
                    let candidate = format!("{stem}-{number}");
                    if db::projects::find_by_name(c, &candidate)?.is_none() {
                        return Ok(Some(candidate));
                    }
                }
                Ok(None)
            })
            .await
    }

    /// A project by id or name, for an action.
    pub(super) async fn project_for(
        &self,
        actor: &Actor,
        action: Action,
        id_or_name: &str,
    ) -> Result<Project, AppError> {
        require_scope(actor, action)?;
        let wanted = id_or_name.to_owned();
        let found = self
            .db
            .read(move |c| match ProjectId::parse(&wanted) {
                Some(id) => db::projects::find(c, &id),
                None => db::projects::find_by_name(c, &wanted),
            })
            .await?;
        found
            .filter(|project| {
                let resource = Resource::Project { team: &project.team_id, id: &project.id };
                may(actor, action, resource) == Decision::Allow
            })
            .ok_or_else(|| AppError::not_found("project", id_or_name))
    }

    /// Changes settings; they count from the next deployment on. `revision` guards against a change in between.
    ///
    /// # Errors
    /// `Invalid`, a conflict `name_taken`, or no such project.
    pub async fn update_project(
        &self,
        actor: &Actor,
        id_or_name: &str,
        patch: ProjectPatch,
        problems: Problems,
        terms: &Terms<Project>,
    ) -> Result<Project, AppError> {
        // Somebody may change the project between reading and writing it: then it is read again.
        for _ in 0..8 {
            let current = self.project_for(actor, Action::ProjectsWrite, id_or_name).await?;
            terms.admit(self, Some(current.revision)).await?;
            let mut patch = patch.clone();
            if let Some(Some(url)) = &mut patch.git_url {
                *url = self.stored_source(&current, url);
            }
            let mut problems = problems.clone();
            let mut project = current.clone();
            let host = hostname::of_project(&current.name, self.hosts.base_domain());
            let read_only = json!({
                "id": current.id, "status": current.status().as_str(), "created_at": current.created_at,
                "updated_at": current.updated_at, "team_id": current.team_id,
                "url": self.hosts.url_of(&host), "domains": [host], "pending_redeploy": current.pending_redeploy,
                "live_deployment_id": current.live_deployment_id, "latest_deployment_id": current.latest_deployment_id,
                "release_paused_at": current.release_paused_at,
            });
            if patch.region.as_ref().is_some_and(|region| *region != current.region) {
                problems.invalid(
                    "region",
                    "immutable",
                    "The region of a project cannot be changed.",
                );
            }
            for (field, sent) in &patch.read_only {
                if read_only.get(field) != Some(sent) {
                    problems.invalid(field, "read_only", "This field is set by Orbitra.");
                }
            }
            project_rules::apply(&patch, &mut project, &self.egress, &mut problems);
            AppError::check(problems)?;
            hash_login(&patch, &mut project).await?;
            let changed = audit::changes(&settings(&current), &settings(&project));
            if changed.as_object().is_none_or(serde_json::Map::is_empty) {
                return Ok(current);
            }
            project.updated_at = self.clock.now();
            let (app, stored, actor) = (self.clone(), project.clone(), actor.clone());
            let written = self
                .db
                .write(move |c| -> Result<Option<Project>, AppError> {
                    match db::projects::update(c, &stored) {
                        Ok(()) => {}
                        Err(DbError::Stale) => return Ok(None),
                        Err(DbError::Unique(_)) => return Err(taken(&stored.name)),
                        Err(other) => return Err(other.into()),
                    }
                    app.write_credentials(c, &stored, None)?;
                    let names: Vec<_> = changed
                        .as_object()
                        .into_iter()
                        .flat_map(|changed| changed.keys())
                        .collect();
                    let data = event::project_changed(&stored, &names);
                    let deed = Deed::to_project("project.updated", &stored, data);
                    journal::write(c, &actor, deed.changing(changed), stored.updated_at)?;
                    Ok(db::projects::find(c, &stored.id)?)
                })
                .await?;
            if let Some(project) = written {
                self.changed(&project);
                self.routes.wake();
                return Ok(project);
            }
        }
        Err(AppError::Unavailable {
            reason: "maintenance",
            message: "The project is being changed. Try again.",
        })
    }

    /// Deletes a project: it is gone for everybody at once; the pipeline ends its builds and removes what is on the engine.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `projects:write`.
    pub async fn delete_project(
        &self,
        actor: &Actor,
        id_or_name: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        let project = self.project_for(actor, Action::ProjectsWrite, id_or_name).await?;
        terms.admit(self, Some(project.revision)).await?;
        let now = self.clock.now();
        let (deleted, actor, terms) = (project.clone(), actor.clone(), terms.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                if let Some(current) = db::projects::find(c, &deleted.id)? {
                    terms.check(current.revision)?;
                }
                match db::projects::mark_deleted(c, &deleted.id, now) {
                    Err(DbError::Stale) => {
                        return Err(AppError::not_found("project", deleted.id.as_str()));
                    }
                    other => other?,
                }
                for deployment in db::deployments::of_project(c, &deleted.id)? {
                    if deployment.state.unfinished() {
                        let reason = CancelReason::ProjectDeleted;
                        db::transitions::request_cancel(c, &deployment.id, reason)?;
                    }
                }
                for token in db::api_keys::revoke_of_project(c, &deleted.id, now)? {
                    let deed = deed("api_key.revoked", &actor, &token, Some(&deleted));
                    journal::write(c, &actor, deed, now)?;
                }
                let data =
                    json!({ "project_id": deleted.id, "name": deleted.name, "deleted_at": now });
                let deed = Deed::to_project("project.deleted", &deleted, data);
                Ok(journal::write(c, &actor, deed, now)?)
            })
            .await?;
        self.changed(&project);
        self.routes.wake();
        self.pipeline.wake();
        Ok(())
    }

    fn changed(&self, project: &Project) {
        self.bus.send(Change::Project(project.team_id.clone(), project.id.clone()));
        self.bus.send(Change::Team(project.team_id.clone()));
    }
}

/// Puts the hash of a password that was sent into the project.
async fn hash_login(patch: &ProjectPatch, project: &mut Project) -> Result<(), AppError> {
    let sent = patch.login.as_ref().and_then(Option::as_ref);
    let password = sent.and_then(|sent| sent.password.clone());
    if let (Some(password), Some(login)) = (password, &mut project.runtime.proxy.login) {
        login.hash = users::hash_password(password).await?;
    }
    Ok(())
}

/// What of a project can be changed, as the audit log shows it.
fn settings(project: &Project) -> serde_json::Value {
    let mut project = project.clone();
    // That it is another one is to be seen, and nothing more.
    if let Some(login) = &mut project.runtime.proxy.login {
        login.hash = token::hex(&token::hash(&login.hash)[..4]);
    }
    json!({
        "name": project.name, "framework": project.framework, "description": project.description,
        "source": project.source, "build": project.build, "runtime": project.runtime,
        "auto_deploy": project.auto_deploy, "preview_deployments": project.preview_deployments,
        "keep_images": project.keep_images,
    })
}
