//! Where a project's code comes from, and what it is read with.

use serde_json::{Map, Value, json};

use super::journal::{self, Deed};
use super::may::Action;
use super::source_rules::{self, NewSource};
use super::terms::Terms;
use super::{App, AppError};
use crate::crypto::ssh_key::{SshSeed, fingerprint};
use crate::db::deploy_keys::StoredKey;
use crate::db::source_credentials::StoredToken;
use crate::db::{self, Connection, DbError};
use crate::events::Change;
use crate::model::actor::Actor;
use crate::model::audit;
use crate::model::event;
use crate::model::problems::Problems;
use crate::model::project::{Project, SourceAuth};

/// The public half of a project's key.
#[derive(Clone, Debug)]
pub struct DeployKey {
    pub project: Project,
    pub key: StoredKey,
}

impl App {
    /// Sets where a project's code comes from. A token that is not sent stays when the server is the same.
    ///
    /// # Errors
    /// `Invalid`, or there is none that this actor sees.
    pub async fn set_source(
        &self,
        actor: &Actor,
        project: &str,
        new: NewSource,
        problems: Problems,
        terms: &Terms<Project>,
    ) -> Result<Project, AppError> {
        // Somebody may change the project between reading and writing it: then it is read again.
        for _ in 0..8 {
            let current = self.project_for(actor, Action::ProjectsWrite, project).await?;
            terms.admit(self, Some(current.revision)).await?;
            let mut problems = problems.clone();
            let mut new = new.clone();
            if let Some(url) = &mut new.git_url {
                *url = self.stored_source(&current, url);
            }
            let (own, egress) = (&current.id, &self.egress);
            let source = source_rules::check(&current.source, &new, own, egress, &mut problems);
            AppError::check(problems)?;
            let mut changed =
                audit::changes(&json!({ "source": current.source }), &json!({ "source": source }));
            if let (Some(_), Value::Object(changed)) = (&new.token, &mut changed) {
                let before = if current.source.auth == SourceAuth::Token {
                    json!("***")
                } else {
                    Value::Null
                };
                changed.insert("source.token".to_owned(), json!({ "from": before, "to": "***" }));
            }
            if changed.as_object().is_none_or(Map::is_empty) {
                return Ok(current);
            }
            let stored = Project { source, updated_at: self.clock.now(), ..current };
            let (app, actor, token) = (self.clone(), actor.clone(), new.token.clone());
            let written = self
                .db
                .write(move |c| -> Result<Option<Project>, AppError> {
                    match db::projects::update(c, &stored) {
                        Err(DbError::Stale) => return Ok(None),
                        other => other?,
                    }
                    app.write_credentials(c, &stored, token.as_deref())?;
                    let names: Vec<_> =
                        changed.as_object().into_iter().flat_map(Map::keys).collect();
                    let data = event::project_changed(&stored, &names);
                    let deed = Deed::to_project("project.updated", &stored, data);
                    journal::write(c, &actor, deed.changing(changed), stored.updated_at)?;
                    Ok(db::projects::find(c, &stored.id)?)
                })
                .await?;
            if let Some(project) = written {
                self.bus.send(Change::Project(project.team_id.clone(), project.id.clone()));
                return Ok(project);
            }
        }
        Err(AppError::Unavailable {
            reason: "maintenance",
            message: "The project is being changed. Try again.",
        })
    }

    /// What is stored for an address that was sent as the source of a project.
    pub(super) fn stored_source(&self, project: &Project, sent: &str) -> String {
        self.hosts.stored_source(sent, &project.id, &project.name)
    }

    /// Makes what is stored of credentials fit a project's source: a token that came with it, none where none is
    /// used, and a key where one is.
    pub(super) fn write_credentials(
        &self,
        connection: &Connection,
        project: &Project,
        token: Option<&str>,
    ) -> Result<(), DbError> {
        let now = project.updated_at;
        match (project.source.auth, token) {
            (SourceAuth::Token, Some(token)) => {
                let origin =
                    source_rules::origin(&project.source, &self.egress).unwrap_or_default();
                let identity = db::source_credentials::identity(&project.id, &origin);
                let sealed = self.secrets.seal(&identity, token.as_bytes());
                let stored = StoredToken { origin, sealed };
                db::source_credentials::set(connection, &project.id, &stored, now)?;
            }
            (SourceAuth::Token, None) => {}
            _ => {
                db::source_credentials::remove(connection, &project.id)?;
            }
        }
        if project.source.auth == SourceAuth::DeployKey {
            self.deploy_key_of(connection, project)?;
        }
        Ok(())
    }

    /// The key of a project, made when it has none yet.
    fn deploy_key_of(&self, c: &Connection, project: &Project) -> Result<StoredKey, DbError> {
        match db::deploy_keys::find(c, &project.id)? {
            Some(key) => Ok(key),
            None => self.new_deploy_key(c, project, 1),
        }
    }

    fn new_deploy_key(
        &self,
        connection: &Connection,
        project: &Project,
        revision: i64,
    ) -> Result<StoredKey, DbError> {
        let seed = SshSeed::new();
        let sealed = self.secrets.seal(&db::deploy_keys::identity(&project.id), &seed.0);
        let created_at = self.clock.now();
        let key = StoredKey { public: seed.public(), sealed, created_at, revision };
        db::deploy_keys::set(connection, &project.id, &key)?;
        Ok(key)
    }

    /// The public half of a project's key. The first time, it is made.
    ///
    /// # Errors
    /// There is no project that this actor sees, or the key lacks `projects:read`.
    pub async fn deploy_key(&self, actor: &Actor, project: &str) -> Result<DeployKey, AppError> {
        let project = self.project_for(actor, Action::ProjectsRead, project).await?;
        let id = project.id.clone();
        if let Some(key) = self.db.read(move |c| db::deploy_keys::find(c, &id)).await? {
            return Ok(DeployKey { project, key });
        }
        let (app, owner) = (self.clone(), project.clone());
        let key = self
            .db
            .write(move |c| -> Result<StoredKey, AppError> {
                // Deleted meanwhile, it would be a row that hangs on nothing.
                let missing = || AppError::not_found("project", owner.id.as_str());
                db::projects::find(c, &owner.id)?.ok_or_else(missing)?;
                Ok(app.deploy_key_of(c, &owner)?)
            })
            .await?;
        Ok(DeployKey { project, key })
    }

    /// Makes a new key in the place of the project's. The old one is gone at once.
    ///
    /// # Errors
    /// There is no project that this actor sees, or the key lacks `projects:write`.
    pub async fn rotate_deploy_key(
        &self,
        actor: &Actor,
        project: &str,
        terms: &Terms<DeployKey>,
    ) -> Result<DeployKey, AppError> {
        let found = self.project_for(actor, Action::ProjectsWrite, project).await?;
        let id = found.id.clone();
        let old = self.db.read(move |c| db::deploy_keys::find(c, &id)).await?;
        terms.admit(self, Some(old.map_or(0, |key| key.revision))).await?;
        let (app, actor, terms) = (self.clone(), actor.clone(), terms.clone());
        let made = self
            .db
            .write(move |c| -> Result<DeployKey, AppError> {
                let missing = || AppError::not_found("project", found.id.as_str());
                let project = db::projects::find(c, &found.id)?.ok_or_else(missing)?;
                let old = db::deploy_keys::find(c, &project.id)?;
                let revision = old.as_ref().map_or(0, |key| key.revision);
                terms.check(revision)?;
                let key = app.new_deploy_key(c, &project, revision + 1)?;
                let changes = json!({ "source.deploy_key": {
                    "from": old.map(|old| fingerprint(&old.public)), "to": fingerprint(&key.public),
                } });
                let data = event::project_changed(&project, &["source.deploy_key"]);
                let deed = Deed::to_project("project.updated", &project, data).changing(changes);
                journal::write(c, &actor, deed, key.created_at)?;
                let made = DeployKey { project, key };
                terms.settle(&app, c, &made)?;
                Ok(made)
            })
            .await?;
        let project = &made.project;
        self.bus.send(Change::Project(project.team_id.clone(), project.id.clone()));
        Ok(made)
    }
}
