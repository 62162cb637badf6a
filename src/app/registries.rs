//! Credentials of a team for private registries of images.

use serde_json::json;

use super::journal::{self, Deed};
use super::may::{Action, require_scope};
use super::terms::Terms;
use super::{App, AppError};
use crate::crypto::random;
use crate::db::page::{Page, PageRequest};
use crate::db::{self, DbError};
use crate::model::actor::Actor;
use crate::model::audit::{self, Party};
use crate::model::ids::RegistryId;
use crate::model::image_reference::{registry_host, server_of};
use crate::model::problems::Problems;
use crate::model::registry::{LONGEST_PASSWORD, MOST, Registry, is_password, is_username};

/// Credentials to keep. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Default)]
pub struct NewRegistry {
    pub host: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
}

impl App {
    /// Keeps the credentials for a registry.
    ///
    /// # Errors
    /// `Invalid`, or a conflict `key_exists` when the team has some for this host.
    pub async fn create_registry(
        &self,
        actor: &Actor,
        new: NewRegistry,
        mut problems: Problems,
        terms: &Terms<Registry>,
    ) -> Result<Registry, AppError> {
        of_the_team(actor, Action::ProjectsWrite)?;
        terms.admit(self, None).await?;
        problems.require("host", new.host.as_ref());
        problems.require("username", new.username.as_ref());
        problems.require("password", new.password.as_ref());
        let host = new.host.as_deref().and_then(|host| self.checked_host(host, &mut problems));
        if new.username.as_deref().is_some_and(|name| !is_username(name)) {
            let message = "1 to 255 characters without control characters and colons.";
            problems.invalid("username", "format", message);
        }
        if new.password.as_deref().is_some_and(|password| !is_password(password)) {
            let message = format!("1 to {LONGEST_PASSWORD} bytes.");
            problems.invalid("password", "format", message);
        }
        AppError::check(problems)?;
        let registry = Registry {
            id: RegistryId::from_random(random::bytes()),
            team_id: actor.team_id.clone(),
            host: host.unwrap_or_default(),
            username: new.username.unwrap_or_default(),
            created_at: self.clock.now(),
        };
        let password = new.password.unwrap_or_default();
        let sealed =
            self.secrets.seal(&db::registries::identity(&registry.id), password.as_bytes());
        let (app, actor, terms, stored) =
            (self.clone(), actor.clone(), terms.clone(), registry.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                if db::registries::count(c, &stored.team_id)? >= MOST {
                    let mut problems = Problems::default();
                    let message = "A team may have 100 registries. Delete one first.";
                    problems.invalid("host", "out_of_range", message);
                    return Err(AppError::Invalid(problems));
                }
                match db::registries::insert(c, &stored, &sealed) {
                    Err(DbError::Unique(_)) => return Err(exists(&stored.host)),
                    other => other?,
                }
                let changes = audit::changes(&json!({}), &shown(&stored));
                let deed = deed("registry.created", &stored).changing(changes);
                journal::write(c, &actor, deed, stored.created_at)?;
                terms.settle(&app, c, &stored)
            })
            .await?;
        Ok(registry)
    }

    /// The registry in its normal form, when it may be reached.
    fn checked_host(&self, host: &str, problems: &mut Problems) -> Option<String> {
        let Some(host) = registry_host(host) else {
            let message =
                "A host name with or without a port, such as `registry.example.com:5000`.";
            problems.invalid("host", "format", message);
            return None;
        };
        let (server, port) = server_of(&host);
        let reachable = self.egress.check_host(server).and(self.egress.check_port(server, port));
        if reachable.is_err() {
            let message = "This address may not be reached from this server.";
            problems.invalid("host", "url_not_allowed", message);
        }
        Some(host)
    }

    /// A page of what the actor's team has, without passwords.
    ///
    /// # Errors
    /// The key lacks `projects:read` or is limited to some projects.
    pub async fn registries(
        &self,
        actor: &Actor,
        page: PageRequest,
    ) -> Result<Page<Registry>, AppError> {
        of_the_team(actor, Action::ProjectsRead)?;
        let team = actor.team_id.clone();
        self.db.read(move |c| Ok(db::registries::list(c, &team, page)?)).await
    }

    /// Forgets credentials. What was deployed with them stays.
    ///
    /// # Errors
    /// The team has none of this id.
    pub async fn delete_registry(
        &self,
        actor: &Actor,
        id: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        of_the_team(actor, Action::ProjectsWrite)?;
        let missing = AppError::not_found("registry", id);
        let Some(wanted) = RegistryId::parse(id) else { return Err(missing) };
        let (actor, terms, now) = (actor.clone(), terms.clone(), self.clock.now());
        self.db
            .write(move |c| -> Result<(), AppError> {
                let found = db::registries::find(c, &actor.team_id, &wanted)?;
                let Some(found) = found else { return Err(missing) };
                // Nothing of it ever changes.
                terms.check(1)?;
                db::registries::delete(c, &found.id)?;
                let changes = audit::changes(&shown(&found), &json!({}));
                let deed = deed("registry.deleted", &found).changing(changes);
                Ok(journal::write(c, &actor, deed, now)?)
            })
            .await
    }
}

/// Credentials are the team's, not one project's.
fn of_the_team(actor: &Actor, action: Action) -> Result<(), AppError> {
    require_scope(actor, action)?;
    if actor.sees_all_projects() {
        return Ok(());
    }
    Err(AppError::Forbidden {
        reason: "missing_scope",
        message: "This key is limited to some projects; registries belong to the team.".to_owned(),
        details: json!({ "required_scopes": [action.scope()] }),
    })
}

fn shown(registry: &Registry) -> serde_json::Value {
    json!({ "host": registry.host, "username": registry.username })
}

fn deed<'a>(action: &'static str, registry: &'a Registry) -> Deed<'a> {
    Deed {
        action,
        team: &registry.team_id,
        project: None,
        target: Party::new("registry", &registry.id, &registry.host),
        changes: json!({}),
        data: None,
    }
}

fn exists(host: &str) -> AppError {
    AppError::Conflict {
        reason: "key_exists",
        message: format!("There are credentials for {host}. Delete them first."),
        details: json!({ "host": host }),
    }
}
