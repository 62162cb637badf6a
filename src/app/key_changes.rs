//! API keys: changed, and replaced by new ones.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::api_keys::{Draft, deed, new_key};
use super::key_rules::{self, check_within, escalation};
use super::may::{Action, require_scope};
use super::terms::Terms;
use super::{App, AppError, journal};
use crate::crypto::token;
use crate::db::{self, DbError};
use crate::model::actor::Actor;
use crate::model::api_key::ApiKey;
use crate::model::audit;
use crate::model::ids::KeyId;
use crate::model::problems::Problems;
use crate::model::scope::Scopes;
use crate::model::timestamp::Timestamp;

/// How long a replaced key lives on when nothing is said, in seconds: a day.
pub const GRACE: i64 = 86_400;
/// The longest it can live on, in seconds: a week.
pub const GRACE_MOST: i64 = 604_800;

/// A change of a key. Fields that were not sent stay.
#[derive(Clone, Debug, Default)]
pub struct KeyPatch {
    pub name: Option<String>,
    pub scopes: Option<Vec<String>>,
    /// `Some(None)` is never.
    pub expires_at: Option<Option<String>>,
    pub allowed_ips: Option<Vec<String>>,
    pub project_ids: Option<Vec<String>>,
    /// Read-only fields that were sent, with the value sent.
    pub read_only: BTreeMap<String, Value>,
}

/// A key that took the place of another one.
#[derive(Clone, Debug)]
pub struct Rotated {
    pub key: ApiKey,
    /// The key itself; here and nowhere else.
    pub secret: String,
    pub replaces: KeyId,
}

impl App {
    /// Changes a key. Scopes and its end only ever shrink; addresses and projects may grow up to what the
    /// calling key has itself.
    ///
    /// # Errors
    /// `Invalid`, `Forbidden` with `scope_escalation`, a conflict `key_not_active`, or no such key.
    pub async fn update_key(
        &self,
        actor: &Actor,
        id: &str,
        patch: KeyPatch,
        problems: Problems,
        terms: &Terms<ApiKey>,
    ) -> Result<ApiKey, AppError> {
        require_scope(actor, Action::KeysWrite)?;
        // Somebody may change the key between reading and writing it: then it is read again.
        for _ in 0..8 {
            let current = self.own_key(actor, id).await?;
            terms.admit(self, Some(current.revision)).await?;
            let now = self.clock.now();
            let mut problems = problems.clone();
            let key = self.patched(actor, &current, &patch, now, &mut problems).await?;
            check_change(actor, &current, &key)?;
            AppError::check(problems)?;
            check_active(&current, now)?;
            let changes = audit::changes(&settings(&current), &settings(&key));
            if changes.as_object().is_some_and(serde_json::Map::is_empty) {
                return Ok(current);
            }
            let actor = actor.clone();
            let written = self
                .db
                .write(move |c| -> Result<Option<ApiKey>, AppError> {
                    match db::api_keys::update(c, &key) {
                        Err(DbError::Stale) => return Ok(None),
                        other => other?,
                    }
                    let deed = deed("api_key.updated", &actor, &key, None).changing(changes);
                    journal::write(c, &actor, deed, now)?;
                    Ok(db::api_keys::find(c, &key.user_id, &key.id)?)
                })
                .await?;
            if let Some(key) = written {
                return Ok(key);
            }
        }
        Err(busy())
    }

    /// The key as the patch wants it.
    async fn patched(
        &self,
        actor: &Actor,
        current: &ApiKey,
        patch: &KeyPatch,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Result<ApiKey, AppError> {
        let mut key = current.clone();
        let read_only = json!({
            "id": key.id, "prefix": key.prefix, "last4": key.last4, "last_used_at": key.last_used_at,
            "last_used_ip": key.last_used_ip, "created_at": key.created_at, "revoked_at": key.revoked_at,
        });
        for (field, sent) in &patch.read_only {
            if read_only.get(field) != Some(sent) {
                problems.invalid(field, "read_only", "This field is set by Orbitra.");
            }
        }
        if let Some(name) = &patch.name {
            key.name = name.trim().to_owned();
            key_rules::name(&key.name, problems);
        }
        if let Some(words) = &patch.scopes {
            key.scopes = key_rules::scopes(words, &Scopes::full(), problems);
        }
        match &patch.expires_at {
            None => {}
            Some(None) => key.expires_at = None,
            // What was read may be sent back, as it was written.
            Some(Some(text)) if current.expires_at.is_some_and(|at| at.to_string() == *text) => {}
            Some(Some(text)) => {
                key.expires_at = key_rules::expires_at(text, now, problems).or(current.expires_at);
            }
        }
        if let Some(networks) = &patch.allowed_ips {
            key_rules::allowed_ips(networks, problems);
            key.allowed_ips.clone_from(networks);
        }
        if let Some(sent) = &patch.project_ids {
            let kept = &current.project_ids;
            key.project_ids = self.key_projects(actor, sent, kept, problems).await?;
        }
        Ok(key)
    }

    /// Makes a key that takes the place of another one, which lives on for `grace` seconds. A key may replace
    /// itself.
    ///
    /// # Errors
    /// `Invalid`, `Forbidden` with `scope_escalation` when the calling key may do less, a conflict
    /// `key_not_active`, or no such key.
    pub async fn rotate_key(
        &self,
        actor: &Actor,
        id: &str,
        grace: Option<i64>,
        mut problems: Problems,
        terms: &Terms<Rotated>,
    ) -> Result<Rotated, AppError> {
        require_scope(actor, Action::KeysWrite)?;
        let grace = grace.unwrap_or(GRACE);
        problems.range("grace_seconds", grace, 0, GRACE_MOST);
        for _ in 0..8 {
            let old = self.own_key(actor, id).await?;
            check_within(actor, &old.limits())?;
            // After that: a stored answer holds a key, which a weaker caller must not get by repeating.
            terms.admit(self, Some(old.revision)).await?;
            AppError::check(problems.clone())?;
            let now = self.clock.now();
            check_active(&old, now)?;
            let draft = Draft { name: old.name.clone(), limits: old.limits() };
            let (key, secret) = new_key(actor, old.kind, draft, now);
            let rotated = Rotated { key, secret, replaces: old.id.clone() };
            let last = now.plus(Duration::from_secs(grace.unsigned_abs()));
            let mut ending = old.clone();
            ending.expires_at = Some(old.expires_at.map_or(last, |at| at.min(last)));
            let (made, app, actor, terms) =
                (rotated.clone(), self.clone(), actor.clone(), terms.clone());
            let written = self
                .db
                .write(move |c| -> Result<bool, AppError> {
                    match db::api_keys::update(c, &ending) {
                        Err(DbError::Stale) => return Ok(false),
                        other => other?,
                    }
                    db::api_keys::insert(c, &made.key, &token::hash(&made.secret))?;
                    let mut deed = deed("api_key.rotated", &actor, &old, None)
                        .changing(audit::changes(&settings(&old), &settings(&ending)));
                    deed.data = Some(json!({
                        "api_key_id": made.key.id, "replaces": old.id, "actor_id": actor.user_id,
                    }));
                    journal::write(c, &actor, deed, now)?;
                    terms.settle(&app, c, &made)?;
                    Ok(true)
                })
                .await?;
            if written {
                return Ok(rotated);
            }
        }
        Err(busy())
    }
}

/// A key only shrinks by itself; where it grows, the calling key must have room for all of it.
fn check_change(actor: &Actor, current: &ApiKey, key: &ApiKey) -> Result<(), AppError> {
    let (before, after) = (current.limits(), key.limits());
    if !after.never_exceeds(&before) {
        return Err(escalation(
            "Scopes and the end of a key can only become less. Make a new key.",
        ));
    }
    if after.within(&before) { Ok(()) } else { check_within(actor, &after) }
}

fn check_active(key: &ApiKey, now: Timestamp) -> Result<(), AppError> {
    match key.status(now) {
        "active" => Ok(()),
        status => Err(AppError::conflict("key_not_active", format!("This key is {status}."))),
    }
}

fn busy() -> AppError {
    AppError::Unavailable { reason: "maintenance", message: "The key is being changed. Try again." }
}

/// What of a key can be changed, as the audit log shows it.
fn settings(key: &ApiKey) -> Value {
    json!({
        "name": key.name, "scopes": key.scopes, "expires_at": key.expires_at,
        "allowed_ips": key.allowed_ips, "project_ids": key.project_ids,
    })
}
