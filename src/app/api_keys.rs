//! API keys: made, listed, revoked.

use serde_json::json;

use super::may::{Action, require_scope};
use super::{App, AppError, events};
use crate::crypto::{random, token};
use crate::db::{
    self,
    page::{Page, PageRequest},
};
use crate::model::actor::{Actor, Via};
use crate::model::api_key::{ApiKey, KeyKind};
use crate::model::ids::{KeyId, ProjectId, UserId};
use crate::model::network::Network;
use crate::model::problems::Problems;
use crate::model::scope::{self, Scopes};
use crate::model::timestamp::Timestamp;

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
    ) -> Result<(ApiKey, String), AppError> {
        require_scope(actor, Action::KeysWrite)?;
        let now = self.clock.now();
        problems.require("name", new.name.as_ref());
        problems.require("scopes", new.scopes.as_ref());
        if let Some(name) = &new.name
            && problems.length("name", name.trim(), 1, 64)
            && name.chars().any(char::is_control)
        {
            problems.invalid("name", "format", "No control characters.");
        }
        let mut scopes = Scopes::default();
        match new.scopes.as_deref() {
            Some([]) => {
                problems.invalid("scopes", "too_short", "At least one scope.");
            }
            Some(words) => match Scopes::expand(words) {
                Ok(expanded) => scopes = expanded,
                Err(_) => {
                    problems.unknown_value(
                        "scopes",
                        ["read", "deploy", "full"].into_iter().chain(scope::ALL),
                    );
                }
            },
            None => {}
        }
        let expires_at = new.expires_at.as_deref().and_then(|text| match Timestamp::parse(text) {
            Some(at) if at > now => Some(at),
            Some(_) => {
                problems.invalid("expires_at", "out_of_range", "This moment has passed.");
                None
            }
            None => {
                problems.invalid(
                    "expires_at",
                    "format",
                    "An RFC 3339 date-time, such as 2027-01-01T00:00:00Z.",
                );
                None
            }
        });
        if new.allowed_ips.len() > 50
            || !new.allowed_ips.iter().all(|network| Network::parse(network).is_some())
        {
            problems.invalid(
                "allowed_ips",
                "format",
                "At most 50 addresses or networks, such as 203.0.113.0/24.",
            );
        }
        let mut project_ids = Vec::new();
        for text in &new.project_ids {
            match ProjectId::parse(text) {
                Some(id) => match self.project(actor, id.as_str()).await {
                    Ok(project) => project_ids.push(project.id),
                    Err(AppError::NotFound { .. }) => {
                        problems.invalid(
                            "project_ids",
                            "unknown_value",
                            "There is no such project.",
                        );
                    }
                    Err(other) => return Err(other),
                },
                None => {
                    problems.invalid(
                        "project_ids",
                        "format",
                        "Ids of projects, such as prj_7k2m9qhx4t8w1z3c.",
                    );
                }
            }
        }
        self.check_escalation(actor, &scopes, &project_ids, expires_at)?;
        AppError::check(problems)?;
        let name = new.name.unwrap_or_default().trim().to_owned();
        self.insert_key(&actor.user_id, name, scopes, new.allowed_ips, project_ids, expires_at)
            .await
    }

    /// A key may not make one that may more, lives longer or sees more than itself.
    fn check_escalation(
        &self,
        actor: &Actor,
        wanted: &Scopes,
        projects: &[ProjectId],
        expires_at: Option<Timestamp>,
    ) -> Result<(), AppError> {
        let Via::ApiKey { scopes, project_ids, expires_at: own_expiry, .. } = &actor.via else {
            return Ok(());
        };
        let wider = !project_ids.is_empty()
            && (projects.is_empty() || projects.iter().any(|id| !project_ids.contains(id)));
        let longer = own_expiry.is_some_and(|own| expires_at.is_none_or(|wanted| wanted > own));
        if scopes.covers(wanted) && !wider && !longer {
            return Ok(());
        }
        Err(AppError::Forbidden {
            reason: "scope_escalation",
            message: "A key cannot make a key that may do more than itself.".to_owned(),
            details: json!({}),
        })
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
        problems.length("name", name.trim(), 1, 64);
        let scopes = Scopes::expand(words).unwrap_or_else(|_| {
            problems
                .unknown_value("scopes", ["read", "deploy", "full"].into_iter().chain(scope::ALL));
            Scopes::default()
        });
        AppError::check(problems)?;
        self.insert_key(&user.id, name.trim().to_owned(), scopes, vec![], vec![], None).await
    }

    async fn insert_key(
        &self,
        user: &UserId,
        name: String,
        scopes: Scopes,
        allowed_ips: Vec<String>,
        project_ids: Vec<ProjectId>,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiKey, String), AppError> {
        let secret = token::new_key(KeyKind::User);
        let now = self.clock.now();
        let key = ApiKey {
            id: KeyId::from_random(random::bytes()),
            user_id: user.clone(),
            kind: KeyKind::User,
            name,
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
        };
        let hash = token::hash(&secret);
        let stored = key.clone();
        self.db
            .write(move |c| -> Result<(), AppError> {
                db::api_keys::insert(c, &stored, &hash)?;
                append_key_event(c, "api_key.created", &stored, now)
            })
            .await?;
        Ok((key, secret))
    }

    /// Keys of the actor's account, newest first.
    ///
    /// # Errors
    /// The key lacks `keys:read`.
    pub async fn keys(
        &self,
        actor: &Actor,
        statuses: Vec<String>,
        page: PageRequest,
    ) -> Result<Page<ApiKey>, AppError> {
        require_scope(actor, Action::KeysRead)?;
        let (user, now) = (actor.user_id.clone(), self.clock.now());
        self.db.read(move |c| Ok(db::api_keys::list(c, &user, &statuses, now, page)?)).await
    }

    /// One key of the actor's account.
    ///
    /// # Errors
    /// There is none, or the key lacks `keys:read`.
    pub async fn key(&self, actor: &Actor, id: &str) -> Result<ApiKey, AppError> {
        require_scope(actor, Action::KeysRead)?;
        self.own_key(actor, id).await
    }

    async fn own_key(&self, actor: &Actor, id: &str) -> Result<ApiKey, AppError> {
        let missing = || AppError::not_found("api_key", id);
        let key = KeyId::parse(id).ok_or_else(missing)?;
        let user = actor.user_id.clone();
        let found = self.db.read(move |c| db::api_keys::find(c, &user, &key)).await?;
        found.ok_or_else(missing)
    }

    /// Revokes a key; a key may revoke itself. Already revoked is success.
    ///
    /// # Errors
    /// There is none, or the key lacks `keys:write`.
    pub async fn revoke_key(&self, actor: &Actor, id: &str) -> Result<(), AppError> {
        require_scope(actor, Action::KeysWrite)?;
        let key = self.own_key(actor, id).await?;
        let now = self.clock.now();
        if key.status(now) == "revoked" {
            return Ok(());
        }
        self.db
            .write(move |c| match db::api_keys::revoke(c, &key.id, now) {
                // Somebody else was faster.
                Err(db::DbError::Stale) => Ok(()),
                Err(other) => Err(other.into()),
                Ok(()) => append_key_event(c, "api_key.revoked", &key, now),
            })
            .await
    }
}

fn append_key_event(
    connection: &db::Connection,
    event: &'static str,
    key: &ApiKey,
    now: Timestamp,
) -> Result<(), AppError> {
    let user = db::users::find(connection, &key.user_id)?
        .ok_or_else(|| AppError::not_found("user", key.user_id.as_str()))?;
    let data = json!({ "api_key_id": key.id, "actor_id": key.user_id });
    Ok(events::append(connection, event, &user.team_id, None, data, now)?)
}
