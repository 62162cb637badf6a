//! API keys: made, listed, revoked.

use serde_json::json;

use super::journal::{self, Deed};
use super::key_rules::{self, check_within};
use super::may::{Action, require_scope};
use super::terms::Terms;
use super::{App, AppError};
use crate::crypto::{random, token};
use crate::db::{
    self, DbError,
    api_keys::{KeyFilter, Owner},
    page::{Page, PageRequest},
};
use crate::model::actor::{Actor, Via};
use crate::model::api_key::{ApiKey, KeyKind};
use crate::model::audit::Party;
use crate::model::ids::{KeyId, ProjectId};
use crate::model::key_limits::Limits;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::scope::Scopes;
use crate::model::timestamp::Timestamp;

/// How long expired and revoked keys stay in the list, in milliseconds: 90 days.
const KEPT: i64 = 90 * 86_400_000;

/// A key to make. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    pub name: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub expires_at: Option<String>,
    pub allowed_ips: Vec<String>,
    pub project_ids: Vec<String>,
}

impl App {
    /// Makes a key; the key itself is in the answer and nowhere else.
    ///
    /// # Errors
    /// `Invalid`, or `Forbidden` with `scope_escalation` when it would carry more than the calling key.
    pub async fn create_key(
        &self,
        actor: &Actor,
        new: NewKey,
        mut problems: Problems,
        terms: &Terms<(ApiKey, String)>,
    ) -> Result<(ApiKey, String), AppError> {
        require_scope(actor, Action::KeysWrite)?;
        let projects = self.key_projects(actor, &new.project_ids, &[], &mut problems).await?;
        let draft = self.draft_key(new, &Scopes::full(), projects, &mut problems);
        check_within(actor, &draft.limits)?;
        // After that: a stored answer holds a key, which a weaker caller must not get by repeating.
        terms.admit(self, None).await?;
        AppError::check(problems)?;
        self.insert_key(actor, draft, None, terms).await
    }

    /// Checks the fields of a new key. `known` are the scopes it can have.
    pub(super) fn draft_key(
        &self,
        new: NewKey,
        known: &Scopes,
        project_ids: Vec<ProjectId>,
        problems: &mut Problems,
    ) -> Draft {
        problems.require("name", new.name.as_ref());
        problems.require("scopes", new.scopes.as_ref());
        let name = new.name.map(|name| name.trim().to_owned());
        if let Some(name) = &name {
            key_rules::name(name, problems);
        }
        let scopes = new.scopes.map(|words| key_rules::scopes(&words, known, problems));
        let now = self.clock.now();
        let expires_at =
            new.expires_at.and_then(|text| key_rules::expires_at(&text, now, problems));
        key_rules::allowed_ips(&new.allowed_ips, problems);
        let limits = Limits {
            scopes: scopes.unwrap_or_default(),
            allowed_ips: new.allowed_ips,
            project_ids,
            expires_at,
        };
        Draft { name: name.unwrap_or_default(), limits }
    }

    /// Makes a key for an account; for the operator's command line.
    ///
    /// # Errors
    /// An unknown scope, or no such account.
    pub async fn create_key_for(
        &self,
        who: &str,
        name: &str,
        words: &[String],
    ) -> Result<(ApiKey, String), AppError> {
        let user = self.find_user(who).await?;
        let mut problems = Problems::default();
        let new = NewKey {
            name: Some(name.to_owned()),
            scopes: Some(words.to_vec()),
            ..NewKey::default()
        };
        let draft = self.draft_key(new, &Scopes::full(), Vec::new(), &mut problems);
        AppError::check(problems)?;
        self.insert_key(&Actor::operator_for(&user), draft, None, &Terms::none()).await
    }

    /// Stores a new key: a token of `project`, or a key of the actor's account.
    pub(super) async fn insert_key(
        &self,
        actor: &Actor,
        draft: Draft,
        project: Option<Project>,
        terms: &Terms<(ApiKey, String)>,
    ) -> Result<(ApiKey, String), AppError> {
        let kind = if project.is_some() { KeyKind::Project } else { KeyKind::User };
        let now = self.clock.now();
        let made = new_key(actor, kind, draft, now);
        let hash = token::hash(&made.1);
        let (stored, app, actor, terms) =
            (made.clone(), self.clone(), actor.clone(), terms.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                if let Some(project) = &project
                    && db::projects::find(c, &project.id)?.is_none()
                {
                    return Err(AppError::not_found("project", project.id.as_str()));
                }
                db::api_keys::insert(c, &stored.0, &hash)?;
                let deed = deed("api_key.created", &actor, &stored.0, project.as_ref());
                journal::write(c, &actor, deed, now)?;
                terms.settle(&app, c, &stored)
            })
            .await?;
        Ok(made)
    }

    /// Keys of the actor's account; a key that is limited to projects sees only keys that are limited to them.
    ///
    /// # Errors
    /// The key lacks `keys:read`.
    pub async fn keys(
        &self,
        actor: &Actor,
        mut filter: KeyFilter,
        page: PageRequest,
    ) -> Result<Page<ApiKey>, AppError> {
        require_scope(actor, Action::KeysRead)?;
        if let Via::ApiKey { project_ids, .. } = &actor.via {
            filter.only_projects = project_ids.clone();
        }
        let (owner, now) = (Owner::User(actor.user_id.clone()), self.clock.now());
        self.db.read(move |c| Ok(db::api_keys::list(c, &owner, &filter, now, page)?)).await
    }

    /// One key of the actor's account.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `keys:read`.
    pub async fn key(&self, actor: &Actor, id: &str) -> Result<ApiKey, AppError> {
        require_scope(actor, Action::KeysRead)?;
        self.own_key(actor, id).await
    }

    pub(super) async fn own_key(&self, actor: &Actor, id: &str) -> Result<ApiKey, AppError> {
        let missing = || AppError::not_found("api_key", id);
        let key = KeyId::parse(id).ok_or_else(missing)?;
        let user = actor.user_id.clone();
        let found = self.db.read(move |c| db::api_keys::find(c, &user, &key)).await?;
        found.filter(|key| key.project().is_none() && sees(actor, key)).ok_or_else(missing)
    }

    /// Revokes a key; a key may revoke itself. Already revoked is success.
    ///
    /// # Errors
    /// There is none, or the key lacks `keys:write`.
    pub async fn revoke_key(
        &self,
        actor: &Actor,
        id: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        require_scope(actor, Action::KeysWrite)?;
        let key = self.own_key(actor, id).await?;
        self.revoke(actor, key, None, terms).await
    }

    pub(super) async fn revoke(
        &self,
        actor: &Actor,
        key: ApiKey,
        project: Option<Project>,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        terms.admit(self, Some(key.revision)).await?;
        let now = self.clock.now();
        let (actor, terms) = (actor.clone(), terms.clone());
        self.db
            .write(move |c| {
                let current = db::api_keys::find(c, &key.user_id, &key.id)?;
                terms.check(current.map_or(key.revision, |key| key.revision))?;
                match db::api_keys::revoke(c, &key.id, now) {
                    // It is revoked already.
                    Err(DbError::Stale) => return Ok(()),
                    other => other?,
                }
                let deed = deed("api_key.revoked", &actor, &key, project.as_ref());
                Ok(journal::write(c, &actor, deed, now)?)
            })
            .await
    }

    /// Removes keys that expired or were revoked long ago.
    pub async fn forget_old_keys(&self) {
        let until = Timestamp(self.clock.now().0 - KEPT);
        let removed = self.db.write(move |c| db::api_keys::delete_ended(c, until)).await;
        if let Err(error) = removed {
            tracing::warn!(%error, "old keys could not be removed");
        }
    }
}

/// What a new key is made of.
pub(super) struct Draft {
    pub name: String,
    pub limits: Limits,
}

/// A new key of the actor's account, with the key itself.
pub(super) fn new_key(
    actor: &Actor,
    kind: KeyKind,
    draft: Draft,
    now: Timestamp,
) -> (ApiKey, String) {
    let secret = token::new_key(kind);
    let Limits { scopes, allowed_ips, project_ids, expires_at } = draft.limits;
    let key = ApiKey {
        id: KeyId::from_random(random::bytes()),
        user_id: actor.user_id.clone(),
        kind,
        name: draft.name,
        prefix: secret[..9].to_owned(),
        last4: secret[37..].to_owned(),
        scopes,
        allowed_ips,
        project_ids,
        expires_at,
        last_used_at: None,
        last_used_ip: None,
        created_at: now,
        revoked_at: None,
        revision: 1,
    };
    (key, secret)
}

/// Whether a key lies within the projects the actor's own key is limited to.
fn sees(actor: &Actor, key: &ApiKey) -> bool {
    actor.sees_all_projects()
        || (!key.project_ids.is_empty() && key.project_ids.iter().all(|id| actor.sees_project(id)))
}

/// Something done to a key of the actor's account, or to a token of a project.
pub(super) fn deed<'a>(
    action: &'static str,
    actor: &'a Actor,
    key: &ApiKey,
    project: Option<&'a Project>,
) -> Deed<'a> {
    let data = json!({
        "api_key_id": key.id, "project_id": project.map(|project| &project.id), "actor_id": actor.user_id,
    });
    Deed {
        action,
        team: project.map_or(&actor.team_id, |project| &project.team_id),
        project: project.map(|project| &project.id),
        target: Party::new("api_key", &key.id, &key.name),
        changes: json!({}),
        data: Some(data),
    }
}
