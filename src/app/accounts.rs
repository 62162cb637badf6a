//! Accounts as an instance admin sees and changes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::journal::{self, Deed};
use super::may::{Action, administers, require_instance_admin, require_scope};
use super::terms::Terms;
use super::users::{fresh, insert};
use super::{App, AppError};
use crate::crypto::token;
use crate::db;
use crate::db::page::{Page, PageRequest};
use crate::db::users::UserFilter;
use crate::model::actor::Actor;
use crate::model::audit::{self, Party};
use crate::model::ids::UserId;
use crate::model::problems::Problems;
use crate::model::timestamp::Timestamp;
use crate::model::user::{Plan, User, valid_email};

/// What can be said of an account that is made or changed. Fields that were not sent are `None`.
#[derive(Clone, Debug, Default)]
pub struct AccountPatch {
    pub name: Option<String>,
    pub plan: Option<String>,
    pub instance_admin: Option<bool>,
    pub suspended: Option<bool>,
    /// Read-only fields that were sent, with the value sent.
    pub read_only: BTreeMap<String, Value>,
}

/// A new account and the address at which its owner chooses a password.
pub type Invited = (User, String);

impl App {
    /// A page of all accounts.
    ///
    /// # Errors
    /// The actor is no instance admin, or the key lacks `account:read`.
    pub async fn accounts(
        &self,
        actor: &Actor,
        filter: UserFilter,
        page: PageRequest,
    ) -> Result<Page<User>, AppError> {
        require_scope(actor, Action::AccountRead)?;
        require_instance_admin(actor)?;
        self.db.read(move |c| Ok(db::users::list(c, &filter, page)?)).await
    }

    /// One account: any for an instance admin, for others their own.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `account:read`.
    pub async fn account_of(&self, actor: &Actor, id: &str) -> Result<User, AppError> {
        require_scope(actor, Action::AccountRead)?;
        self.visible_account(actor, id).await
    }

    async fn visible_account(&self, actor: &Actor, id: &str) -> Result<User, AppError> {
        let missing = || AppError::not_found("user", id);
        let wanted = UserId::parse(id).ok_or_else(missing)?;
        let found = self.db.read(move |c| db::users::find(c, &wanted)).await?;
        found.filter(|user| administers(actor) || user.id == actor.user_id).ok_or_else(missing)
    }

    /// Makes an account without a password, and a link with which its owner chooses one.
    ///
    /// # Errors
    /// `Invalid`, a conflict `email_taken`, or `Forbidden` for everybody but instance admins.
    pub async fn create_account(
        &self,
        actor: &Actor,
        email: Option<String>,
        new: AccountPatch,
        mut problems: Problems,
        terms: &Terms<Invited>,
    ) -> Result<Invited, AppError> {
        require_scope(actor, Action::AccountWrite)?;
        require_instance_admin(actor)?;
        // First: a stored answer holds a link, which a weaker key must not get by repeating.
        refuse_escalation(actor, &new)?;
        terms.admit(self, None).await?;
        problems.require("email", email.as_ref());
        problems.require("name", new.name.as_ref());
        let email = email.unwrap_or_default().trim().to_owned();
        if !problems.has("email") && !valid_email(&email) {
            problems.invalid("email", "format", "This is not an e-mail address.");
        }
        let now = self.clock.now();
        let mut user = fresh(email, "", now);
        apply(&new, &mut user, &mut problems);
        AppError::check(problems)?;
        let (address, hash, expires) = self.new_welcome_link(now);
        let made = (user, address);
        let (app, actor, terms, stored) =
            (self.clone(), actor.clone(), terms.clone(), made.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                let user = &stored.0;
                insert(c, user, None)?;
                db::welcome::insert(c, &hash, &user.id, expires)?;
                let changes = audit::changes(&json!({}), &settings(user));
                journal::write(c, &actor, deed("user.created", &actor, user, changes), now)?;
                terms.settle(&app, c, &stored)
            })
            .await?;
        Ok(made)
    }

    /// Changes name, plan, role or suspension. A suspended account is signed out everywhere at once.
    ///
    /// # Errors
    /// `Invalid`, a conflict `last_owner` when nobody would administrate the instance, no such account, or
    /// `Forbidden` for everybody but instance admins.
    pub async fn update_account(
        &self,
        actor: &Actor,
        id: &str,
        patch: AccountPatch,
        mut problems: Problems,
        terms: &Terms<User>,
    ) -> Result<User, AppError> {
        require_scope(actor, Action::AccountWrite)?;
        let user = self.visible_account(actor, id).await?;
        require_instance_admin(actor)?;
        terms.admit(self, Some(user.revision)).await?;
        let known = json!({
            "id": user.id, "email": user.email, "company": user.company, "created_at": user.created_at,
            "updated_at": user.updated_at, "default_team_id": user.team_id,
        });
        for (field, sent) in &patch.read_only {
            if known.get(field) != Some(sent) {
                problems.invalid(field, "read_only", "This field cannot be changed here.");
            }
        }
        apply(&patch, &mut user.clone(), &mut problems);
        AppError::check(problems)?;
        if !user.instance_admin {
            refuse_escalation(actor, &patch)?;
        }
        let now = self.clock.now();
        let (actor, terms) = (actor.clone(), terms.clone());
        self.db
            .write(move |c| -> Result<User, AppError> {
                let missing = || AppError::not_found("user", user.id.as_str());
                let current = db::users::find(c, &user.id)?.ok_or_else(missing)?;
                terms.check(current.revision)?;
                let mut changed = current.clone();
                // What cannot be applied was refused above.
                apply(&patch, &mut changed, &mut Problems::default());
                let changes = audit::changes(&settings(&current), &settings(&changed));
                if changes == json!({}) {
                    return Ok(current);
                }
                if !changed.instance_admin || changed.suspended {
                    keep_an_admin(c, &current)?;
                }
                db::users::update_account(c, &changed, now)?;
                if changed.suspended {
                    db::sessions::delete_of_user(c, &changed.id)?;
                }
                journal::write(c, &actor, deed("user.updated", &actor, &changed, changes), now)?;
                db::users::find(c, &user.id)?.ok_or_else(missing)
            })
            .await
    }

    /// Deletes an account with its keys and sessions.
    ///
    /// # Errors
    /// A conflict `last_owner` or `team_not_empty`, no such account, or `Forbidden` for everybody but instance
    /// admins.
    pub async fn delete_account(
        &self,
        actor: &Actor,
        id: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        require_scope(actor, Action::AccountWrite)?;
        let user = self.visible_account(actor, id).await?;
        require_instance_admin(actor)?;
        terms.admit(self, Some(user.revision)).await?;
        let now = self.clock.now();
        let (actor, terms) = (actor.clone(), terms.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                let missing = || AppError::not_found("user", user.id.as_str());
                let user = db::users::find(c, &user.id)?.ok_or_else(missing)?;
                terms.check(user.revision)?;
                keep_an_admin(c, &user)?;
                if db::users::team_has_projects(c, &user.team_id)? {
                    return Err(AppError::Conflict {
                        reason: "team_not_empty",
                        message: "The team of this account has projects. Delete them first, and wait until \
                                  nothing of them is left."
                            .to_owned(),
                        details: json!({ "team_id": user.team_id }),
                    });
                }
                let changes = audit::changes(&settings(&user), &json!({}));
                journal::write(c, &actor, deed("user.deleted", &actor, &user, changes), now)?;
                Ok(db::users::delete(c, &user.id)?)
            })
            .await
    }

    /// A new link to the page where a password is chosen: its address, the hash of its token, its end.
    fn new_welcome_link(&self, now: Timestamp) -> (String, [u8; 32], Timestamp) {
        let secret = token::new_opaque();
        let address = format!("{}/welcome/{secret}", self.hosts.dashboard_url());
        (address, token::hash(&secret), now.plus(super::welcome::LIFETIME))
    }
}

/// Writes what was sent into an account, and notes what cannot be.
fn apply(patch: &AccountPatch, user: &mut User, problems: &mut Problems) {
    if let Some(name) = &patch.name {
        let trimmed = name.trim();
        if problems.length("name", trimmed, 1, 100) && trimmed.chars().any(char::is_control) {
            problems.invalid("name", "format", "No control characters.");
        }
        user.name = trimmed.to_owned();
    }
    match patch.plan.as_deref().map(Plan::parse) {
        Some(Some(plan)) => user.plan = plan,
        Some(None) => problems.unknown_value("plan", Plan::ALL.iter().map(|plan| plan.as_str())),
        None => {}
    }
    user.instance_admin = patch.instance_admin.unwrap_or(user.instance_admin);
    user.suspended = patch.suspended.unwrap_or(user.suspended);
}

/// An instance admin may do everything; only a key that may do so too makes one.
fn refuse_escalation(actor: &Actor, patch: &AccountPatch) -> Result<(), AppError> {
    if patch.instance_admin != Some(true) || actor.has_scope("system:write") {
        return Ok(());
    }
    Err(AppError::Forbidden {
        reason: "scope_escalation",
        message: "A key without the scope `system:write` cannot make an instance admin.".to_owned(),
        details: json!({ "required_scopes": ["system:write"] }),
    })
}

/// Refuses to take away the last active instance admin.
fn keep_an_admin(connection: &db::Connection, user: &User) -> Result<(), AppError> {
    let active = user.instance_admin && !user.suspended;
    if !active || db::users::another_instance_admin(connection, &user.id)? {
        return Ok(());
    }
    Err(AppError::conflict("last_owner", "This is the last active instance admin."))
}

/// What of an account an instance admin decides, as the audit log shows it.
fn settings(user: &User) -> Value {
    json!({
        "email": user.email, "name": user.name, "plan": user.plan.as_str(), "instance_admin": user.instance_admin,
        "suspended": user.suspended,
    })
}

/// Something done to an account.
fn deed<'a>(action: &'static str, actor: &Actor, user: &'a User, changes: Value) -> Deed<'a> {
    Deed {
        action,
        team: &user.team_id,
        project: None,
        target: Party::new("user", &user.id, &user.name),
        changes,
        data: Some(json!({ "user_id": user.id, "actor_id": actor.user_id })),
    }
}
